"""Mail scanners follow every link of every mail, and run what they find there: they change nothing (U6)."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cast import World
from chromium import watch
from furnished_site import Visit
from mailbag import links_of, waiting_mails, whole_ledger
from playwright.async_api import Browser, BrowserContext
from website import ORIGIN, Website, website

from alerts.services.fan_out import fan_out
from alerts.services.send_test import send_test
from alerts.services.subscribe import subscribe
from alerts.storage.engine import Database

pytest_plugins = ["browsing"]

FOLLOWING, ASKING = 160, 39
MAILS = FOLLOWING + ASKING + 1
TABS = 40
LOOKING_S = 3
HREF = re.compile(r'href="(/[^"]*)"')


async def mailed(web: Website, now: datetime) -> list[list[str]]:
    """Let 200 mails be owed; return the links of each."""
    world = World(web.app.db, now)
    channels = (await world.channel("nio"), await world.channel("zeekr"))
    article = await world.article(await world.source("more"), title="Nio and Zeekr", channels=channels)
    for number in range(ASKING):
        await subscribe(
            web.app.db,
            address=f"asking{number}@reader.example",
            slugs=["nio", "zeekr"],
            frequency=None,
            confirmed=False,
            now=now,
            secrets=web.app.secrets,
            salt=number.to_bytes(16),
        )
    await send_test(web.app.db, address="test@reader.example", secrets=web.app.secrets, now=now)
    await world.readers(FOLLOWING, channels)  # last: they bring their own keys
    while not (await fan_out(web.app.db, article, now=now)).finished:
        pass
    return [links_of(one.message, ORIGIN) for one in await waiting_mails(web.app)]


async def test_a_scanner_that_asks_for_every_link_changes_no_row(db: Database, tmp_path: Path, now: datetime) -> None:
    async with website(db, tmp_path, now) as web:
        mails = await mailed(web, now)
        assert len(mails) == MAILS
        assert all(mails)
        before = await whole_ledger(db)
        waiting = list(dict.fromkeys(link for links in mails for link in links))
        kinds = {urlsplit(link).path.split("/")[1] for link in waiting}
        assert {"u", "m", "confirm"} <= kinds
        asked: set[str] = set()
        while waiting:
            link = waiting.pop()
            asked.add(link)
            for method in ("HEAD", "GET"):
                answer = await web.visitor.request(method, link)
                assert answer.status_code < 500
                assert "set-cookie" not in answer.headers
                found = {ORIGIN + unescape(path) for path in HREF.findall(answer.text)}
                waiting += sorted(found - asked - set(waiting))
        assert len(asked) > 2 * FOLLOWING + ASKING
        assert await whole_ledger(db) == before


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_scanner_with_a_browser_changes_no_row(browser: Browser, visit: Visit, now: datetime) -> None:
    mails = await mailed(visit.web, now)
    before = await whole_ledger(visit.web.app.db)
    links = list(dict.fromkeys(link for mail in mails[:: len(mails) // TABS] for link in mail))
    context = await browser.new_context()
    said = await asyncio.gather(*(looked_at(context, link.replace(ORIGIN, visit.origin, 1)) for link in links[:TABS]))
    assert len(said) == TABS
    assert [one for lines in said for one in lines] == []
    assert await whole_ledger(visit.web.app.db) == before
    await context.close()


async def looked_at(context: BrowserContext, url: str) -> list[str]:
    """Open a page in a tab, let it run, move about in it as a scanner does; return what it said."""
    page = await context.new_page()
    said = watch(page)
    await page.goto(url)
    await page.mouse.move(100, 300)
    await page.mouse.wheel(0, 2_000)
    await page.keyboard.press("Tab")
    await asyncio.sleep(LOOKING_S)
    await page.close()
    return said
