"""Facts about this database: made at its first open, and but for ``usable_from`` never changed."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import __version__
from alerts.core.errors import DatabaseCorruptError
from alerts.storage.schema import facts

USABLE_FROM = "usable_from"  # the oldest schema whose versions may work with this database


async def ledger_id(tx: AsyncConnection) -> str:
    """Return the random name of this ledger: lower-case letters and digits, fit for a Message-ID."""
    found: str | None = await tx.scalar(select(facts.c.value).where(facts.c.name == "ledger_id"))
    if found is None:
        raise DatabaseCorruptError("the database has lost its ledger_id; restore a backup")
    return found


def make_facts(connection: Connection) -> None:
    """Write the facts that are missing; called under the lock that migrations hold."""
    known = set(connection.scalars(select(facts.c.name)))
    for name, value in (("ledger_id", secrets.token_hex(8)), ("created_by", __version__)):
        if name not in known:
            connection.execute(insert(facts).values(name=name, value=value))


def keep_fact(connection: Connection, name: str, value: str) -> None:
    """Write a fact in place of what it was."""
    connection.execute(delete(facts).where(facts.c.name == name))
    connection.execute(insert(facts).values(name=name, value=value))
