"""Rows of ``relays``: how each does, written by the process that sends and read by ``alerts status``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import insert
from alerts.storage.schema import relays


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRow:
    """A relay's last known state."""

    name: str
    state: str
    reason: str | None
    changed_at: datetime


async def keep_states(tx: AsyncConnection, rows: Sequence[RelayRow]) -> None:
    """Write how the relays do; relays that are no longer configured go."""
    await tx.execute(delete(relays).where(relays.c.name.not_in([row.name for row in rows])))
    for row in rows:
        values = {"state": row.state, "reason": row.reason, "changed_at": row.changed_at}
        statement = insert(tx, relays).values(name=row.name, **values)
        await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


async def relay_states(tx: AsyncConnection) -> list[RelayRow]:
    """List the relays and how they do."""
    rows = (await tx.execute(select(relays).order_by(relays.c.name))).all()
    return [RelayRow(name=row.name, state=row.state, reason=row.reason, changed_at=row.changed_at) for row in rows]
