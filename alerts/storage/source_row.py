"""A row of ``sources`` as the source that it is: which columns are read, in which order, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alerts.core.model import Content, FirstPoll, FloodWatch, Source, SourceKind, SourceState
from alerts.storage.schema import sources

#: What ``to_source`` reads, whoever ran the statement.
COLUMNS = (
    sources.c.id,
    sources.c.name,
    sources.c.kind,
    sources.c.location,
    sources.c.every_s,
    sources.c.first_poll,
    sources.c.max_age_s,
    sources.c.allow_private,
    sources.c.state,
    sources.c.reason,
    sources.c.next_poll_at,
    sources.c.polled_at,
    sources.c.failures,
    sources.c.failing_since_at,
    sources.c.etag,
    sources.c.last_modified,
    sources.c.body_hash,
    sources.c.flood,
    sources.c.every_at_most_s,
    sources.c.gap_s,
    sources.c.news_at,
    sources.c.moved_to,
    sources.c.warned_at,
    sources.c.content,
)


def to_source(row: Sequence[Any]) -> Source:
    """Turn a row of exactly ``COLUMNS`` into a source."""
    (
        key,
        name,
        kind,
        location,
        every_s,
        first_poll,
        max_age_s,
        allow_private,
        state,
        reason,
        next_poll_at,
        polled_at,
        failures,
        failing_since_at,
        etag,
        last_modified,
        body_hash,
        flood,
        every_at_most_s,
        gap_s,
        news_at,
        moved_to,
        warned_at,
        content,
    ) = row
    return Source(
        id=key,
        name=name,
        kind=SourceKind(kind),
        location=location,
        every=timedelta(seconds=every_s),
        first_poll=FirstPoll(first_poll),
        max_age=_length(max_age_s),
        allow_private=allow_private,
        state=SourceState(state),
        reason=reason,
        next_poll_at=next_poll_at,
        polled_at=polled_at,
        failures=failures,
        failing_since_at=failing_since_at,
        etag=etag,
        last_modified=last_modified,
        body_hash=body_hash,
        flood=int(flood) if flood.isdigit() else FloodWatch(flood),
        every_at_most=_length(every_at_most_s),
        gap=_length(gap_s),
        news_at=news_at,
        moved_to=moved_to,
        warned_at=warned_at,
        content=Content(content),
    )


def _length(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
