from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import select

from alerts.services.bring_forward import Brought, bring_forward
from alerts.services.fan_out import fan_out
from alerts.storage.deliveries import next_due_at
from alerts.storage.engine import Database
from alerts.storage.schema import deliveries, sources


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


HOUR = timedelta(hours=1)


async def published(world: World) -> None:
    """Publish to two readers, from a source that was polled a moment ago and is due in five minutes."""
    channel = await world.channel()
    await world.readers(2, (channel,))
    source = await world.source()
    story = await world.article(source, channels=(channel,))
    await fan_out(world.db, story, now=world.now)
    async with world.db.transaction() as tx:
        planned = {"polled_at": world.now, "next_poll_at": world.now + timedelta(minutes=5)}
        await tx.execute(sources.update().values(planned))


async def dates(world: World) -> set[object]:
    async with world.db.reading() as tx:
        return set((await tx.scalars(select(deliveries.c.dated_at))).all())


async def test_what_a_clock_that_ran_ahead_has_planned_is_due_now_and_keeps_its_date(world: World) -> None:
    await published(world)
    dated = await dates(world)
    back = world.now - HOUR
    assert await bring_forward(world.db, now=back) == Brought(polls=1, mails=2, subscriptions=2)
    assert await bring_forward(world.db, now=back) == Brought()
    async with world.db.reading() as tx:
        assert await next_due_at(tx) == back
        assert await tx.scalar(select(sources.c.next_poll_at)) == back
    assert await dates(world) == dated


async def test_what_is_planned_by_a_clock_that_is_right_stays_as_it_is(world: World) -> None:
    """A mail that was deferred and a source that waits are due later, and were dated before."""
    await published(world)
    async with world.db.transaction() as tx:
        await tx.execute(deliveries.update().values(due_at=world.now + HOUR))
    for apart in (timedelta(), timedelta(minutes=4), -timedelta(minutes=4)):
        assert await bring_forward(world.db, now=world.now + apart) == Brought()


async def test_who_subscribed_by_a_clock_that_ran_ahead_misses_nothing(world: World) -> None:
    channel = await world.channel()
    await world.readers(2, (channel,))
    world.now -= HOUR
    await bring_forward(world.db, now=world.now)
    story = await world.article(await world.source(), channels=(channel,))
    assert (await fan_out(world.db, story, now=world.now)).created == 2
