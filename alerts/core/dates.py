"""Read the dates that people and their tools write; it knows no clock and guesses no order of day and month.

``04/01/2026`` is two different days on two sides of an ocean, so it is no date here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

LONGEST_DATE = 80
_YEARS = range(1900, 2200)

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_WEEKDAY_IN_HAN = (
    r"(?:\s?(?:星期|周|週|礼拜|禮拜)[一二三四五六日天]|\s?[（(][月火水木金土日][）)]|\s?[月火水木金土日]曜日)?"
)
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DAYS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})",  # January 4, 2026
        rf"{_WEEKDAY}{_DAY}\.?(?:\s+|-)(?:of\s+)?{_MONTH},?(?:\s+|-)(?P<year>\d{{4}})",  # 4 January 2026
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
        r"(?P<year>\d{4})\.(?P<month>\d{1,2})\.(?P<day>\d{1,2})\.?",
        rf"(?P<year>\d{{4}})\s?年\s?(?P<month>\d{{1,2}})\s?月\s?(?P<day>\d{{1,2}})\s?[日号]{_WEEKDAY_IN_HAN}",
        r"(?P<year>\d{4})\s?년\s?(?P<month>\d{1,2})\s?월\s?(?P<day>\d{1,2})\s?일",
    )
)
_CLOCK = re.compile(
    r"(?P<day>.*?[^\s,T])(?:\s+at\s+|[\s,T]\s*)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_SINCE_1970 = re.compile(r"(?P<seconds>\d{10})(?P<milliseconds>\d{3})?", re.ASCII)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")


def read_day(text: str) -> date | None:
    """Return the day that ``text`` is, and nothing but is, else None.

    >>> read_day("Jan 4, 2026") == read_day("2026年1月4日") == date(2026, 1, 4)
    True
    """
    text = text.strip()
    if len(text) > LONGEST_DATE:
        return None
    found = next(filter(None, (pattern.fullmatch(text) for pattern in _DAYS)), None)
    if found is None or int(found["year"]) not in _YEARS:
        return None
    month = _MONTHS.get(found["month"].lower()) or int(found["month"])
    try:
        return date(int(found["year"]), month, int(found["day"]))
    except ValueError:
        return None


def read_moment(value: object, time_zone: tzinfo) -> datetime | None:
    """Return the moment in UTC that a front matter, a page or a feed gives, else None.

    ``time_zone`` is where the writer's clock hangs when ``value`` does not say; a day begins at its midnight there.
    """
    try:
        moment = _moment(value)
        if moment is None:
            return None
        local = moment if moment.tzinfo else moment.replace(tzinfo=time_zone)
        in_utc = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return in_utc if in_utc.year in _YEARS else None


def _moment(value: object) -> datetime | None:
    """Read ``value``, naive where it names no zone; may raise ValueError and OverflowError."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str) or len(value) > LONGEST_DATE:
        return None
    text = value.strip()
    day = read_day(text)
    if day is not None:
        return datetime.combine(day, time())
    since = _SINCE_1970.fullmatch(text)
    if since is not None:
        return datetime.fromtimestamp(int(since["seconds"]), UTC)
    return _day_and_clock(text) or _machine_date(text)


def _day_and_clock(text: str) -> datetime | None:
    """Read any of the days above followed by a time of day and perhaps an offset."""
    found = _CLOCK.fullmatch(text)
    day = read_day(found["day"]) if found else None
    if found is None or day is None:
        return None
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    microsecond = int((found["fraction"] or "").ljust(6, "0")[:6])
    clock = time(hour, int(found["minute"]), int(found["second"] or 0), microsecond, tzinfo=_zone(found["zone"]))
    return datetime.combine(day, clock)


def _zone(written: str | None) -> tzinfo | None:
    """Read ``Z``, ``+0800``, ``UTC+8``."""
    if not written:
        return None
    found = _OFFSET.search(written)
    if found is None:
        return UTC
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)


def _machine_date(text: str) -> datetime | None:
    """Read what is left: RFC 5322 (``Sun, 04 Jan 2026 10:00:00 EST``) and ISO 8601's basic forms."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
