"""Lines that a source prints under everything are learnt, and match nothing in later articles."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import select, update

from alerts.core.boilerplate import ENOUGH, MOST_OF_SOURCE, WINDOW, line_hash
from alerts.services.articles import matching_slugs
from alerts.services.explain import explain_article
from alerts.services.match import ChannelCache, match_articles
from alerts.services.try_channels import try_query
from alerts.storage import schema
from alerts.storage.articles import article_by_id
from alerts.storage.boilerplate import forget_lines, learn_lines
from alerts.storage.engine import Database
from alerts.storage.matches import matches_of

FOOTER = "Subscribe now: the Wuhan Newsletter every Friday"


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def publish(world: World, source: int, number: int, *, last: str = FOOTER) -> int:
    article = await world.article(source, title=f"Xiaomi news {number}")
    async with world.db.transaction() as tx:
        body = f"Xiaomi does thing {number}.\n\nThis is what it does with {number}.\n\n{last}"
        await tx.execute(update(schema.articles).where(schema.articles.c.id == article).values(body=body))
    await match_articles(world.db, now=world.now, cache=ChannelCache())
    return article


async def matched(world: World, article: int) -> bool:
    async with world.db.reading() as tx:
        return bool(await matches_of(tx, article))


async def counted(world: World, line: str = FOOTER) -> int:
    held = select(schema.boilerplate.c.articles).where(schema.boilerplate.c.line_hash == line_hash(line))
    async with world.db.reading() as tx:
        return await tx.scalar(held) or 0


async def test_a_footer_matches_until_it_is_learnt(world: World) -> None:
    await world.channel("letters", "Newsletter")
    source = await world.source()
    articles = [await publish(world, source, number) for number in range(ENOUGH + 2)]
    assert [await matched(world, one) for one in articles] == [True] * ENOUGH + [False] * 2


async def test_what_one_source_prints_is_news_in_another(world: World) -> None:
    await world.channel("letters", "Newsletter")
    source, other = await world.source(), await world.source("other")
    for number in range(ENOUGH):
        await publish(world, source, number)
    assert await matched(world, await publish(world, other, 1))


async def test_an_article_is_counted_once(world: World) -> None:
    await publish(world, await world.source(), 1)
    await match_articles(world.db, now=world.now, cache=ChannelCache())
    assert await counted(world) == 1


async def test_explaining_and_trying_see_what_matching_saw(world: World) -> None:
    await world.channel("letters", "Newsletter")
    source = await world.source()
    articles = [await publish(world, source, number) for number in range(ENOUGH + 1)]
    async with world.db.reading() as tx:
        article = await article_by_id(tx, articles[-1])
    assert article is not None
    [answer] = (await explain_article(world.db, article)).answers
    assert (answer.matched, answer.why) == (False, "Newsletter not found; 1 line left out as no part of it")
    assert await matching_slugs(world.db, [article]) == [[]]
    assert (await try_query(world.db, "Newsletter", limit=10)).answering == ()


async def test_lines_are_forgotten_after_the_window_and_beyond_the_bound(world: World) -> None:
    source = await world.source()
    await publish(world, source, 1)
    many = [f"{number:032x}" for number in range(MOST_OF_SOURCE + 3)]
    async with world.db.transaction() as tx:
        await learn_lines(tx, source, articles=[many], now=world.now + timedelta(seconds=1))
        await forget_lines(tx, source, now=world.now + timedelta(seconds=1))
    assert await counted(world) == 0
    async with world.db.transaction() as tx:
        await forget_lines(tx, source, now=world.now + WINDOW + timedelta(minutes=1))
        left = (await tx.execute(select(schema.boilerplate.c.articles))).scalars().all()
    assert left == [2]


async def test_articles_that_are_learnt_from_at_once_count_as_one_after_another(world: World) -> None:
    lines = [["a", "b"], ["b"], ["c", "c"], [], ["a", "c"]]
    learnt: list[dict[str, tuple[int, int]]] = []
    for batches in ([lines], [[one] for one in lines], [lines[:2], lines[2:]]):
        source = await world.source(name=f"source-{len(learnt)}")
        async with world.db.transaction() as tx:
            for batch in batches:
                await learn_lines(tx, source, articles=batch, now=world.now)
            mine = select(schema.boilerplate).where(schema.boilerplate.c.source_id == source)
            learnt.append({row.line_hash: (row.articles, row.since) for row in await tx.execute(mine)})

    assert learnt == 3 * [{"": (5, 0), "a": (2, 0), "b": (2, 0), "c": (2, 2)}]
