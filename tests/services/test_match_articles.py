"""Matching: every active channel is asked about every new article, once, and one bad article stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from cast import World
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article
from alerts.core.query import QueryTable
from alerts.core.query import percolator as percolator_module
from alerts.services.channels import add_channel, edit_channel
from alerts.services.match import MOST_FAULTS, ChannelCache, Matched, match_articles
from alerts.services.match import cache as cache_module
from alerts.storage import schema
from alerts.storage.aliases import replace_aliases
from alerts.storage.channels import (
    ChangedChannel,
    Origin,
    Place,
    changed_channels,
    declare_channel,
    retire_missing,
)
from alerts.storage.engine import Database
from alerts.storage.matches import Match, matches_of


class Poisoned(ChannelCache):
    """Channels that fail on one article."""

    poison = "Poison"

    def ask(self, article: Article) -> list[Match]:
        if self.poison in article.item.title:
            raise RuntimeError("the matcher broke\nbadly")
        return super().ask(article)


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def match(world: World, cache: ChannelCache | None = None, *, limit: int = 50) -> Matched:
    return await match_articles(world.db, now=world.now, cache=cache or ChannelCache(), limit=limit)


async def matched_channels(world: World, article_id: int) -> list[int]:
    async with world.db.reading() as tx:
        return sorted(it.channel_id for it in await matches_of(tx, article_id))


async def test_an_article_is_matched_by_the_channels_that_it_answers(world: World) -> None:
    xiaomi, wuhan = await world.channel(), await world.channel("wuhan", "wuhan OR plant")
    await world.channel("tesla", "about:Tesla")
    article = await world.article(await world.source())
    done = await match(world)
    assert (done.articles, done.matches, done.fan_outs, done.more) == (1, 2, (article,), False)
    assert await matched_channels(world, article) == [xiaomi, wuhan]


async def test_a_second_run_finds_nothing_to_do(world: World) -> None:
    await world.channel()
    await world.article(await world.source())
    await match(world)
    again = await match(world)
    assert (again.articles, again.matches, again.fan_outs, again.more) == (0, 0, (), False)


async def test_two_runs_at_once_match_an_article_once(world: World) -> None:
    channel = await world.channel()
    articles = [await world.article(await world.source(), title=f"Xiaomi {number}") for number in range(1)]
    both = await asyncio.gather(match(world), match(world))
    assert sum(done.articles for done in both) == 1
    assert sum(done.matches for done in both) == 1
    assert await matched_channels(world, articles[0]) == [channel]


async def test_more_than_a_batch_is_told(world: World) -> None:
    await world.channel()
    source = await world.source()
    for number in range(5):
        await world.article(source, title=f"Xiaomi {number}")
    runs = [await match(world, limit=2) for _ in range(3)]
    assert [(done.articles, done.more) for done in runs] == [(2, True), (2, True), (1, False)]


async def test_a_poisoned_article_is_set_aside_after_three_tries_and_the_others_go_on(world: World) -> None:
    channel = await world.channel()
    source = await world.source()
    bad = await world.article(source, title="Poison Xiaomi")
    good = await world.article(source, title="Xiaomi cures")
    runs = [await match(world, Poisoned()) for _ in range(MOST_FAULTS)]
    assert runs[0].faults == ((bad, "matching failed: RuntimeError: the matcher broke badly"),)
    assert [done.set_aside for done in runs] == [(), (), (bad,)]
    assert [done.more for done in runs] == [True, True, False]
    assert await matched_channels(world, good) == [channel]
    async with world.db.reading() as tx:
        row = (await tx.execute(select(schema.articles).where(schema.articles.c.id == bad))).one()
    assert (row.match_faults, row.set_aside, row.matched_at) == (3, runs[0].faults[0][1], None)
    assert (await match(world)).articles == 0


async def test_a_channel_that_cannot_be_read_is_named_and_the_others_match(world: World) -> None:
    xiaomi = await world.channel()
    await world.channel("broken", "(((")
    article = await world.article(await world.source())
    done = await match(world)
    assert [slug for slug, _ in done.unreadable] == ["broken"]
    assert await matched_channels(world, article) == [xiaomi]


async def test_a_retired_channel_matches_nothing(world: World) -> None:
    channel = await world.channel()
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.id == channel).values(state="retired"))
    await world.article(await world.source())
    assert (await match(world)).matches == 0


async def change(world: World, slug: str, query: str) -> None:
    async with world.db.transaction() as tx:
        await declare_channel(tx, slug=slug, name=slug, query=query, origin=Origin.CONFIG, position=0, now=world.now)


async def alias(world: World, **names: list[str]) -> None:
    async with world.db.transaction() as tx:
        await replace_aliases(tx, names)


async def matches_of_new(world: World, cache: ChannelCache, title: str) -> int:
    await world.article(await source_of(world), title=title)
    return (await match(world, cache)).matches


async def source_of(world: World) -> int:
    async with world.db.reading() as tx:
        found: int | None = await tx.scalar(select(schema.sources.c.id))
    return await world.source() if found is None else found


async def test_a_channel_that_comes_changes_or_goes_counts_from_the_next_article_on(world: World) -> None:
    cache = ChannelCache()
    await world.channel("byd", "byd")
    assert await matches_of_new(world, cache, "Xiaomi 1") == 0
    await world.channel("xiaomi", "nio")
    assert await matches_of_new(world, cache, "Xiaomi 2") == 0
    await change(world, "xiaomi", "xiaomi")
    assert await matches_of_new(world, cache, "Xiaomi 3") == 1
    await change(world, "xiaomi", "((")
    await world.article(await source_of(world), title="Xiaomi 4")
    done = await match(world, cache)
    assert (done.matches, [slug for slug, _ in done.unreadable]) == (0, ["xiaomi"])
    await change(world, "xiaomi", "xiaomi")
    await world.article(await source_of(world), title="Xiaomi 5")
    done = await match(world, cache)
    assert (done.matches, done.unreadable) == (1, ())
    async with world.db.transaction() as tx:
        await retire_missing(tx, origin=Origin.CONFIG, declared=["byd"], now=world.now)
    assert await matches_of_new(world, cache, "Xiaomi 6") == 0


async def test_a_channel_edited_by_hand_counts_from_the_next_article_on(world: World) -> None:
    cache = ChannelCache()
    known = await add_channel(world.db, slug="cars", name="Cars", query="nio", now=world.now)
    assert await matches_of_new(world, cache, "Xiaomi 1") == 0
    await edit_channel(world.db, known, name="Cars", query="xiaomi", now=world.now)
    assert await matches_of_new(world, cache, "Xiaomi 2") == 1


async def test_nothing_is_read_while_no_channel_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    async def counted(tx: AsyncConnection, *, after: Place, until: int, limit: int) -> list[ChangedChannel]:
        found = await changed_channels(tx, after=after, until=until, limit=limit)
        reads.append(len(found))
        return found

    monkeypatch.setattr(cache_module, "changed_channels", counted)
    monkeypatch.setattr(cache_module, "_PAGE", 2)
    cache = ChannelCache()
    for number in range(3):
        await world.channel(f"xiaomi-{number}", "xiaomi")
    assert await matches_of_new(world, cache, "Xiaomi 1") == 3
    assert reads == [2, 1, 0]
    before = cache.percolator
    assert await matches_of_new(world, cache, "Xiaomi 2") == 3
    assert reads == [2, 1, 0]
    assert cache.percolator is before
    await change(world, "xiaomi-1", "nio")
    assert await matches_of_new(world, cache, "Xiaomi 3") == 2
    assert reads == [2, 1, 0, 1, 0]


async def test_a_channel_that_changes_while_all_are_read_is_asked_as_it_is_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await world.channel(f"x{number}", "nio")
    edited: list[str] = []

    async def meanwhile(tx: AsyncConnection, *, after: Place, until: int, limit: int) -> list[ChangedChannel]:
        found = await changed_channels(tx, after=after, until=until, limit=limit)
        if after.revision > 0 and not edited:  # x0 was read, x3 is still to come
            edited.extend(("x0", "x3"))
            await asyncio.gather(*(asyncio.create_task(change(world, slug, "xiaomi")) for slug in edited))
        return found

    monkeypatch.setattr(cache_module, "changed_channels", meanwhile)
    monkeypatch.setattr(cache_module, "_PAGE", 1)
    cache = ChannelCache()
    assert await matches_of_new(world, cache, "Xiaomi") == 2
    assert await matches_of_new(world, cache, "NIO") == 2


async def test_others_have_their_turn_while_all_channels_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    read: list[tuple[int, int]] = []

    class Watched(ChannelCache):
        def _read_some(self, some: Sequence[ChangedChannel], table: QueryTable) -> None:
            read.append((turns, len(some)))
            super()._read_some(some, table)

    monkeypatch.setattr(cache_module, "_TURN", 2)
    for number in range(7):
        await world.channel(f"x{number}", "nio")
    await world.article(await world.source(), title="NIO")
    reading = asyncio.create_task(match(world, Watched()))
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await reading).matches == 7
    assert [some for _, some in read] == [2, 2, 2, 1]
    assert len({turn for turn, _ in read}) == 4


async def test_a_new_base_takes_over_while_channels_go_on_changing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(percolator_module, "SMALLEST_GROWN", 1)
    cache = ChannelCache()
    for number in range(4):
        await world.channel(f"x{number}", "xiaomi")
    assert await matches_of_new(world, cache, "Xiaomi 0") == 4
    expected = 4
    for number in range(4):
        await change(world, f"x{number}", "nio")
        expected -= 1
        assert await matches_of_new(world, cache, f"Xiaomi {number + 1}") == expected
        await asyncio.sleep(0.01)
    while cache.percolator.has_grown or cache.is_rebuilding:
        await cache.refresh(world.db)
        await asyncio.sleep(0.001)
    assert len(cache.percolator.delta.table) <= 1
    assert await matches_of_new(world, cache, "NIO and Xiaomi") == 4


async def test_changed_aliases_reach_the_channels_that_write_their_name(world: World) -> None:
    cache = ChannelCache()
    await world.channel("xiaomi", "title:Xiaomi")
    await world.channel("byd", "byd")
    assert await matches_of_new(world, cache, "小米 1") == 0
    await alias(world, Xiaomi=["小米"])
    before = cache.percolator
    assert await matches_of_new(world, cache, "小米 2") == 1
    assert len(cache.percolator.delta.table) == 1
    assert cache.percolator.base is before.base
    await alias(world, Xiaomi=["シャオミ"])
    assert await matches_of_new(world, cache, "小米 3") == 0
    assert await matches_of_new(world, cache, "シャオミ 4") == 1
    await alias(world, BYD=["比亚迪"])
    assert await matches_of_new(world, cache, "比亚迪 5") == 1
    assert await matches_of_new(world, cache, "シャオミ 6") == 0


async def test_aliases_are_there_before_the_first_channel_is_read(world: World) -> None:
    await alias(world, Xiaomi=["小米"])
    await world.channel("xiaomi", "title:Xiaomi")
    assert await matches_of_new(world, ChannelCache(), "小米 1") == 1
