"""The same story from several sources: told once to each person, by whichever source brought it first."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import func, select, update

from alerts.core.model import DeliveryKind, Disposition, FloodDecision
from alerts.services.decide_flood import decide_flood
from alerts.services.explain import explain_article
from alerts.services.fan_out import fan_out, unfinished
from alerts.services.fan_out_digest import fan_out_digest, unfinished_digests
from alerts.services.match import ChannelCache, Matched, match_articles
from alerts.storage import schema, stories
from alerts.storage.articles import article_by_id
from alerts.storage.engine import Database

LEAD = (
    "Xiaomi opened its car plant in the south of Beijing on Monday, ahead of plan, and the line can build a car every "
    "two minutes, the company told reporters."
)
WINDOW = timedelta(hours=48)


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def publish(world: World, source: int, title: str = "Xiaomi opens a plant in Beijing", lead: str = LEAD) -> int:
    key = await world.article(source, title=title)
    async with world.db.transaction() as tx:
        await tx.execute(
            update(schema.articles)
            .where(schema.articles.c.id == key)
            .values(body=lead, summary=[], url=f"https://{source}.example/a", first_seen_at=world.now)
        )
    return key


async def match(world: World, *, window: timedelta | None = WINDOW, limit: int = 50) -> Matched:
    return await match_articles(world.db, now=world.now, cache=ChannelCache(), same_story=window, limit=limit)


async def mailed(world: World) -> list[tuple[int, int]]:
    """Fan everything out; return who is mailed which article."""
    for key in await unfinished(world.db):
        while not (await fan_out(world.db, key, now=world.now)).finished:
            pass
    async with world.db.reading() as tx:
        columns = schema.deliveries.c.subscriber_id, schema.deliveries.c.article_id
        return sorted((one, key) for one, key in await tx.execute(select(*columns)))


async def told(world: World, key: int) -> tuple[Disposition, int | None]:
    async with world.db.reading() as tx:
        article = await article_by_id(tx, key)
    assert article is not None
    return article.disposition, article.same_story_as


async def test_the_first_is_mailed_and_the_copy_is_shown_under_it(world: World) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    first = await publish(world, await world.source())
    copy = await publish(world, await world.source("wire"), f"{'Xiaomi opens a plant in Beijing'} - Wire")

    done = await match(world)

    assert (done.articles, done.matches, done.fan_outs) == (2, 2, (first,))
    assert await told(world, copy) == (Disposition.REPEATED, first)
    assert await mailed(world) == [(alice, first)]
    async with world.db.reading() as tx:
        found = await stories.copies_of(tx, [first], channel)
    assert [one.source_name for one in found[first]] == ["wire"]


@pytest.mark.parametrize(
    ("window", "later", "source"),
    [(None, 0, "wire"), (WINDOW, 49, "wire"), (WINDOW, 1, "seeds")],
    ids=["never", "too late", "its own source"],
)
async def test_out_of_the_window_or_of_one_source_each_is_mailed(
    world: World, window: timedelta | None, later: int, source: str
) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    seeds = await world.source()
    first = await publish(world, seeds)
    await match(world, window=window)
    world.now += timedelta(hours=later)
    second = await publish(
        world, seeds if source == "seeds" else await world.source(source), "Xiaomi opens a plant in Beijing again"[:34]
    )
    await match(world, window=window)

    assert await mailed(world) == [(alice, first), (alice, second)]


async def test_another_story_is_mailed(world: World) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    first = await publish(world, await world.source())
    second = await publish(world, await world.source("wire"), "Xiaomi opens 2 plants", LEAD.replace("two", "three"))
    await match(world)

    assert await mailed(world) == [(alice, first), (alice, second)]


async def test_a_channel_that_only_the_copy_answers_is_mailed_it_but_for_who_has_the_first(world: World) -> None:
    xiaomi, wire = await world.channel(), await world.channel("wire", "source:wire")
    (alice,), (carol,) = await world.readers(1, (xiaomi, wire)), await world.readers(1, (wire,), start=2)
    first = await publish(world, await world.source())
    copy = await publish(world, await world.source("wire"))
    third = await publish(world, await world.source("later"))

    await match(world)

    assert await mailed(world) == [(alice, first), (carol, copy)]
    assert await told(world, copy) == (Disposition.ALERT, first)
    assert await told(world, third) == (Disposition.REPEATED, first)


async def test_what_nobody_was_mailed_covers_nothing(world: World) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    seen = await publish(world, await world.source())
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.articles).where(schema.articles.c.id == seen).values(disposition="seen"))
    copy = await publish(world, await world.source("wire"))
    await match(world)

    assert await mailed(world) == [(alice, copy)]


async def test_who_subscribed_between_the_two_is_not_left_out_of_another_channel(world: World) -> None:
    xiaomi, wire = await world.channel(), await world.channel("wire", "source:wire")
    first = await publish(world, await world.source())
    await match(world)
    world.now += timedelta(hours=1)
    (dave,) = await world.readers(1, (xiaomi, wire))
    copy = await publish(world, await world.source("wire"))
    await match(world)

    assert await mailed(world) == [(dave, copy)]
    assert await told(world, first) == (Disposition.ALERT, None)


async def test_two_sources_at_the_same_time_and_two_who_match_mail_it_once(world: World) -> None:
    channel = await world.channel()
    readers = await world.readers(3, (channel,))
    sources = [await world.source(f"s{number}") for number in range(4)]
    await asyncio.gather(*(publish(world, source) for source in sources))

    await asyncio.gather(*(match(world, limit=limit) for limit in (1, 4, 2, 4)))
    await match(world)

    sent = await mailed(world)
    assert [reader for reader, _ in sent] == readers
    assert len({key for _, key in sent}) == 1


async def test_marks_are_kept_for_the_window_and_no_longer(world: World) -> None:
    await world.channel()
    await publish(world, await world.source())
    await match(world)
    async with world.db.reading() as tx:
        assert (await tx.scalar(select(func.count()).select_from(schema.story_marks)) or 0) > 0
    world.now += timedelta(hours=49)
    await publish(world, await world.source("wire"), "Xiaomi", "")
    await match(world)

    async with world.db.reading() as tx:
        oldest = await tx.scalar(select(func.min(schema.story_marks.c.seen_at)))
    assert oldest == world.now


async def hold(world: World, source: int) -> tuple[int, int]:
    """Publish an article that is held in a flood; return both keys."""
    key = await publish(world, source)
    flood = {"source_id": source, "began_at": world.now, "most": 5}
    async with world.db.transaction() as tx:
        done = await tx.execute(schema.floods.insert().values(flood))
        assert done.inserted_primary_key is not None
        flood_id = int(done.inserted_primary_key[0])
        await tx.execute(
            update(schema.articles).where(schema.articles.c.id == key).values(disposition="held", flood_id=flood_id)
        )
    return key, flood_id


async def decide(world: World, flood_id: int, decision: FloodDecision) -> None:
    world.now += timedelta(minutes=5)
    await decide_flood(world.db, flood_id, decision, now=world.now)


async def why(world: World, key: int) -> str:
    """Ask why reader1 gets no mail of an article."""
    async with world.db.reading() as tx:
        article = await article_by_id(tx, key)
    assert article is not None
    person = (await explain_article(world.db, article, email="reader1@example.org")).person
    assert person is not None
    return person.why


async def digested(world: World) -> list[int]:
    """Fan the digests out; return who gets one."""
    for run_id in await unfinished_digests(world.db):
        while not (await fan_out_digest(world.db, run_id, now=world.now)).finished:
            pass
    query = select(schema.deliveries.c.subscriber_id).where(schema.deliveries.c.kind == DeliveryKind.DIGEST)
    async with world.db.reading() as tx:
        return sorted(await tx.scalars(query))


@pytest.mark.parametrize("decision", [*FloodDecision, None])
async def test_a_held_article_covers_nothing_and_after_its_copy_tells_nobody_again(
    world: World, decision: FloodDecision | None
) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    held, flood_id = await hold(world, await world.source())
    await match(world)
    world.now += timedelta(minutes=5)
    copy = await publish(world, await world.source("wire"))
    await match(world)
    if decision is not None:
        await decide(world, flood_id, decision)

    assert await mailed(world) == [(alice, copy)]
    assert await digested(world) == []
    if decision is FloodDecision.RELEASED:
        assert (
            await why(world, held) == "no mail: another source told its story before, in every channel that it answers"
        )
    async with world.db.reading() as tx:
        found = await stories.copies_of(tx, [copy], channel)
    assert [one.source_name for one in found[copy]] == ["seeds"]
    assert (await told(world, held))[1] is None


@pytest.mark.parametrize("decision", [FloodDecision.DROPPED, FloodDecision.DIGEST])
async def test_what_a_decision_mailed_to_nobody_or_in_a_digest_covers_nothing(
    world: World, decision: FloodDecision
) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    _, flood_id = await hold(world, await world.source())
    await match(world)
    await decide(world, flood_id, decision)
    copy = await publish(world, await world.source("wire"))
    await match(world)

    assert [pair for pair in await mailed(world) if pair[1] is not None] == [(alice, copy)]


async def test_a_released_article_covers_what_comes_later(world: World) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    held, flood_id = await hold(world, await world.source())
    await match(world)
    await decide(world, flood_id, FloodDecision.RELEASED)
    copy = await publish(world, await world.source("wire"))
    await match(world)

    assert await mailed(world) == [(alice, held)]
    assert await told(world, copy) == (Disposition.REPEATED, held)


async def test_a_release_reaches_only_those_whom_no_copy_told_meanwhile(world: World) -> None:
    xiaomi, seeds = await world.channel(), await world.channel("seeds", "source:seeds")
    (alice,) = await world.readers(1, (xiaomi, seeds))
    (carol,) = await world.readers(1, (seeds,), start=2)
    held, flood_id = await hold(world, await world.source())
    await match(world)
    world.now += timedelta(minutes=5)
    copy = await publish(world, await world.source("wire"))
    await match(world)
    await decide(world, flood_id, FloodDecision.RELEASED)

    assert await mailed(world) == [(alice, copy), (carol, held)]


async def test_a_copy_of_what_was_mailed_is_held_and_released_to_nobody_again(world: World) -> None:
    channel = await world.channel()
    (alice,) = await world.readers(1, (channel,))
    first = await publish(world, await world.source("wire"))
    held, flood_id = await hold(world, await world.source())
    await match(world)

    assert await told(world, held) == (Disposition.HELD, first)
    await decide(world, flood_id, FloodDecision.RELEASED)
    assert await mailed(world) == [(alice, first)]
