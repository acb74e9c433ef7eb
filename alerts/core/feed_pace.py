"""How often a feed is polled between a floor and a ceiling, learnt from how often it brings something new.

What is learnt is two values in the source's row: how long it usually is between two articles, and when the last ones
came. The publisher's dates count for nothing here: only what our own polls saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LOOKS_A_GAP = 4  # polls between two articles: an alert is late by an eighth of the usual gap, on average
_NEWEST_SHARE = 0.25  # what the last gap weighs against all before it
_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a feed's polls taught; nothing before its first poll that worked."""

    gap: timedelta | None = None  # between two articles; None until one came after the first poll
    news_at: datetime | None = None  # when a poll last brought something new


def learn(pace: Pace, *, now: datetime, new: int, at_most: timedelta | None) -> Pace:
    """Return the pace after a poll that brought ``new`` articles; ``at_most`` is the feed's ceiling.

    What the first poll finds is old, so it only starts the clock. A gap is never taken for longer than what leads to
    the ceiling, so that one quiet night is forgotten after a few articles.
    """
    if pace.news_at is None:
        return Pace(gap=pace.gap, news_at=now)
    if new <= 0:
        return pace
    longest = LOOKS_A_GAP * (at_most or timedelta(0))
    gap = max(_SHORTEST, min((now - pace.news_at) / new, longest))
    return Pace(gap=gap if pace.gap is None else pace.gap + (gap - pace.gap) * _NEWEST_SHARE, news_at=now)


def interval(pace: Pace, *, now: datetime, every: timedelta, at_most: timedelta | None) -> timedelta:
    """Return how long to wait: at least ``every``, at most ``at_most``, and ``every`` exactly where that is None.

    A feed that has been quiet for longer than its usual gap is asked less and less often, up to the ceiling.
    """
    if at_most is None or pace.news_at is None:
        return every
    expected = max(pace.gap or timedelta(0), now - pace.news_at)
    return max(every, min(expected / LOOKS_A_GAP, at_most))
