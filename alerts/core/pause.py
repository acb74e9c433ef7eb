"""Pause: no alerts until a day that the person names. It reads the day; nothing is saved up meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerts.core.errors import InputError

LONGEST = timedelta(days=366)


def first_day(now: datetime, zone: ZoneInfo) -> date:
    """Return the first day that a pause may last until: tomorrow, where the site is."""
    return now.astimezone(zone).date() + timedelta(days=1)


def a_week_on(now: datetime, zone: ZoneInfo) -> date:
    """Return a day that a pause may well last until, as an example."""
    return now.astimezone(zone).date() + timedelta(days=7)


def last_day(now: datetime, zone: ZoneInfo) -> date:
    """Return the last day that a pause may last until."""
    return now.astimezone(zone).date() + LONGEST


def read_day(text: str, *, now: datetime, zone: ZoneInfo) -> datetime:
    """Read a day such as ``2026-01-31`` and return when it begins; raise InputError for one that cannot be meant."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError("write the day as year, month and day, such as 2026-01-31") from error
    if not first_day(now, zone) <= day <= last_day(now, zone):
        raise InputError(f"the day must lie between {first_day(now, zone)} and {last_day(now, zone)}")
    return datetime.combine(day, time(), zone).astimezone(UTC)
