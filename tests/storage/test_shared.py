from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import Database
from alerts.storage.shared import SharedTransactions


async def note(tx: AsyncConnection, number: int) -> int:
    """Write a number into a table that takes each once."""
    await tx.execute(text("INSERT INTO numbers (number) VALUES (:number)"), {"number": number})
    return number


@pytest.fixture
async def shared(db: Database) -> SharedTransactions:
    async with db.transaction() as tx:
        await tx.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    return SharedTransactions(db)


async def numbers(db: Database) -> list[int]:
    async with db.reading() as tx:
        return list((await tx.scalars(text("SELECT number FROM numbers ORDER BY number"))).all())


async def test_each_gets_its_own_answer_and_all_of_it_is_written(db: Database, shared: SharedTransactions) -> None:
    answers = await asyncio.gather(*(shared.write(partial(note, number=number)) for number in range(150)))

    assert answers == await numbers(db) == list(range(150))


async def test_one_that_fails_takes_no_other_along(db: Database, shared: SharedTransactions) -> None:
    written = await asyncio.gather(
        *(shared.write(partial(note, number=number)) for number in (1, 2, 1, 3)), return_exceptions=True
    )

    assert [one for one in written if isinstance(one, int)] == [1, 2, 3]
    assert isinstance(written[2], Exception)
    assert await numbers(db) == [1, 2, 3]


async def test_what_nobody_waits_for_any_more_is_left(db: Database, shared: SharedTransactions) -> None:
    left = asyncio.create_task(shared.write(partial(note, number=1)))
    await asyncio.sleep(0)
    left.cancel()

    assert await shared.write(partial(note, number=2)) == 2

    assert 2 in await numbers(db)
    assert left.cancelled()
