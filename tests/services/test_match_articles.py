"""Matching: every active channel is asked about every new article, once, and one bad article stops nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from cast import World
from sqlalchemy import select, update

from alerts.core.model import Article
from alerts.services.match import MOST_FAULTS, ChannelCache, Matched, match_articles
from alerts.storage import schema
from alerts.storage.channels import active_channels
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


async def test_queries_are_read_once_and_again_when_they_change(world: World) -> None:
    cache = ChannelCache()
    channel = await world.channel("xiaomi", "nio")
    source = await world.source()
    await world.article(source, title="Xiaomi one")
    assert (await match(world, cache)).matches == 0
    first = cache.presearch
    await world.article(source, title="Xiaomi two")
    await match(world, cache)
    assert cache.presearch is first
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.id == channel).values(query="xiaomi"))
    await world.article(source, title="Xiaomi three")
    assert (await match(world, cache)).matches == 1


async def test_the_last_channel_that_goes_away_is_forgotten(world: World) -> None:
    cache = ChannelCache()
    await world.channel()
    async with world.db.reading() as tx:
        cache.refresh(await active_channels(tx))
    assert cache.queries
    cache.refresh([])
    assert not cache.queries
