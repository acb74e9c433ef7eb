from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, insert, text

from alerts.storage.engine import Database
from alerts.storage.prepared import Prepared, Transaction
from alerts.storage.shared import SharedTransactions

_numbers = Table("numbers", MetaData(), Column("number", Integer, primary_key=True))
_note = Prepared(insert(_numbers).values(number=bindparam("b_number", type_=Integer())), "b_number")


async def note(tx: Transaction, rows: Sequence[int]) -> list[int]:
    """Write numbers into a table that takes each once."""
    await _note.write(tx, [(number,) for number in rows])
    return list(rows)


async def double(_tx: Transaction, rows: Sequence[int]) -> list[int]:
    """Write nothing."""
    return [2 * number for number in rows]


@pytest.fixture
async def shared(db: Database) -> SharedTransactions:
    async with db.transaction() as tx:
        await tx.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    return SharedTransactions(db)


async def numbers(db: Database) -> list[int]:
    async with db.reading() as tx:
        return list((await tx.scalars(text("SELECT number FROM numbers ORDER BY number"))).all())


async def test_each_gets_its_own_answer_and_all_of_it_is_written(db: Database, shared: SharedTransactions) -> None:
    answers = await asyncio.gather(*(shared.write(note, number) for number in range(300)))

    assert answers == await numbers(db) == list(range(300))


async def test_each_work_gets_its_own_rows(shared: SharedTransactions) -> None:
    works = (note, double) * 3
    answers = await asyncio.gather(*(shared.write(work, number) for number, work in enumerate(works)))

    assert answers == [0, 2, 2, 6, 4, 10]


async def test_one_that_fails_takes_no_other_along(db: Database, shared: SharedTransactions) -> None:
    written = await asyncio.gather(*(shared.write(note, number) for number in (1, 2, 1, 3)), return_exceptions=True)

    assert [one for one in written if isinstance(one, int)] == [1, 2, 3]
    assert isinstance(written[2], Exception)
    assert await numbers(db) == [1, 2, 3]


async def test_what_nobody_waits_for_any_more_is_left(db: Database, shared: SharedTransactions) -> None:
    left = asyncio.create_task(shared.write(note, 1))
    await asyncio.sleep(0)
    left.cancel()

    assert await shared.write(note, 2) == 2

    assert 2 in await numbers(db)
    assert left.cancelled()


@asynccontextmanager
async def in_the_way(db: Database) -> AsyncIterator[None]:
    """Keep whoever writes the number 0 waiting, until the end of the block; SQLite keeps everybody waiting."""
    with pytest.raises(KeyError):
        async with db.transaction() as tx:
            await tx.execute(text("INSERT INTO numbers VALUES (0)"))
            yield
            raise KeyError


async def test_one_who_is_cancelled_in_the_middle_takes_none_of_the_group_along(
    db: Database, shared: SharedTransactions
) -> None:
    async with in_the_way(db):
        writes = [asyncio.create_task(shared.write(note, number)) for number in range(4)]
        await asyncio.sleep(0.1)  # they are all in one transaction now, and it waits
        writes[1].cancel()
        await asyncio.wait([writes[1]])

    assert [await writes[number] for number in (0, 2, 3)] == [0, 2, 3]
    assert writes[1].cancelled()
    assert await numbers(db) == [0, 1, 2, 3]


async def test_what_the_database_refuses_is_told_to_each_and_the_next_are_written(
    db: Database, shared: SharedTransactions
) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE numbers RENAME TO gone"))
    refused = await asyncio.gather(*(shared.write(note, number) for number in range(5)), return_exceptions=True)
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE gone RENAME TO numbers"))

    assert await shared.write(note, 7) == 7

    assert [isinstance(one, Exception) for one in refused] == [True] * 5
    assert await numbers(db) == [7]


async def test_works_side_by_side_are_one_transaction_each_for_all_that_waited(
    db: Database, shared: SharedTransactions
) -> None:
    """What waits while the first is written goes together: three transactions for three hundred rows."""
    groups: list[int] = []

    async def counted(tx: Transaction, rows: Sequence[int]) -> list[int]:
        groups.append(len(rows))
        return await note(tx, rows)

    await asyncio.gather(*(shared.write(counted, number) for number in range(300)))

    assert groups == [128, 128, 44]
    assert len(await numbers(db)) == 300


async def test_closing_waits_until_all_that_waits_is_written(db: Database, shared: SharedTransactions) -> None:
    await shared.close()
    async with in_the_way(db):
        writes = [asyncio.create_task(shared.write(note, number)) for number in range(200)]
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(shared.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
    await closing

    assert await numbers(db) == list(range(200))
    assert await asyncio.gather(*writes) == list(range(200))


async def test_others_have_their_turns_while_many_are_told(shared: SharedTransactions) -> None:
    """A hundred who all go on in one turn of the event loop would keep everybody else waiting."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def write(number: int) -> int:
        await shared.write(double, number)
        return turns

    counting = asyncio.create_task(count())
    told_at = await asyncio.gather(*(write(number) for number in range(128)))
    counting.cancel()

    assert max(told_at.count(turn) for turn in told_at) <= 16
