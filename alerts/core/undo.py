"""Undo: whoever left may take it back for a minute. It says what can be taken back; ``services.unsubscribe`` does it.

A press of a button ends its subscriptions at one moment, a whole millisecond, so the moment says which press it was;
it travels in a sealed token (``Purpose.UNDO``) through the page that shows the button.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from alerts.core.model import EndReason, Subscription

WITHIN = timedelta(seconds=60)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MARK = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


def moment_of_leaving(now: datetime) -> datetime:
    """Return the moment that stands in the rows that a press of the button ends: a whole millisecond."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def mark_of(moment: datetime) -> int:
    """Write a moment as the number that a token holds."""
    return (moment - _EPOCH) // _MILLISECOND


def moment_of(mark: int) -> datetime:
    """Read the number that a token holds; a number that is no moment is long past.

    >>> moment_of(mark_of(datetime(2026, 1, 5, 12, tzinfo=UTC))).isoformat()
    '2026-01-05T12:00:00+00:00'
    """
    return _EPOCH + mark * _MILLISECOND if mark <= _LAST_MARK else _EPOCH


def is_open(moment: datetime, now: datetime) -> bool:
    """Say whether a leaving of that moment can still be taken back."""
    return moment_of_leaving(now) - WITHIN <= moment <= now


def last_leaving(held: Iterable[Subscription], now: datetime) -> datetime | None:
    """Return the moment of the last leaving that can still be taken back; None when there is none."""
    moments = [
        one.ended_at
        for one in held
        if one.end_reason is EndReason.UNSUBSCRIBED
        and one.ended_at is not None
        and one.activated_at is not None
        and is_open(one.ended_at, now)
    ]
    return max(moments, default=None)


def taken_back(held: Iterable[Subscription], moment: datetime) -> list[Subscription]:
    """List the subscriptions that an undo of that moment brings back: what never was active stays ended."""
    return [
        one
        for one in held
        if one.end_reason is EndReason.UNSUBSCRIBED and one.ended_at == moment and one.activated_at is not None
    ]
