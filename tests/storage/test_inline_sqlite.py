import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import bindparam, func, select, update

from alerts.core.errors import DatabaseUnavailableError
from alerts.storage import sqlite
from alerts.storage.engine import Database
from alerts.storage.inline_sqlite import InlineConnection
from alerts.storage.prepared import Prepared, among
from alerts.storage.schema import channels, deliveries


@pytest.fixture
async def inline(sqlite_db: Database) -> AsyncIterator[Database]:
    """Give the ledger of ``sqlite_db`` opened a second time, as a sender does."""
    db = await Database.open(f"sqlite:///{sqlite_db.where}", inline=True)
    yield db
    await db.close()


async def slugs(db: Database) -> list[str]:
    async with db.reading() as tx:
        return list((await tx.scalars(select(channels.c.slug).order_by(channels.c.id))).all())


async def test_what_it_commits_others_see_and_what_it_rolls_back_they_do_not(
    sqlite_db: Database, inline: Database, now: datetime
) -> None:
    await World(inline, now).channel("kept")
    with pytest.raises(KeyError):
        async with inline.transaction() as tx:
            await tx.execute(channels.update().values(slug="lost"))
            raise KeyError
    assert await slugs(sqlite_db) == ["kept"]
    with pytest.raises(DatabaseUnavailableError, match="read-only"):
        async with inline.reading() as tx:
            await tx.execute(channels.update().values(slug="lost"))


async def test_a_writer_that_is_cancelled_leaves_no_transaction_behind(inline: Database, now: datetime) -> None:
    entered = asyncio.Event()

    async def write() -> None:
        async with inline.transaction() as tx:
            await tx.execute(channels.update().values(slug="lost"))
            entered.set()
            await asyncio.sleep(60)

    await World(inline, now).channel("kept")
    writing = asyncio.create_task(write())
    await entered.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await World(inline, now).channel("next")
    assert await slugs(inline) == ["kept", "next"]


async def test_it_gets_in_beside_a_writer_that_hardly_ever_pauses(inline: Database, now: datetime) -> None:
    """SQLite itself would look again only after up to a tenth of a second, and find it taken again."""
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(inline.where, isolation_level=None, timeout=10)) as db:
            while not stop.is_set():
                db.execute("BEGIN IMMEDIATE")
                time.sleep(0.004)
                db.execute("ROLLBACK")
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(20):
            await World(inline, now).channel(f"channel-{number}")
    finally:
        stop.set()
        writer.join()
    assert len(await slugs(inline)) == 20


async def test_a_transaction_for_prepared_statements_commits_rolls_back_and_waits_its_turn(
    sqlite_db: Database, inline: Database, now: datetime
) -> None:
    await World(inline, now).channel("kept")
    rename = Prepared(update(channels).values(slug=bindparam("b_slug")), "b_slug")
    with pytest.raises(KeyError):
        async with inline.prepared() as tx:
            assert await rename.write(tx, [("lost",)]) == 1
            raise KeyError
    assert await slugs(sqlite_db) == ["kept"]
    with closing(sqlite3.connect(inline.where, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.05, other.execute, "ROLLBACK")
        async with inline.prepared() as tx:
            assert await rename.write(tx, [("renamed",)]) == 1
            assert await rename.write(tx, []) == 0
    assert await slugs(sqlite_db) == ["renamed"]


async def test_its_commits_are_on_disk_when_they_return(inline: Database) -> None:
    async with inline.prepared() as tx:
        assert isinstance(tx, InlineConnection)
        assert tx.read("PRAGMA synchronous", ()) == [(2,)]  # FULL
        assert tx.read("PRAGMA journal_mode", ()) == [("wal",)]


async def test_the_loop_goes_on_while_another_process_writes_and_the_wait_has_an_end(
    inline: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    impatient = await Database.open(f"sqlite:///{inline.where}", inline=True)
    turns = 0
    with closing(sqlite3.connect(inline.where, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(World(impatient, now).channel("late"))
        while not waiting.done():
            await asyncio.sleep(0.01)
            turns += 1
        other.execute("ROLLBACK")
    with pytest.raises(DatabaseUnavailableError, match="another process holds it"):
        await waiting
    assert turns >= 5
    await impatient.close()


async def test_a_prepared_statement_writes_what_any_other_would(db: Database, now: datetime) -> None:
    await prepared_as_core(db, now)


async def test_so_it_does_inline(inline: Database, now: datetime) -> None:
    await prepared_as_core(inline, now)


async def prepared_as_core(db: Database, now: datetime) -> None:
    world = World(db, now)
    channel = await world.channel()
    await world.readers(3, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    values = {"kind": "alert", "lane": 1, "article_id": article, "state": "pending", "due_at": now, "dated_at": now}
    async with db.transaction() as tx:
        await tx.execute(deliveries.insert(), [{**values, "subscriber_id": number} for number in (1, 2, 3)])
    change = Prepared(
        update(deliveries)
        .where(deliveries.c.id == bindparam("b_id"), deliveries.c.state == "pending")
        .values(due_at=bindparam("b_due_at"), in_doubt=bindparam("b_in_doubt"), reply=None, relay=bindparam("b_relay")),
        *("b_id", "b_relay", "b_due_at", "b_in_doubt"),
    )
    later = now + timedelta(minutes=5)
    rows = [(number, None, later, True) for number in (1, 2, 99)]
    async with db.transaction() as tx:
        assert await change.write(tx, rows) in {2, -1}
    named = among(deliveries.c.id, "ids")
    columns = (deliveries.c.id, deliveries.c.due_at, deliveries.c.in_doubt, deliveries.c.relay)
    due = Prepared(select(*columns).where(named, deliveries.c.due_at >= bindparam("since")), "since", "ids")
    async with db.reading() as tx:
        assert sorted(await due.rows(tx, later, [1, 3])) == [(1, later, True, None)]
        assert sorted(await due.column(tx, later, {1, 2, 3})) == [1, 2]
        assert await tx.scalar(select(func.count()).where(deliveries.c.in_doubt, deliveries.c.due_at == later)) == 2
