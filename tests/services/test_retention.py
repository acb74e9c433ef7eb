from collections import Counter
from datetime import date, datetime, timedelta

import psycopg
import pytest
from cast import World
from sqlalchemy import func, select, text, update

from alerts.core.leaving import read_leaving
from alerts.core.model import DeliveryState
from alerts.core.tokens import Purpose, sign
from alerts.services.deliveries import count_by_article
from alerts.services.explain import explain_article
from alerts.services.fan_out import fan_out
from alerts.services.retention import Retained, retain
from alerts.services.status import read_status
from alerts.services.unsubscribe import unsubscribe_by_mail
from alerts.storage import schema
from alerts.storage.articles import article_by_id
from alerts.storage.delivery_counts import old_ids
from alerts.storage.engine import Database
from alerts.storage.owed import owe_confirmation
from alerts.storage.schema import confirmations, deliveries, delivery_counts
from alerts.storage.secrets import load_secrets

MONTH = timedelta(days=30)


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def publish(world: World, channel: int, title: str) -> int:
    """Publish an article and owe it to all readers."""
    article = await world.article(await world.source(title), title=title, channels=(channel,))
    while not (await fan_out(world.db, article, now=world.now)).finished:
        pass
    return article


async def end(world: World, state: str, **only: int) -> None:
    """End the pending deliveries (of one subscriber, of one article) now."""
    statement = update(deliveries).where(deliveries.c.state == "pending")
    for name, value in only.items():
        statement = statement.where(deliveries.c[name] == value)
    async with world.db.transaction() as tx:
        await tx.execute(statement.values(state=state, finished_at=world.now))


async def rows(db: Database, table: str) -> int:
    async with db.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(schema.metadata.tables[table])) or 0


async def test_what_was_finished_long_ago_becomes_counts_by_article_state_and_day(world: World) -> None:
    channel = await world.channel()
    readers = await world.readers(6, (channel,))
    first, second = await publish(world, channel, "one"), await publish(world, channel, "two")
    await end(world, "failed", article_id=first, subscriber_id=readers[0])
    await end(world, "sent", article_id=first)
    world.now += timedelta(days=1)
    await end(world, "cancelled", article_id=second, subscriber_id=readers[1])
    await end(world, "sent", article_id=second)
    done = await retain(world.db, keep=MONTH, now=world.now + MONTH + timedelta(seconds=1), size=5)
    assert done == Retained(deliveries=12, confirmations=0, more=False)
    assert await rows(world.db, "deliveries") == 0
    async with world.db.reading() as tx:
        counted = (await tx.execute(select(delivery_counts).order_by(*delivery_counts.primary_key))).all()
    assert [tuple(row) for row in counted] == [
        ("alert", first, "failed", date(2026, 1, 5), 1),
        ("alert", first, "sent", date(2026, 1, 5), 5),
        ("alert", second, "cancelled", date(2026, 1, 6), 1),
        ("alert", second, "sent", date(2026, 1, 6), 5),
    ]


async def test_what_is_young_or_not_finished_stays(world: World) -> None:
    channel = await world.channel()
    await world.readers(3, (channel,))
    old, waiting, young = [await publish(world, channel, title) for title in ("old", "waiting", "young")]
    await end(world, "sent", article_id=old)
    world.now += timedelta(days=2)
    await end(world, "sent", article_id=young)
    assert (await retain(world.db, keep=MONTH, now=world.now + MONTH)).deliveries == 3
    async with world.db.reading() as tx:
        left = Counter((await tx.scalars(select(deliveries.c.article_id))).all())
    assert left == {waiting: 3, young: 3}


async def test_null_keeps_everything(world: World) -> None:
    channel = await world.channel()
    await world.readers(3, (channel,))
    await publish(world, channel, "one")
    await end(world, "sent")
    done = await retain(world.db, keep=None, now=world.now + timedelta(days=3650))
    assert done == Retained(deliveries=0, confirmations=0, more=False)
    assert await rows(world.db, "deliveries") == 3


async def test_a_call_is_bounded_and_says_that_there_is_more(world: World) -> None:
    channel = await world.channel()
    await world.readers(10, (channel,))
    article = await publish(world, channel, "one")
    await end(world, "sent")
    later = world.now + 2 * MONTH
    steps = [await retain(world.db, keep=MONTH, now=later, size=2, batches=2) for _ in range(3)]
    assert [(one.deliveries, one.more) for one in steps] == [(4, True), (4, True), (2, False)]
    (found,) = await count_by_article(world.db, limit=9)
    assert (found.article_id, found.counts[DeliveryState.SENT]) == (article, 10)


async def test_the_numbers_that_an_operator_sees_do_not_change(world: World) -> None:
    channel = await world.channel()
    readers = await world.readers(5, (channel,))
    await publish(world, channel, "one")
    await end(world, "expired", subscriber_id=readers[0])
    await end(world, "sent")
    world.now += 2 * MONTH
    await publish(world, channel, "two")

    async def seen() -> tuple[object, object]:
        status = await read_status(world.db, now=world.now, configured=[])
        return status.deliveries, await count_by_article(world.db, limit=9)

    before = await seen()
    assert (await retain(world.db, keep=MONTH, now=world.now)).deliveries == 5
    assert await seen() == before


