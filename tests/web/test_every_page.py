"""Every page, in each language, width and light: sound for who cannot see it, valid, quiet, never too wide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from chromium import watch
from every_page import MAILS, Place
from every_page import visit as go_to
from furnished_site import Visit
from mail_raw import texts_of
from page_checkers import Checkers
from playwright.async_api import Browser, Page

from alerts.mail.caught import read_mail

pytest_plugins = ["browsing"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WIDTHS = (320, 390, 1280)
LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NOT_IN_A_MAIL = ("region", "landmark-one-main")  # it is shown inside a mail program's page, which has those
BROKEN = b"""<!doctype html><html lang=en><head><meta charset=utf-8><title>x</title><style>
p { color: #999; background: #aaa } @media (prefers-color-scheme: dark) { p { color: #000; background: #fff } }
</style></head><body><main><h1>x</h1><p>pale by day<img src="data:,"><ul><p>astray</ul>
<div style="width: 400px">wide</div></main></body></html>"""


async def complaints(page: Page, checkers: Checkers, *, without: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """Say what is wrong with a page as it stands there, at every width."""
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            yield f"scrolls sideways at {width} px: {wide} px"
    for one in await checkers.accessibility(page, without=without):
        yield one


@pytest.mark.parametrize(("language", "light"), [("en", "light"), ("zh", "dark")])
async def test_every_page_is_sound(
    browser: Browser, visit: Visit, checkers: Checkers, language: str, light: Literal["light", "dark"]
) -> None:
    context = await browser.new_context(locale=language, color_scheme=light)
    page = await context.new_page()
    said = watch(page)
    wrong: list[str] = []
    documents: dict[str, bytes] = {}
    for name, place in visit.places.items():
        answer = await go_to(page, visit.origin, place)
        documents[name] = await answer.body()
        assert answer.headers["content-language"] == language, name
        wrong += [f"{name}: {one}" async for one in complaints(page, checkers)]
        wrong += [f"{name}: says {one}" for one in said if not is_expected(one, name, place)]
        said.clear()
    wrong += checkers.validity(documents)
    assert wrong == []
    await context.close()


async def test_every_mail_is_sound(browser: Browser, visit: Visit, checkers: Checkers) -> None:
    page = await browser.new_page()
    said = watch(page)
    wrong: list[str] = []
    documents: dict[str, bytes] = {}
    for name, key in visit.stage.mails.items():
        if name == "foreign mail":
            continue
        _, html = texts_of(read_mail(visit.maildir, key).raw)
        documents[name] = html.encode()
        await page.set_content(html)
        for light in LIGHTS:
            await page.emulate_media(color_scheme=light)
            wrong += [f"{name}: {light}: {one}" async for one in complaints(page, checkers, without=NOT_IN_A_MAIL)]
    wrong += checkers.validity(documents, rules="htmlvalidate-mail.json")
    assert len(documents) == len(MAILS)
    assert wrong == []
    assert said == []
    await page.close()


def is_expected(said: str, name: str, place: Place) -> bool:
    """Say whether a line on the console is Chromium's own, of a page that is meant to be so."""
    if place.status >= 400 and f"the server responded with a status of {place.status}" in said:
        return True
    # The frame of a mail is refused its scripts, its pictures and its forms.
    return name.startswith("foreign mail")


async def test_what_is_wrong_with_a_page_is_seen(browser: Browser, checkers: Checkers) -> None:
    page = await browser.new_page()
    await page.set_content(BROKEN.decode())
    seen = "\n".join([one async for one in complaints(page, checkers)])
    assert "sideways at 320" in seen
    assert "sideways at 1280" not in seen
    assert "image-alt" in seen
    assert "color-contrast" in seen
    assert "list" in seen
    assert any("element-permitted-content" in one for one in checkers.validity({"broken": BROKEN}))
    await page.close()
