"""Chromium for the tests, as the machine has it, told to look for nothing beyond the machine."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str:
    """Return where Chromium is; skip the test, which CI counts as a failure, where it is not."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium for the tests: apt-get install chromium")
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Give a running Chromium."""
    path = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


def watch(page: Page) -> list[str]:
    """Return the list that fills with what a page complains about, or does that no page of ours does."""
    said: list[str] = []

    def console(message: ConsoleMessage) -> None:
        said.append(f"{page.url}: {message.text}")

    async def dialog(shown: Dialog) -> None:
        said.append(f"{page.url}: a dialog: {shown.message}")
        await shown.dismiss()

    page.on("console", console)
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("dialog", dialog)
    return said
