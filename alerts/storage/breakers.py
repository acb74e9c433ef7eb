"""Rows of ``breakers``: the recipient domains that refuse us, shared by all who send and read by ``alerts status``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.domains import Breaker, BreakerState
from alerts.storage.engine import insert
from alerts.storage.schema import breakers

_VALUES = ("state", "reason", "opened_at", "probe_at", "times")


async def shut_breakers(tx: AsyncConnection) -> dict[str, Breaker]:
    """Find the breakers that are not closed, by domain."""
    rows = (await tx.execute(select(breakers).order_by(breakers.c.domain))).all()
    return {
        row.domain: Breaker(
            domain=row.domain,
            state=BreakerState(row.state),
            reason=row.reason,
            opened_at=row.opened_at,
            probe_at=row.probe_at,
            times=row.times,
        )
        for row in rows
    }


async def keep_breakers(tx: AsyncConnection, changed: Mapping[str, Breaker | None]) -> None:
    """Write breakers as they are now; None: closed, so its row goes."""
    for domain, breaker in sorted(changed.items()):  # in one order, so that two senders never wait for each other
        if breaker is None:
            await tx.execute(delete(breakers).where(breakers.c.domain == domain))
            continue
        values = {name: getattr(breaker, name) for name in _VALUES}
        statement = insert(tx, breakers).values(domain=domain, **values)
        await tx.execute(statement.on_conflict_do_update(index_elements=["domain"], set_=values))
