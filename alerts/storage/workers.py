"""Workers: who may hold claims, and since when they have been silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.schema import workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One process that does steps."""

    id: str
    node: str  # the machine, as its processes know it
    pid: int
    name: str = ""  # the node, as its operator knows it
    roles: tuple[str, ...] = ()  # of a main process; a sender has none of its own
    version: str
    started_at: datetime
    heartbeat_at: datetime


async def register(tx: AsyncConnection, worker: Worker) -> None:
    """Write a worker's row; from now on it may hold claims."""
    await tx.execute(
        workers.insert().values(
            id=worker.id,
            node=worker.node,
            pid=worker.pid,
            name=worker.name,
            roles=",".join(worker.roles),
            version=worker.version,
            started_at=worker.started_at,
            heartbeat_at=worker.heartbeat_at,
        )
    )


async def beat(tx: AsyncConnection, worker_id: str, *, now: datetime) -> bool:
    """Say that a worker lives; False when it was already buried, and must not go on under this name."""
    statement = update(workers).where(workers.c.id == worker_id).values(heartbeat_at=now)
    return (await tx.execute(statement)).rowcount == 1


async def living(tx: AsyncConnection) -> list[Worker]:
    """List the workers, the oldest first."""
    rows = (await tx.execute(select(workers).order_by(workers.c.started_at))).all()
    return [_to_worker(row) for row in rows]


async def leave(tx: AsyncConnection, worker_id: str) -> None:
    """Remove a worker that stops in good order."""
    await tx.execute(delete(workers).where(workers.c.id == worker_id))


async def bury(tx: AsyncConnection, silent: Mapping[str, datetime]) -> int:
    """Remove workers that fell silent, given with their last heartbeats; who beat meanwhile stays. Return how many."""
    buried = 0
    for worker_id, heartbeat_at in silent.items():
        unheard = and_(workers.c.id == worker_id, workers.c.heartbeat_at == heartbeat_at)
        buried += (await tx.execute(delete(workers).where(unheard))).rowcount
    return buried


def _to_worker(row: Row[Any]) -> Worker:
    return Worker(
        id=row.id,
        node=row.node,
        name=row.name,
        pid=row.pid,
        roles=tuple(filter(None, row.roles.split(","))),
        version=row.version,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
    )
