"""Rows of sources as polls see them: where each is asked for, who asks just now, whose worker died over it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import SourceKind, SourceState
from alerts.storage.claims import is_free
from alerts.storage.schema import sources
from alerts.storage.sources import release_source

_WORKER = "/"  # between a worker's name and its token in a claim


async def due_places(tx: AsyncConnection, *, now: datetime, limit: int) -> list[tuple[int, str | None]]:
    """Return the id of each source that is due, the longest overdue first, and the URL it is asked for at if a feed."""
    url = case((sources.c.kind == SourceKind.FEED.value, _asked_at()))
    query = select(sources.c.id, url.label("url")).where(sources.c.next_poll_at <= now, is_free(now))
    query = query.order_by(sources.c.next_poll_at, sources.c.id).limit(limit)
    return [(row.id, row.url) for row in await tx.execute(query)]


async def polled_places(tx: AsyncConnection, *, now: datetime) -> list[str]:
    """Return the URL of each feed that somebody polls now."""
    query = select(_asked_at()).where(sources.c.lease_until > now, sources.c.kind == SourceKind.FEED.value)
    return list((await tx.scalars(query)).all())


async def count_by_state(tx: AsyncConnection) -> dict[SourceState, int]:
    """Count the sources that are not removed."""
    query = select(sources.c.state, func.count().label("sources")).group_by(sources.c.state)
    found = {row.state: row.sources for row in await tx.execute(query)}
    return {state: found.get(state.value, 0) for state in SourceState if state is not SourceState.REMOVED}


async def release_of_dead(tx: AsyncConnection, *, living: Collection[str]) -> int:
    """Let go of the sources that a worker held who lives no more; return how many.

    Whoever polls as a worker puts its name before the claim, as ``worker_claim`` does; other claims end with their
    lease.
    """
    held = await tx.execute(select(sources.c.id, sources.c.claim).where(sources.c.lease_until.is_not(None)))
    dead = [row for row in held if _WORKER in row.claim and row.claim.rpartition(_WORKER)[0] not in living]
    return sum([await release_source(tx, row.id, claim=row.claim) for row in dead])


async def poll_now(tx: AsyncConnection, *, polled_after: datetime, now: datetime) -> int:
    """Make the sources due that say that they were polled after a time; return how many."""
    planned = and_(sources.c.polled_at > polled_after, sources.c.next_poll_at > now)
    return (await tx.execute(update(sources).where(planned).values(next_poll_at=now))).rowcount


def worker_claim(token: str, *, worker: str | None) -> str:
    """Return a claim from which can be told which worker holds it; without one, the token alone."""
    return token if worker is None else f"{worker}{_WORKER}{token}"


def _asked_at() -> ColumnElement[str]:
    return func.coalesce(sources.c.moved_to, sources.c.location)
