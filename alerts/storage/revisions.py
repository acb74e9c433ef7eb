"""How often things changed that every node keeps in memory: one look at a row or two tells that nothing did."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import insert
from alerts.storage.schema import revisions


class Counted(StrEnum):
    """What is counted."""

    CHANNELS = "channels"
    ALIASES = "aliases"


async def current_revisions(tx: AsyncConnection) -> dict[Counted, int]:
    """Return the revision of each; 0 for what never changed."""
    found = {row.name: row.value for row in await tx.execute(select(revisions))}
    return {one: found.get(one.value, 0) for one in Counted}


async def next_revision(tx: AsyncConnection, counted: Counted) -> int:
    """Count a change and return its number; others who change the same wait until this transaction ends.

    So the order of numbers is that in which the changes can be seen: whoever has seen one has seen all below it. Ask
    for it before the rows that change are touched, or two transactions may wait for each other.
    """
    statement = (
        insert(tx, revisions)
        .values(name=counted.value, value=1)
        .on_conflict_do_update(index_elements=["name"], set_={"value": revisions.c.value + 1})
        .returning(revisions.c.value)
    )
    value: int = (await tx.execute(statement)).scalar_one()
    return value
