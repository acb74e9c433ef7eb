"""Pages in Chromium: nothing on the console, no policy broken, no sideways scrolling, usable by keyboard."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from cast import World
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
from website import Website, website

from alerts.mail.catcher import Catcher
from alerts.mail.caught import MailEnvelope, MailStore, list_mails
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web.server import WebServer

pytestmark = pytest.mark.browser

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
MAIL = (
    b"Subject: Hello\r\nContent-Type: text/html\r\n\r\n<html><head></head><body onload=\"document.title='x'\">"
    b"<script>top.location='http://127.0.0.1:1/'</script><img src=x onerror=alert(1)><table width=2000><tr><td>x"
    b'<a href="/healthz">link</a></table><form action=/u/x method=post><button>Go</button></form></body></html>\r\n'
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium for the tests: apt-get install chromium", pytrace=False)
        pytest.skip("no Chromium for the tests: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        await browser.close()


class Visit:
    """A site on a port, with something on every page."""

    def __init__(self, web: Website, origin: str, paths: dict[str, str]) -> None:
        self.web = web
        self.origin = origin
        self.paths = paths


@pytest.fixture
async def visit(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Visit]:
    catcher = Catcher(tmp_path / "caught", port=0)
    store = MailStore(catcher.maildir)
    store.open()
    mail = store.add(MAIL, MailEnvelope("a@site.example", (f"{'b' * 60}@reader.example",) * 3))
    async with website(sqlite_db, tmp_path, now, catcher=catcher) as web:
        server = WebServer(web.site, "127.0.0.1", 0)
        await server.start()
        host, port = server.address
        yield Visit(web, f"http://{host}:{port}", await furnish(web, now, mail))
        await server.stop()


async def furnish(web: Website, now: datetime, mail: str) -> dict[str, str]:
    """Put long and foreign texts everywhere; return the path of every page."""
    world = World(web.app.db, now)
    channels = tuple([await world.channel(slug) for slug in ("xiaomi", "tesla", "byd")])
    article = await world.article(await world.source(), title=f"小米 {LONG} مرحبا", channels=channels[:2])
    (person,) = await world.readers(1, channels)
    hits = [{"term": LONG, "zone": "title", "count": 3}]
    async with web.app.db.transaction() as tx:
        await tx.execute(schema.matches.update().values(hits=hits))
        await tx.execute(
            schema.channels.update().where(schema.channels.c.slug == "tesla").values(name=LONG, query=LONG)
        )
        await tx.execute(schema.articles.update().values(summary=[LONG, "第二行"], url=None, body=f"{LONG}\n\nEnd."))
    return {
        "channels": "/", "channel": "/c/tesla", "alert": f"/a/{article}", "leave": web.leave_link(person, article),
        "manage": web.manage_link(person), "unknown": "/u/x", "caught": "/catcher?refresh=off",
        "mail": f"/catcher/{mail}", "text": f"/catcher/{mail}/text", "headers": f"/catcher/{mail}/headers",
        "source": f"/catcher/{mail}/source",
    }  # fmt: skip


def watch(page: Page) -> list[str]:
    """Return the list that fills with what a page complains about."""
    said: list[str] = []

    def console(message: ConsoleMessage) -> None:
        said.append(f"{page.url}: {message.text}")

    page.on("console", console)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_no_page_complains_or_scrolls_sideways(browser: Browser, visit: Visit, width: int) -> None:
    page = await browser.new_page(viewport={"width": width, "height": 800})
    said = watch(page)
    for name, path in visit.paths.items():
        if name == "mail":
            continue  # its frame is refused its scripts, and Chromium says so
        await page.goto(visit.origin + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert said == []
    await page.close()


async def test_a_hostile_mail_stays_in_its_frame(browser: Browser, visit: Visit) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    await page.goto(visit.origin + visit.paths["mail"])
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    frame = page.frames[1]
    assert page.url == visit.origin + visit.paths["mail"]
    assert await frame.title() == ""
    async with page.expect_popup() as popup:
        await frame.get_by_text("link").click()
    await (await popup.value).wait_for_load_state()
    assert (await popup.value).url.endswith("/healthz")
    await page.close()


async def test_leaving_needs_the_button_and_works_without_scripts(browser: Browser, visit: Visit) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(visit.origin + visit.paths["leave"])
    await page.get_by_role("button", name="Unsubscribe from everything").click()
    await page.get_by_role("heading", name="You have left").wait_for()
    await page.goto(visit.origin + visit.paths["manage"])
    await page.get_by_text("You follow no channel").wait_for()
    await context.close()


async def test_somebody_with_a_keyboard_sees_where_they_are(browser: Browser, visit: Visit) -> None:
    page = await browser.new_page()
    await page.goto(visit.origin + visit.paths["manage"])
    await page.keyboard.press("Tab")
    skip = await page.evaluate(
        "document.activeElement.getBoundingClientRect().left >= 0 && document.activeElement.className"
    )
    assert skip == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    await page.close()


async def test_a_new_mail_appears_by_itself(browser: Browser, visit: Visit, tmp_path: Path) -> None:
    page = await browser.new_page()
    await page.goto(visit.origin + "/catcher")
    store = MailStore(tmp_path / "caught")
    await asyncio.to_thread(store.open)
    store.add(b"Subject: Just in\r\n\r\nx", MailEnvelope("a@b", ("c@d",)))
    assert list_mails(tmp_path / "caught").total == 2
    await page.get_by_text("Just in").wait_for(timeout=15_000)
    await page.close()
