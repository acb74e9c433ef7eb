"""Rows of sources: which are due, who is polling one, how its last poll went. Decides nothing, polls nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Source, SourceKind, SourceState
from alerts.storage import claims
from alerts.storage.claims import POLLED, RELEASED, Ask, Failed, Worked, is_free
from alerts.storage.engine import insert
from alerts.storage.prepared import Transaction
from alerts.storage.schema import sources
from alerts.storage.source_row import COLUMNS, to_source

_NEVER_POLLED = {  # what a source that comes back forgets, so that its next poll is a first one
    "failures": 0,
    "failing_since_at": None,
    "reason": None,
    "polled_at": None,
    "etag": None,
    "last_modified": None,
    "body_hash": None,
    "gap_s": None,
    "news_at": None,
    "moved_to": None,
    "warned_at": None,
}


async def list_sources(tx: AsyncConnection, *, include_removed: bool = False) -> list[Source]:
    """Return the sources by name."""
    query = select(*COLUMNS).order_by(sources.c.name)
    if not include_removed:
        query = query.where(sources.c.state != SourceState.REMOVED.value)
    return [to_source(row) for row in await tx.execute(query)]


async def source_by_id(tx: AsyncConnection, source_id: int) -> Source | None:
    """Return the source, or None."""
    row = (await tx.execute(select(*COLUMNS).where(sources.c.id == source_id))).one_or_none()
    return None if row is None else to_source(row)


async def source_by_name(tx: AsyncConnection, name: str) -> Source | None:
    """Return the source of this name that is not removed, or None."""
    query = select(*COLUMNS).where(sources.c.name == name, sources.c.state != SourceState.REMOVED.value)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else to_source(row)


async def source_by_location(tx: AsyncConnection, location: str) -> Source | None:
    """Return the source at this URL or folder, removed or not, or None."""
    row = (await tx.execute(select(*COLUMNS).where(sources.c.location == location))).one_or_none()
    return None if row is None else to_source(row)


async def due_sources(
    tx: AsyncConnection, *, now: datetime, limit: int, kind: SourceKind | None = None
) -> list[Source]:
    """Return the sources whose time has come and that nobody polls, the longest overdue first."""
    query = select(*COLUMNS).where(sources.c.next_poll_at <= now, is_free(now))
    if kind is not None:
        query = query.where(sources.c.kind == kind.value)
    query = query.order_by(sources.c.next_poll_at, sources.c.id).limit(limit)
    return [to_source(row) for row in await tx.execute(query)]


async def claim_source(
    tx: Transaction,
    source_id: int,
    *,
    claim: str,
    now: datetime,
    lease: timedelta,
    only_due: bool = True,
) -> Source | None:
    """Take a source for one poll; None when another worker holds it, it is not polled now, or not yet due."""
    (claimed,) = await claims.claim_sources(tx, [Ask(source_id, claim, now, lease, only_due)])
    return None if claimed is None else claimed.source


async def record_success(
    tx: Transaction,
    source_id: int,
    *,
    claim: str,
    now: datetime,
    next_poll_at: datetime,
    etag: str | None = None,
    body_hash: str | None = None,
    moved_to: str | None = None,
) -> bool:
    """Record a poll that worked and let go of the source; False when the claim was lost, and then nothing is written.

    What is not given is forgotten.
    """
    worked = Worked(source_id, claim, now, next_poll_at, etag=etag, body_hash=body_hash, moved_to=moved_to)
    return (await claims.record_worked(tx, [worked]))[0]


async def record_failure(
    tx: Transaction,
    source_id: int,
    *,
    claim: str,
    now: datetime,
    next_poll_at: datetime,
    reason: str,
    stopped: bool = False,
) -> bool:
    """Record a poll that failed and let go of the source; False when the claim was lost, and then nothing is written.

    What the last poll that worked left behind stays.
    """
    return (await claims.record_failed(tx, [Failed(source_id, claim, now, next_poll_at, reason, stopped=stopped)]))[0]


async def record_post(tx: AsyncConnection, source_id: int, *, now: datetime) -> bool:
    """Record that articles were posted to a source; False when it rests, and then nothing is written."""
    heard = update(sources).where(sources.c.id == source_id, sources.c.state.in_(POLLED)).values(polled_at=now)
    return bool((await tx.execute(heard)).rowcount)


async def extend_lease(tx: AsyncConnection, source_id: int, *, claim: str, now: datetime, lease: timedelta) -> bool:
    """Hold a source longer, for a poll of many steps; False when the claim was lost."""
    statement = update(sources).where(sources.c.id == source_id, sources.c.claim == claim)
    return bool((await tx.execute(statement.values(lease_until=now + lease))).rowcount)


async def release_source(tx: AsyncConnection, source_id: int, *, claim: str) -> bool:
    """Let go of a source whose poll was given up, as if it had not begun."""
    mine = update(sources).where(sources.c.id == source_id, sources.c.claim == claim)
    return bool((await tx.execute(mine.values(**RELEASED))).rowcount)


async def insert_source(tx: AsyncConnection, *, source: Source, origin: str, now: datetime) -> Source | None:
    """Add a source (its id is ignored); None when its name or location is taken."""
    values = {**_settings(source), "kind": source.kind.value, "location": source.location, "origin": origin}
    statement = (
        insert(tx, sources)
        .values(**values, state=source.state.value, next_poll_at=source.next_poll_at, created_at=now)
        .on_conflict_do_nothing()
        .returning(*COLUMNS)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else to_source(row)


async def update_settings(tx: AsyncConnection, *, source: Source, origin: str, now: datetime) -> None:
    """Give a source the settings of ``source``; a shorter interval counts from now on."""
    soon, values = now + source.every, _settings(source)
    most = func.coalesce(sources.c.every_at_most_s, sources.c.every_s)
    is_shorter = or_(sources.c.every_s > values["every_s"], most > (values["every_at_most_s"] or values["every_s"]))
    is_sooner = and_(is_shorter, sources.c.next_poll_at > soon, sources.c.failures == 0)
    await tx.execute(
        update(sources)
        .where(sources.c.id == source.id)
        .values(
            **values,
            origin=origin,
            next_poll_at=case((is_sooner, soon), else_=sources.c.next_poll_at),
        )
    )


async def revive_source(tx: AsyncConnection, source_id: int, *, now: datetime) -> None:
    """Poll a removed source again, as if it were a new one; its articles are known."""
    values = {"state": SourceState.OK.value, "next_poll_at": now, **_NEVER_POLLED, **RELEASED}
    await tx.execute(update(sources).where(sources.c.id == source_id).values(**values))


async def resume_source(tx: AsyncConnection, source_id: int, *, now: datetime) -> bool:
    """Poll a paused or stopped source again, now; False when it was neither."""
    resting = sources.c.state.in_((SourceState.PAUSED.value, SourceState.STOPPED.value))
    values = {"state": SourceState.OK.value, "reason": None, "failures": 0, "failing_since_at": None}
    values |= {"warned_at": None, "moved_to": None}
    result = await tx.execute(
        update(sources).where(sources.c.id == source_id, resting).values(**values, **RELEASED, next_poll_at=now)
    )
    return bool(result.rowcount)


async def rest_source(tx: AsyncConnection, source_id: int, *, state: SourceState, reason: str | None = None) -> bool:
    """Poll a source no more; a poll under way loses its claim and writes nothing. False when it was so already."""
    result = await tx.execute(
        update(sources)
        .where(sources.c.id == source_id, sources.c.state != state.value)
        .values(state=state.value, reason=reason, **RELEASED)
    )
    return bool(result.rowcount)


async def origins(tx: AsyncConnection) -> Mapping[int, str]:
    """Return who declared each source: ``config`` or ``cli``."""
    return {row.id: row.origin for row in await tx.execute(select(sources.c.id, sources.c.origin))}


async def taken_names(tx: AsyncConnection) -> Sequence[str]:
    """Return every name that a source bears, removed ones included."""
    return (await tx.scalars(select(sources.c.name))).all()


async def free_name(tx: AsyncConnection, name: str, *, but_of: Source | None = None) -> None:
    """Take a name from a removed source, so that another one can bear it."""
    held = and_(sources.c.name == name, sources.c.state == SourceState.REMOVED.value)
    if but_of is not None:
        held = and_(held, sources.c.id != but_of.id)
    for source_id in (await tx.scalars(select(sources.c.id).where(held))).all():
        await tx.execute(update(sources).where(sources.c.id == source_id).values(name=f"{name} (removed {source_id})"))


def _settings(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "every_s": max(1, round(source.every.total_seconds())),
        "first_poll": source.first_poll.value,
        "max_age_s": _seconds(source.max_age),
        "allow_private": source.allow_private,
        "flood": str(source.flood),
        "every_at_most_s": _seconds(source.every_at_most),
        "content": source.content.value,
    }


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else round(length.total_seconds())
