from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import BigInteger, Boolean, Integer, Text, bindparam, text, update
from sqlalchemy.sql import column, table
from sqlalchemy.sql.expression import Executable

from alerts.storage.engine import Database
from alerts.storage.prepared import Transaction
from alerts.storage.schema import Utc, sources
from alerts.storage.together import Given, Together

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
_things = table(
    "things",
    column("id", BigInteger()),
    column("name", Text()),
    column("is_good", Boolean()),
    column("count", Integer()),
    column("seen_at", Utc()),
)
_TYPES = {"b_id": BigInteger(), "b_name": Text(), "b_is_good": Boolean(), "b_count": Integer(), "b_seen_at": Utc()}


def _set(given: Given) -> Executable:
    columns = ("name", "is_good", "count", "seen_at")
    changed = update(_things).where(_things.c.id == given["b_id"], _things.c.id < bindparam("below", type_=Integer()))
    return changed.values({name: given[f"b_{name}"] for name in columns}).returning(*_things.c)


SET = Together(_set, _TYPES, "below")  # type: ignore[arg-type]  # the types' own type says what they are of


@pytest.fixture
async def things(db: Database) -> Database:
    kind = sources.c.next_poll_at.type.compile(db._writing.dialect)
    async with db.transaction() as tx:
        made = f"CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT, is_good BOOLEAN, count INTEGER, seen_at {kind})"
        await tx.execute(text(made))
        await tx.execute(text("INSERT INTO things (id) VALUES (:id)"), [{"id": number} for number in range(1, 1_001)])
    return db


async def given(db: Database, rows: list[tuple[object, ...]], *, below: int = 10_000, light: bool) -> Sequence[object]:
    """Give rows to the statement, on either of the ways to the database."""

    async def work(tx: Transaction) -> Sequence[object]:
        return sorted(map(tuple, await SET.rows(tx, rows, below)))

    if light:
        return await db.lightly(work)
    async with db.transaction() as tx:
        return await work(tx)


@pytest.mark.parametrize("light", [True, False])
class TestRows:
    async def test_each_row_has_values_of_its_own_and_comes_back_as_it_was_given(
        self, things: Database, light: bool
    ) -> None:
        rows: list[tuple[object, ...]] = [
            (1, 'W/"a\\b"', True, 0, NOON + timedelta(microseconds=123_456)),
            (2, "电动车 🚗 ' ; \n\t {} [1]", False, -5, NOON.astimezone(UTC)),
            (3, None, None, None, None),
            (4, "", True, 2**31 - 1, NOON),
            (2**40, "nobody", True, 1, NOON),
        ]

        assert await given(things, rows, light=light) == rows[:4]

    async def test_the_same_for_all_is_given_once(self, things: Database, light: bool) -> None:
        rows: list[tuple[object, ...]] = [(number, "a", True, 1, NOON) for number in (1, 2, 3)]

        assert await given(things, rows, below=3, light=light) == rows[:2]

    async def test_a_thousand_rows_are_one_statement_and_none_is_none(self, things: Database, light: bool) -> None:
        rows: list[tuple[object, ...]] = [
            (number, f"n{number}", number % 2 == 0, number, NOON) for number in range(1, 1_001)
        ]

        assert await given(things, rows, light=light) == rows
        assert await given(things, [], light=light) == []

    async def test_a_time_without_a_zone_is_refused_and_nothing_is_written(self, things: Database, light: bool) -> None:
        good: tuple[object, ...] = (1, "a", True, 1, NOON)
        with pytest.raises(Exception, match="naive time"):
            await given(things, [good, (2, "b", True, 1, NOON.replace(tzinfo=None))], light=light)

        async with things.reading() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM things WHERE name IS NOT NULL")) == 0
