"""The directory: a reader finds a channel among thousands, without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import html5lib
import pytest
from cast import World
from sqlalchemy import event, update
from website import Website, website

from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web.public import CHANNELS_A_PAGE

MANY = 10_000


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


@pytest.fixture
def world(web: Website, now: datetime) -> World:
    return World(web.app.db, now)


async def fill(world: World, count: int) -> None:
    rows = [
        {
            "slug": f"company-{number}",
            "name": f"Company {number}",
            "query": "about:Company",
            "origin": "config",
            "state": "active",
            "position": number,
            "created_at": world.now,
            "changed_at": world.now,
        }
        for number in range(count)
    ]
    async with world.db.transaction() as tx:
        await tx.execute(schema.channels.insert(), rows)


async def change(world: World, slug: str, **values: object) -> None:
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.slug == slug).values(**values))


def words(page: str) -> str:
    tree = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(page)
    return " ".join("".join(tree.find("body").itertext()).split())


def headings(page: str) -> list[str]:
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(page)
    return ["".join(heading.itertext()) for heading in tree.iter("h2")]


async def test_a_search_finds_channels_by_name_and_slug_and_says_how_many(web: Website, world: World) -> None:
    for slug in ("xiaomi", "xpeng", "tesla"):
        await world.channel(slug)
    await change(world, "xiaomi", name="小米")
    assert headings((await web.visitor.get("/?q=%E5%B0%8F")).text) == ["小米"]
    page = (await web.visitor.get("/?q=+X")).text
    assert headings(page) == ["小米", "Xpeng"]
    assert "2 channels for “X”" in words(page)
    assert "1 channel for “ｘｐＥＮＧ”" in words((await web.visitor.get("/?q=" + quote("ｘｐＥＮＧ"))).text)
    assert 'name="q" value="X"' in page


async def test_a_search_that_finds_nothing_says_so_and_leads_on(web: Website, world: World) -> None:
    await world.channel()
    page = (await web.visitor.get("/?q=volvo")).text
    assert headings(page) == []
    assert "No channel is called “volvo”" in words(page)
    assert '<a href="/">All channels</a>' in page


async def test_a_search_knows_the_channels_as_they_are_now(web: Website, world: World, now: datetime) -> None:
    await world.channel("xiaomi")
    assert headings((await web.visitor.get("/?q=mi")).text) == ["Xiaomi"]
    await world.channel("minerals")
    assert headings((await web.visitor.get("/?q=mi")).text) == ["Minerals", "Xiaomi"]
    await change(world, "minerals", name="Rare Earths", changed_at=now + timedelta(seconds=1))
    assert headings((await web.visitor.get("/?q=rare")).text) == ["Rare Earths"]
    await change(world, "xiaomi", state="retired", changed_at=now)
    assert headings((await web.visitor.get("/?q=xiaomi")).text) == []


@pytest.mark.parametrize(
    "asked", ["%00", "%ff%fe", "%27%3B--", "%25", "<script>", "%22%3E%3Cb%3E", "x" * 9_000, "%E2%80%AEgpj", "%ED%A0%80"]
)
async def test_hostile_questions_are_only_shown(sqlite_db: Database, tmp_path: Path, now: datetime, asked: str) -> None:
    async with website(sqlite_db, tmp_path, now) as web:
        await World(sqlite_db, now).channel()
        for path in (f"/?q={asked}", f"/?q={asked}&page={asked}", f"/?page={asked}"):
            answer = await web.visitor.get(path)
            assert answer.status_code == 200
            assert "<script" not in answer.text
            assert "<b>" not in answer.text
            assert "\u202e" not in answer.text
            assert len(answer.text) < 6_000
            words(answer.text)  # valid HTML


async def test_ten_thousand_channels_are_shown_a_page_at_a_time(web: Website, world: World) -> None:
    await fill(world, MANY)
    first = (await web.visitor.get("/")).text
    assert headings(first) == [f"Company {number}" for number in range(CHANNELS_A_PAGE)]
    assert len(first) < 60_000
    assert "Page 1 of 209" in words(first)
    assert 'rel="next" href="/?page=2"' in first
    last = (await web.visitor.get("/?page=209")).text
    assert headings(last)[-1] == "Company 9999"
    assert 'rel="next"' not in last
    assert headings((await web.visitor.get("/?page=999999")).text) == headings(last)
    found = (await web.visitor.get("/?q=company+99&page=2")).text
    assert f"{sum('99' in str(number) for number in range(MANY))} channels" in words(found)
    assert 'rel="next" href="/?q=company+99&amp;page=3"' in found
    assert len(headings(found)) == CHANNELS_A_PAGE


async def test_a_page_asks_the_database_as_often_for_many_channels_as_for_two(web: Website, world: World) -> None:
    await fill(world, CHANNELS_A_PAGE)
    source = await world.source()
    asked: list[str] = []
    event.listen(world.db._reading.sync_engine, "before_cursor_execute", lambda *called: asked.append(called[2]))
    counts = []
    for channels in ((1, 2), tuple(range(1, CHANNELS_A_PAGE + 1))):
        await world.article(source, title=f"For {len(channels)}", channels=channels)
        asked.clear()
        page = (await web.visitor.get("/")).text
        counts.append(len(asked))
    assert page.count("For 48") == CHANNELS_A_PAGE
    assert counts[0] == counts[1] > 0


async def test_search_engines_are_led_to_pages_of_the_directory_and_not_of_a_search(web: Website, world: World) -> None:
    await fill(world, CHANNELS_A_PAGE + 1)
    assert '<link rel="canonical" href="http://127.0.0.1:8000/">' in (await web.visitor.get("/")).text
    second = (await web.visitor.get("/?page=2")).text
    assert '<link rel="canonical" href="http://127.0.0.1:8000/?page=2">' in second
    searched = (await web.visitor.get("/?q=company")).text
    assert '<meta name="robots" content="noindex">' in searched
    assert "canonical" not in searched
