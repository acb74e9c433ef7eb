from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import func, select

from alerts.services.fan_out import fan_out, unfinished
from alerts.storage.engine import Database
from alerts.storage.schema import deliveries, fan_outs, subscriptions


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def fan_out_all(db: Database, article_id: int, *, now: datetime, size: int) -> int:
    created = 0
    while not (done := await fan_out(db, article_id, now=now, size=size)).finished:
        created += done.created
    return created


async def owed(db: Database) -> list[int]:
    async with db.reading() as tx:
        return list((await tx.scalars(select(deliveries.c.subscriber_id).order_by(deliveries.c.subscriber_id))).all())


async def test_each_subscriber_is_owed_one_mail_however_many_channels_match(world: World) -> None:
    xiaomi, evs = await world.channel("xiaomi"), await world.channel("evs")
    both = await world.readers(7, (xiaomi, evs))
    one = await world.readers(5, (evs,), start=100)
    await world.readers(3, (await world.channel("tesla"),), start=200)
    article = await world.article(await world.source(), channels=(xiaomi, evs))
    assert await fan_out_all(world.db, article, now=world.now, size=4) == 12
    assert await owed(world.db) == both + one
    assert await unfinished(world.db) == []


async def test_a_second_fan_out_from_the_start_owes_nobody_twice(world: World) -> None:
    channel = await world.channel()
    await world.readers(9, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    await fan_out_all(world.db, article, now=world.now, size=2)
    async with world.db.transaction() as tx:
        await tx.execute(fan_outs.update().values(cursor=0, finished_at=None))
    assert await fan_out_all(world.db, article, now=world.now, size=3) == 0
    assert len(await owed(world.db)) == 9


async def test_it_goes_on_where_it_was_broken_off(world: World) -> None:
    channel = await world.channel()
    readers = await world.readers(10, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    assert (await fan_out(world.db, article, now=world.now, size=4)).created == 4
    assert await unfinished(world.db) == [article]
    assert await fan_out_all(world.db, article, now=world.now, size=4) == 6
    assert await owed(world.db) == readers


async def test_a_new_subscription_starts_now_not_with_what_was_matched_before(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    world.now += timedelta(seconds=1)
    await world.readers(2, (channel,))
    assert await fan_out_all(world.db, article, now=world.now, size=10) == 0


@pytest.mark.parametrize(
    "change", [{"state": "ended"}, {"state": "pending"}, {"frequency": "daily"}, {"frequency": "weekly"}]
)
async def test_only_active_immediate_subscriptions_are_owed_a_mail(world: World, change: dict[str, str]) -> None:
    channel = await world.channel()
    first, second = await world.readers(2, (channel,))
    async with world.db.transaction() as tx:
        await tx.execute(subscriptions.update().where(subscriptions.c.subscriber_id == first).values(**change))
    article = await world.article(await world.source(), channels=(channel,))
    await fan_out_all(world.db, article, now=world.now, size=1)
    assert await owed(world.db) == [second]


async def test_an_article_that_nobody_wants_is_finished_at_once(world: World) -> None:
    article = await world.article(await world.source(), channels=(await world.channel(),))
    assert (await fan_out(world.db, article, now=world.now)).finished
    async with world.db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(deliveries)) == 0
