"""The form in Chromium: the work is done while one types, and nobody without JavaScript is kept out."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from playwright.async_api import Browser, Page, async_playwright
from sqlalchemy import func, select
from website import Website, website

from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web.server import WebServer

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    found = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium for the tests: apt-get install chromium", pytrace=False)
        pytest.skip("no Chromium for the tests: apt-get install chromium")
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        await browser.close()


class Served:
    """A site that asks for work, on a port."""

    def __init__(self, web: Website, origin: str) -> None:
        self.web = web
        self.origin = origin
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def asked(self) -> int:
        async with self.web.app.db.reading() as tx:
            return await tx.scalar(select(func.count()).select_from(schema.confirmations)) or 0


@pytest.fixture
async def served(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Served]:
    async with website(sqlite_db, tmp_path, now, more="subscribe: {proof_of_work: true}\n") as web:
        await World(sqlite_db, now).channel()
        server = WebServer(web.site, "127.0.0.1", 0)
        await server.start()
        host, port = server.address
        served = Served(web, f"http://{host}:{port}")
        web.app.clock = served.now
        yield served
        await server.stop()


async def fill_in(page: Page, served: Served) -> list[str]:
    """Open the form and fill it in; return the list that fills with what the page complains about."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(served.origin + "/subscribe?channel=xiaomi")
    await page.get_by_label("Your email address").fill("alice@reader.example")
    return said


async def test_the_browser_works_and_the_form_counts_at_the_first_press(browser: Browser, served: Served) -> None:
    page = await browser.new_page()
    said = await fill_in(page, served)
    served.ahead += timedelta(seconds=2)
    button = page.get_by_role("button", name="Subscribe")
    await button.click()
    await page.get_by_role("heading", name="Look into your mailbox").wait_for()
    assert said == []
    assert await served.asked() == 1
    await page.close()


async def test_a_press_before_the_work_is_done_shows_how_far_it_is(browser: Browser, served: Served) -> None:
    page = await browser.new_page()
    await page.add_init_script("crypto.subtle.deriveBits = () => new Promise(() => {})")  # a very slow machine
    await fill_in(page, served)
    served.ahead += timedelta(seconds=2)
    await page.get_by_role("button", name="Subscribe").click()
    await page.get_by_role("button", name="One moment … 0 %").wait_for()
    assert await served.asked() == 0
    await page.close()


@pytest.mark.parametrize("lacking", ["JavaScript", "cryptography"])
async def test_without_the_means_one_waits_and_presses_once_more(
    browser: Browser, served: Served, lacking: str
) -> None:
    context = await browser.new_context(java_script_enabled=lacking != "JavaScript")
    await context.add_init_script("crypto.subtle.deriveBits = () => Promise.reject(new Error('none'))")
    page = await context.new_page()
    await fill_in(page, served)
    served.ahead += timedelta(seconds=2)
    await page.get_by_role("button", name="Subscribe").click()
    await page.get_by_text("wait five seconds").wait_for()
    assert await page.get_by_label("Your email address").input_value() == "alice@reader.example"
    served.ahead += timedelta(seconds=6)
    await page.get_by_role("button", name="Subscribe").click()
    await page.get_by_role("heading", name="Look into your mailbox").wait_for()
    assert await served.asked() == 1
    await context.close()


async def test_the_field_for_bots_is_seen_by_nobody(browser: Browser, served: Served) -> None:
    page = await browser.new_page()
    await fill_in(page, served)
    assert not await page.locator("input[name=website]").is_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.name") != "website"
    await page.close()
