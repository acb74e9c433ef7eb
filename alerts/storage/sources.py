"""Rows of sources: which are due, who is polling one, how its last poll went. Decides nothing, polls nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.feed_pace import Pace
from alerts.core.model import Content, FirstPoll, FloodWatch, Source, SourceKind, SourceState
from alerts.storage.engine import insert
from alerts.storage.schema import sources

_POLLED = (SourceState.OK.value, SourceState.FAILING.value)
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
_RELEASED = {"claim": None, "lease_until": None}


async def list_sources(tx: AsyncConnection, *, include_removed: bool = False) -> list[Source]:
    """Return the sources by name."""
    query = select(sources).order_by(sources.c.name)
    if not include_removed:
        query = query.where(sources.c.state != SourceState.REMOVED.value)
    return [_source(row) for row in await tx.execute(query)]


async def source_by_id(tx: AsyncConnection, source_id: int) -> Source | None:
    """Return the source, or None."""
    row = (await tx.execute(select(sources).where(sources.c.id == source_id))).one_or_none()
    return None if row is None else _source(row)


async def source_by_name(tx: AsyncConnection, name: str) -> Source | None:
    """Return the source of this name that is not removed, or None."""
    query = select(sources).where(sources.c.name == name, sources.c.state != SourceState.REMOVED.value)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _source(row)


async def source_by_location(tx: AsyncConnection, location: str) -> Source | None:
    """Return the source at this URL or folder, removed or not, or None."""
    row = (await tx.execute(select(sources).where(sources.c.location == location))).one_or_none()
    return None if row is None else _source(row)


async def due_sources(
    tx: AsyncConnection, *, now: datetime, limit: int, kind: SourceKind | None = None
) -> list[Source]:
    """Return the sources whose time has come and that nobody polls, the longest overdue first."""
    query = select(sources).where(sources.c.next_poll_at <= now, is_free(now))
    if kind is not None:
        query = query.where(sources.c.kind == kind.value)
    query = query.order_by(sources.c.next_poll_at, sources.c.id).limit(limit)
    return [_source(row) for row in await tx.execute(query)]


async def claim_source(
    tx: AsyncConnection, source_id: int, *, claim: str, now: datetime, lease: timedelta, only_due: bool = True
) -> Source | None:
    """Take a source for one poll; None when another worker holds it, it is not polled now, or not yet due."""
    statement = update(sources).where(sources.c.id == source_id, is_free(now))
    if only_due:
        statement = statement.where(sources.c.next_poll_at <= now)
    statement = statement.values(claim=claim, lease_until=now + lease)
    row = (await tx.execute(statement.returning(*sources.c))).one_or_none()
    return None if row is None else _source(row)


async def record_success(
    tx: AsyncConnection,
    source_id: int,
    *,
    claim: str,
    now: datetime,
    next_poll_at: datetime,
    etag: str | None = None,
    last_modified: str | None = None,
    body_hash: str | None = None,
    reason: str | None = None,
    pace: Pace | None = None,
    moved_to: str | None = None,
) -> bool:
    """Record a poll that worked and let go of the source; False when the claim was lost, and then nothing is written.

    ``reason`` is a remark for the operator on a source that works.
    """
    return await _record(
        tx,
        source_id,
        claim,
        {
            "state": SourceState.OK.value,
            "reason": reason,
            "failures": 0,
            "failing_since_at": None,
            "polled_at": now,
            "next_poll_at": next_poll_at,
            "etag": etag,
            "last_modified": last_modified,
            "body_hash": body_hash,
            "warned_at": None,
            "moved_to": moved_to,
            **_pace(pace or Pace()),
        },
    )


async def record_failure(
    tx: AsyncConnection,
    source_id: int,
    *,
    claim: str,
    now: datetime,
    next_poll_at: datetime,
    reason: str,
    stopped: bool = False,
    warned: bool = False,
    moved_back: bool = False,
) -> bool:
    """Record a poll that failed and let go of the source; False when the claim was lost, and then nothing is written.

    What the last poll that worked left behind stays. ``warned``: the operator is told now. ``moved_back``: it is
    asked for where the operator wrote, with no validators: they were another place's.
    """
    state = SourceState.STOPPED if stopped else SourceState.FAILING
    return await _record(
        tx,
        source_id,
        claim,
        {
            "state": state.value,
            "reason": reason,
            "failures": sources.c.failures + 1,
            "failing_since_at": func.coalesce(sources.c.failing_since_at, now),
            "next_poll_at": next_poll_at,
            **({"warned_at": now} if warned else {}),
            **({"moved_to": None, "etag": None, "last_modified": None} if moved_back else {}),
        },
    )


async def record_post(tx: AsyncConnection, source_id: int, *, now: datetime) -> bool:
    """Record that articles were posted to a source; False when it rests, and then nothing is written."""
    heard = update(sources).where(sources.c.id == source_id, sources.c.state.in_(_POLLED)).values(polled_at=now)
    return bool((await tx.execute(heard)).rowcount)


async def extend_lease(tx: AsyncConnection, source_id: int, *, claim: str, now: datetime, lease: timedelta) -> bool:
    """Hold a source longer, for a poll of many steps; False when the claim was lost."""
    statement = update(sources).where(sources.c.id == source_id, sources.c.claim == claim)
    return bool((await tx.execute(statement.values(lease_until=now + lease))).rowcount)


async def release_source(tx: AsyncConnection, source_id: int, *, claim: str) -> bool:
    """Let go of a source whose poll was given up, as if it had not begun."""
    return await _record(tx, source_id, claim, {})


async def insert_source(tx: AsyncConnection, *, source: Source, origin: str, now: datetime) -> Source | None:
    """Add a source (its id is ignored); None when its name or location is taken."""
    values = {**_settings(source), "kind": source.kind.value, "location": source.location, "origin": origin}
    statement = (
        insert(tx, sources)
        .values(**values, state=source.state.value, next_poll_at=source.next_poll_at, created_at=now)
        .on_conflict_do_nothing()
        .returning(*sources.c)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _source(row)


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
    values = {"state": SourceState.OK.value, "next_poll_at": now, **_NEVER_POLLED, **_RELEASED}
    await tx.execute(update(sources).where(sources.c.id == source_id).values(**values))


async def resume_source(tx: AsyncConnection, source_id: int, *, now: datetime) -> bool:
    """Poll a paused or stopped source again, now; False when it was neither."""
    resting = sources.c.state.in_((SourceState.PAUSED.value, SourceState.STOPPED.value))
    values = {"state": SourceState.OK.value, "reason": None, "failures": 0, "failing_since_at": None}
    values |= {"warned_at": None, "moved_to": None}
    result = await tx.execute(
        update(sources).where(sources.c.id == source_id, resting).values(**values, **_RELEASED, next_poll_at=now)
    )
    return bool(result.rowcount)


async def rest_source(tx: AsyncConnection, source_id: int, *, state: SourceState, reason: str | None = None) -> bool:
    """Poll a source no more; a poll under way loses its claim and writes nothing. False when it was so already."""
    result = await tx.execute(
        update(sources)
        .where(sources.c.id == source_id, sources.c.state != state.value)
        .values(state=state.value, reason=reason, **_RELEASED)
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


def is_free(now: datetime) -> Any:
    """Return the condition that a source is polled at all, and by nobody now."""
    return and_(
        sources.c.state.in_(_POLLED),
        sources.c.kind != SourceKind.API.value,
        or_(sources.c.lease_until.is_(None), sources.c.lease_until <= now),
    )


async def _record(tx: AsyncConnection, source_id: int, claim: str, values: Mapping[str, Any]) -> bool:
    result = await tx.execute(
        update(sources)
        .where(sources.c.id == source_id, sources.c.claim == claim)
        .values(**{"claim": None, "lease_until": None, **values})
    )
    return bool(result.rowcount)


def _pace(pace: Pace) -> dict[str, Any]:
    return {"gap_s": None if pace.gap is None else math.ceil(pace.gap.total_seconds()), "news_at": pace.news_at}


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


def _length(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _source(row: Row[Any]) -> Source:
    return Source(
        id=row.id,
        name=row.name,
        kind=SourceKind(row.kind),
        location=row.location,
        every=timedelta(seconds=row.every_s),
        first_poll=FirstPoll(row.first_poll),
        max_age=_length(row.max_age_s),
        allow_private=row.allow_private,
        state=SourceState(row.state),
        reason=row.reason,
        next_poll_at=row.next_poll_at,
        polled_at=row.polled_at,
        failures=row.failures,
        failing_since_at=row.failing_since_at,
        etag=row.etag,
        last_modified=row.last_modified,
        body_hash=row.body_hash,
        flood=int(row.flood) if row.flood.isdigit() else FloodWatch(row.flood),
        every_at_most=_length(row.every_at_most_s),
        gap=_length(row.gap_s),
        news_at=row.news_at,
        moved_to=row.moved_to,
        warned_at=row.warned_at,
        content=Content(row.content),
    )