async def test_a_fan_out_that_is_over_owes_nobody_again(world: World) -> None:
    channel = await world.channel()
    await world.readers(4, (channel,))
    article = await publish(world, channel, "one")
    await end(world, "sent")
    await retain(world.db, keep=MONTH, now=world.now + 2 * MONTH)
    assert (await fan_out(world.db, article, now=world.now + 2 * MONTH)).created == 0
    assert await rows(world.db, "deliveries") == 0


async def test_one_click_of_a_mail_whose_row_is_gone_still_unsubscribes(world: World) -> None:
    xiaomi, tesla = await world.channel("xiaomi"), await world.channel("tesla")
    (alice,) = await world.readers(1, (xiaomi, tesla))
    article = await publish(world, xiaomi, "one")
    await end(world, "sent")
    async with world.db.reading() as tx:
        secrets = await load_secrets(tx)
    token = sign(Purpose.UNSUBSCRIBE, alice, article, secrets)
    await retain(world.db, keep=MONTH, now=world.now + 2 * MONTH)
    await unsubscribe_by_mail(world.db, mail=read_leaving(token, secrets), now=world.now + 2 * MONTH)
    async with world.db.reading() as tx:
        held = (await tx.execute(select(schema.subscriptions.c.channel_id, schema.subscriptions.c.state))).all()
    assert dict(held) == {xiaomi: "ended", tesla: "active"}, "the channel that the mail named, and no other"


async def test_explain_says_that_it_no_longer_knows_rather_than_that_none_was_sent(world: World) -> None:
    channel = await world.channel()
    await world.readers(1, (channel,))
    key = await publish(world, channel, "Xiaomi")
    await end(world, "sent")

    async def why() -> str:
        async with world.db.reading() as tx:
            article = await article_by_id(tx, key)
        assert article is not None
        person = (await explain_article(world.db, article, email="reader1@example.org")).person
        assert person is not None
        return person.why

    assert "is sent" in await why()
    await retain(world.db, keep=MONTH, now=world.now + 2 * MONTH)
    assert "only counted" in await why()


async def test_confirmed_requests_and_their_mails_go_as_well(world: World) -> None:
    (alice,) = await world.readers(1, (await world.channel(),))
    for number, confirmed_at in enumerate([world.now, None]):
        row = {
            "subscriber_id": alice,
            "channel_ids": [],
            "salt": b"s",
            "token_hash": str(number),
            "created_at": world.now,
            "expires_at": world.now,
            "confirmed_at": confirmed_at,
        }
        async with world.db.transaction() as tx:
            asked = await tx.scalar(confirmations.insert().values(row).returning(confirmations.c.id))
            await owe_confirmation(tx, subscriber_id=alice, confirmation_id=asked or 0, now=world.now)
    await end(world, "sent")
    done = await retain(world.db, keep=MONTH, now=world.now + 2 * MONTH)
    assert done == Retained(deliveries=2, confirmations=1, more=False)
    async with world.db.reading() as tx:
        assert (await tx.execute(select(delivery_counts))).all() == [
            ("confirmation", 0, "sent", world.now.date(), 2),
        ]
    assert await rows(world.db, "confirmations") == 1, "the open one has its own end"


async def test_the_size_of_a_ledger_follows_its_readers_not_its_age(world: World) -> None:
    channel = await world.channel()
    await world.readers(500, (channel,))
    sizes = []
    for day in range(24):
        await publish(world, channel, f"article {day}")
        await end(world, "sent")
        world.now += timedelta(days=1)
        await retain(world.db, keep=timedelta(days=4), now=world.now)
        sizes.append(await size_of(world.db))
    grown = sizes[-1] - sizes[7]
    assert await rows(world.db, "deliveries") == 4 * 500
    assert grown <= 0.04 * sizes[7], f"{grown} octets for 16 articles to 500 readers: {sizes}"


async def size_of(db: Database) -> int:
    """Measure the ledger without what a checkpoint would take back."""
    if db.dialect == "sqlite":
        async with db.reading() as tx:
            return int((await tx.execute(text("PRAGMA page_count"))).scalar_one()) * 4096
    async with await psycopg.AsyncConnection.connect(db.where, autocommit=True) as server:
        await server.execute("VACUUM deliveries")  # as autovacuum would, which the tests' server leaves out
        found = await (await server.execute("SELECT pg_total_relation_size('deliveries')")).fetchone()
    assert found is not None
    return int(found[0])


async def test_what_is_old_is_found_on_an_index(sqlite_db: Database, now: datetime) -> None:
    async with sqlite_db.reading() as tx:
        asked = old_ids(finished_before=now, limit=10)
        statement = asked.compile(tx.sync_engine, compile_kwargs={"literal_binds": True})
        plan = str((await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")).all())
    assert "ix_deliveries_finished_at" in plan
    assert "TEMP B-TREE" not in plan
