"""A channel's page: the box, what the channel is, how many mails it makes, and what others make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import html5lib
import pytest
from cast import World
from sqlalchemy import update
from website import Website, website

from alerts.storage import schema
from alerts.storage.engine import Database

HOSTILE = "\"><script>alert(1)</script>\u202egpj.exe'&lt; 小米"


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


@pytest.fixture
def world(web: Website, now: datetime) -> World:
    return World(web.app.db, now)


async def page_of(web: Website, path: str, status: int = 200) -> Any:
    answer = await web.visitor.get(path)
    assert answer.status_code == status
    return html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(answer.text)


def words(tree: Any) -> str:
    return " ".join("".join(tree.itertext()).split())


async def change(world: World, slug: str, **values: object) -> None:
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.slug == slug).values(**values))


async def publish(world: World, channel: int, source: int, **values: object) -> None:
    article = await world.article(source, title=f"Story {values}", channels=(channel,))
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.articles).where(schema.articles.c.id == article).values(**values))


async def test_the_box_has_one_field_its_channel_ticked_and_a_few_more_to_tick(web: Website, world: World) -> None:
    for slug in ("xiaomi", "tesla", "byd", "nio", "xpeng", "zeekr", "volvo", "polestar", "smart"):
        await world.channel(slug)
    page = await page_of(web, "/c/tesla")
    (box,) = page.findall(".//section[@class='box']")
    assert "Tesla News Alert" in words(box)
    assert "notifications immediately when new articles about Tesla are published." in words(box)
    form = box.find("form")
    assert (form.get("action"), form.get("method")) == ("/subscribe", "post")
    (field,) = form.findall(".//input[@name='email']")
    assert (field.get("type"), field.get("autocomplete"), field.get("inputmode")) == ("email", "email", "email")
    assert words(form.find(f".//label[@for='{field.get('id')}']")) == "Email address"
    ticks = [(one.get("value"), one.get("checked") is not None) for one in form.findall(".//input[@type='checkbox']")]
    assert ticks[0] == ("tesla", True)
    assert [ticked for _, ticked in ticks[1:]] == [False] * 6
    assert "tesla" not in [slug for slug, _ in ticks[1:]]
    assert {one.get("value") for one in form.findall(".//details//input")} == {slug for slug, _ in ticks[1:]}
    assert [words(one) for one in box.findall(".//a[@href='/']")] == ["View more channels"]


async def test_a_lone_channel_offers_no_more(web: Website, world: World) -> None:
    await world.channel()
    assert (await page_of(web, "/c/xiaomi")).findall(".//section[@class='box']//details") == []


async def test_a_closed_channel_has_no_box_and_is_in_none(web: Website, world: World) -> None:
    await world.channel()
    await world.channel("tesla")
    await change(world, "tesla", state="retired")
    closed = await page_of(web, "/c/tesla")
    assert closed.findall(".//form") == []
    assert "This channel is closed" in words(closed)
    assert closed.findall(".//link[@type='application/rss+xml']") != []
    assert (await page_of(web, "/c/xiaomi")).findall(".//input[@value='tesla']") == []


async def test_it_says_how_many_mails_it_makes_by_its_own_history(web: Website, world: World, now: datetime) -> None:
    channel, source = await world.channel(), await world.source()
    assert "too new to say how often" in words(await page_of(web, "/c/xiaomi"))
    await change(world, "xiaomi", created_at=now - timedelta(days=10))
    assert "none in the last 30 days" in words(await page_of(web, "/c/xiaomi"))
    await publish(world, channel, source, first_seen_at=now - timedelta(days=2))
    assert "about 3 mails a month" in words(await page_of(web, "/c/xiaomi"))
    await change(world, "xiaomi", created_at=now - timedelta(days=90))
    assert "about 1 mail a month" in words(await page_of(web, "/c/xiaomi"))
    # Old, and old when it came: neither is a mail of this month.
    await publish(world, channel, source, first_seen_at=now - timedelta(days=31))
    await publish(world, channel, source, disposition="seen", published_at=now - timedelta(days=200))
    await publish(world, channel, source, disposition="seen")
    assert "about 1 mail a month" in words(await page_of(web, "/c/xiaomi"))


async def test_what_was_there_before_the_channel_tells_how_often_something_appears(
    web: Website, world: World, now: datetime
) -> None:
    channel, source = await world.channel(), await world.source()
    for days in (1, 5, 9, 20):
        await publish(world, channel, source, disposition="seen", published_at=now - timedelta(days=days))
    for moment in (now + timedelta(seconds=1), now):  # rows and their index entries lie where the database likes
        async with world.db.transaction() as tx:
            await tx.execute(update(schema.articles).where(schema.articles.c.id < 3).values(first_seen_at=moment))
    assert "about 6 mails a month" in words(await page_of(web, "/c/xiaomi"))


async def test_others_find_its_name_its_address_and_its_feeds(web: Website, world: World) -> None:
    channel, source = await world.channel(), await world.source()
    for number in range(25):
        await world.article(source, title=f"Story {number}", channels=(channel,))
    for path in ("/c/xiaomi", "/c/xiaomi?before=9"):
        page = await page_of(web, path)
        head = {one.get("property"): one.get("content") for one in page.findall(".//meta[@property]")}
        assert head == {
            "og:title": "Xiaomi News Alert",
            "og:description": "Subscribe to receive email notifications immediately when new articles about "
            "Xiaomi are published.",
            "og:url": "http://127.0.0.1:8000/c/xiaomi",
            "og:site_name": "EV Daily",
            "og:type": "website",
        }
        (canonical,) = page.findall(".//link[@rel='canonical']")
        assert canonical.get("href") == "http://127.0.0.1:8000/c/xiaomi"
        feeds = [(one.get("type"), one.get("href")) for one in page.findall(".//link[@rel='alternate']")]
        assert feeds == [
            ("application/rss+xml", "http://127.0.0.1:8000/c/xiaomi/feed.rss"),
            ("application/atom+xml", "http://127.0.0.1:8000/c/xiaomi/feed.atom"),
            ("application/feed+json", "http://127.0.0.1:8000/c/xiaomi/feed.json"),
        ]
        for kind in ("rss", "atom", "json"):
            assert page.findall(f".//a[@href='/c/xiaomi/feed.{kind}']") != []


async def test_a_story_that_others_tell_too_stands_once_with_their_names(web: Website, world: World) -> None:
    channel = await world.channel()
    first = await world.article(await world.source(), channels=(channel,))
    names = {"wire": "https://wire.example/a", "paper": None, HOSTILE: "javascript:alert(1)"}
    for name, url in names.items():
        copy = await world.article(await world.source(name))
        row = {"article_id": copy, "channel_id": channel, "first_id": first}
        async with world.db.transaction() as tx:
            await tx.execute(update(schema.articles).where(schema.articles.c.id == copy).values(url=url))
            await tx.execute(schema.repeats.insert().values(row))

    (story,) = (await page_of(web, "/c/xiaomi")).findall(".//ol[@class='articles']/li")

    (also,) = story.findall(".//p[@class='also']")
    assert words(also) == f"Also at wire, paper, {' '.join(HOSTILE.split())}"
    assert [one.get("href") for one in also.findall(".//a")] == ["https://wire.example/a"]


async def test_a_hostile_name_stays_a_name_in_the_box_and_in_the_head(web: Website, world: World) -> None:
    await world.channel()
    await world.channel("tesla")
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.channels).values(name=HOSTILE))
    for path in ("/c/xiaomi", "/embed/xiaomi"):
        page = await page_of(web, path)
        assert [one.get("src") for one in page.iter("script") if "frame.js" not in (one.get("src") or "")] == []
        assert f"{HOSTILE} News Alert" in words(page)
        assert page.findall(".//section[@class='box']//bdi") != []


async def test_an_unknown_channel_is_404_with_a_search_for_what_was_meant(web: Website, world: World) -> None:
    await world.channel()
    page = await page_of(web, "/c/li-auto", status=404)
    assert "There is no channel at this address" in words(page)
    (field,) = page.findall(".//input[@name='q']")
    assert field.get("value") == "li auto"
    assert page.findall(".//a[@href='/']") != []
