"""The box on another site's page, in Chromium: as high as it needs to be, and usable without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from cast import World
from chromium import chromium, watch
from playwright.async_api import Browser, Page, Route
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route as WebRoute
from website import website

from alerts.core.snippets import FRAME_HEIGHT, frame_snippet
from alerts.storage import schema
from alerts.storage.channels import channel_by_slug
from alerts.storage.engine import Database
from alerts.web.server import WebServer

pytestmark = pytest.mark.browser

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
# Mallory's frame, on the same page, says what ours would say.
FOREIGN = """<!doctype html><html lang="en"><title>Another paper</title><link rel="icon" href="data:,"><h1>A story</h1>
{snippet}
<iframe srcdoc="<script>
setInterval(() => parent.postMessage({{newsAlert: 'height', height: 2000}}, '*'), 20)
</script>"></iframe></html>"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def foreign(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[str]:
    """Give the address of a foreign page that shows the box as `alerts channels show` says."""
    async with website(sqlite_db, tmp_path, now) as web:
        world = World(sqlite_db, now)
        for slug in ("xiaomi", "tesla", "byd"):
            await world.channel(slug)
        async with sqlite_db.reading() as tx:
            channel = await channel_by_slug(tx, "xiaomi")
        assert channel is not None
        ours = WebServer(web.site, "127.0.0.1", 0)
        await ours.start()
        snippet = frame_snippet(channel, root=origin_of(ours), say=lambda sentence, **_: sentence)

        async def page(_: Request) -> HTMLResponse:
            return HTMLResponse(FOREIGN.format(snippet=snippet))

        theirs = WebServer(Starlette(routes=[WebRoute("/", page)]), "127.0.0.1", 0)
        await theirs.start()
        yield origin_of(theirs)
        await theirs.stop()
        await ours.stop()


def origin_of(server: WebServer) -> str:
    host, port = server.address
    return f"http://{host}:{port}"


async def height(page: Page) -> float:
    found: float = await page.evaluate("document.querySelector('iframe').getBoundingClientRect().height")
    return found


async def fits(page: Page) -> bool:
    """Say whether the frame is as high as the box, so that nothing scrolls in it and nothing is empty."""
    inner: float = await page.frames[1].evaluate("document.documentElement.getBoundingClientRect().height")
    return abs(inner - await height(page)) <= 1


async def until_it_fits(page: Page) -> float:
    for _ in range(100):
        if await height(page) != FRAME_HEIGHT and await fits(page):
            return await height(page)
        await page.wait_for_timeout(50)
    raise AssertionError(f"the frame stays {await height(page)} high")


async def test_the_frame_is_as_high_as_the_box_in_it_and_hears_nobody_else(browser: Browser, foreign: str) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    said = watch(page)
    await page.goto(foreign)
    closed = await until_it_fits(page)
    await page.frames[1].get_by_text("More channels", exact=True).click()
    for _ in range(100):
        if await height(page) > closed + 40:
            break
        await page.wait_for_timeout(50)
    opened = await until_it_fits(page)
    assert closed + 40 < opened < 1_500  # Mallory said 2,000
    assert said == []
    await page.close()


@pytest.mark.parametrize("width", [280, 390, 1280])
async def test_the_box_fits_any_width_whatever_a_channel_is_called(
    browser: Browser, foreign: str, sqlite_db: Database, width: int
) -> None:
    async with sqlite_db.transaction() as tx:
        await tx.execute(update(schema.channels).values(name=LONG))
    page = await browser.new_page(viewport={"width": width, "height": 800})
    await page.goto(foreign)
    box = page.frames[1]
    await box.get_by_text("More channels", exact=True).click()
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    needed, given = await box.evaluate(widths)
    assert needed <= given
    origin = box.url.partition("/embed/")[0]
    for path in ("/c/xiaomi", "/?q=mi"):
        await page.goto(origin + path)
        assert (await page.evaluate(widths))[0] <= max(width, 320), path
    await page.close()


async def test_the_box_works_where_nothing_runs(browser: Browser, foreign: str, sqlite_db: Database) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    posted: list[tuple[str, str]] = []

    async def keep(route: Route) -> None:
        posted.extend(parse_qsl(route.request.post_data or ""))
        await route.fulfill(body="<p>Look into your mailbox", content_type="text/html")

    await page.route("**/subscribe", keep)
    await page.goto(foreign)
    box = page.frame_locator("iframe").first
    await box.get_by_label("Email address").fill("alice@example.org")
    await box.get_by_text("More channels", exact=True).click()
    await box.get_by_label("Byd").check()
    await box.get_by_role("button", name="Subscribe").click()
    await box.get_by_text("Look into your mailbox").wait_for()
    assert page.url == f"{foreign}/"
    assert [one for one in posted if one[0] in {"email", "channel", "from"}] == [
        ("from", "embed"),
        ("channel", "xiaomi"),
        ("channel", "byd"),
        ("email", "alice@example.org"),
    ]
    async with sqlite_db.reading() as tx:
        assert (await tx.scalars(select(schema.subscribers.c.id))).all() == []
    await context.close()
