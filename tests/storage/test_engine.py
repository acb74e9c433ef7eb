"""The door to the database: what it promises to those who come in."""

from __future__ import annotations

import pytest
from sqlalchemy import literal, select, text

from alerts.core.errors import DatabaseUnavailableError
from alerts.storage.engine import Database, insert
from alerts.storage.facts import ledger_id
from alerts.storage.prepared import Prepared
from alerts.storage.schema import facts


async def test_a_transaction_that_ends_well_is_kept(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(insert(tx, facts).values(name="colour", value="green"))
    async with db.reading() as tx:
        assert await tx.scalar(select(facts.c.value).where(facts.c.name == "colour")) == "green"


async def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(LookupError):
        async with db.transaction() as tx:
            await tx.execute(insert(tx, facts).values(name="colour", value="green"))
            raise LookupError
    async with db.reading() as tx:
        assert await tx.scalar(select(facts.c.value).where(facts.c.name == "colour")) is None


async def test_reading_cannot_write(db: Database) -> None:
    with pytest.raises(DatabaseUnavailableError):
        async with db.reading() as tx:
            await tx.execute(insert(tx, facts).values(name="colour", value="green"))


async def test_a_conflict_can_be_left_alone(db: Database) -> None:
    async with db.transaction() as tx:
        for value in ("green", "red"):
            statement = insert(tx, facts).values(name="colour", value=value).on_conflict_do_nothing()
            await tx.execute(statement)
    async with db.reading() as tx:
        assert await tx.scalar(select(facts.c.value).where(facts.c.name == "colour")) == "green"


async def test_a_ledger_has_a_name_of_its_own(db: Database) -> None:
    async with db.reading() as tx:
        assert (await ledger_id(tx)).isalnum()


async def test_a_sender_whose_session_the_server_ended_finds_the_database_away_and_then_back(
    postgresql_ledger_url: str,
) -> None:
    db = await Database.open(postgresql_ledger_url, inline=True)
    asked = Prepared(select(literal(1)))
    with pytest.raises(DatabaseUnavailableError):
        async with db.prepared() as quick:
            assert await asked.column(quick) == [1]
            async with db.transaction() as tx:
                others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
                await tx.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
            await asked.column(quick)
    async with db.prepared() as quick:
        assert await asked.column(quick) == [1]
    await db.close()
