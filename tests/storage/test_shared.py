from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
