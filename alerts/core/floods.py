"""Is what a source brings far more than its habit? Decides only; rows are counted, and what is held is held, elsewhere.

The habit is read off the days: a source that never brought more than so many articles in one of its last 30 days may
bring three times that in the 24 hours that end now. A steady source cannot pass that, wherever a day is cut: 24 hours
touch two days, and an outage that ends brings two more at the most, as ``max_age`` leaves the rest unmailed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alerts.core.model import FloodWatch

WINDOW = timedelta(hours=24)  # what a source brought in this time is looked at as one
DAYS = 30  # so many windows before this one make the habit
TIMES = 3  # so many times its busiest day may a source bring
FEWEST = 20  # articles in a window that are never a flood
FEWEST_OF_YOUNG = 50  # … of a source whose habit nobody can know yet
YOUNG = timedelta(days=7)  # a week has its weekend; less makes no habit


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How many articles that were mailed a source brought, and for how long it has been known."""

    days: tuple[int, ...]  # a number a day, of the ``DAYS`` before the window; shorter is fine
    age: timedelta  # since its first article


def limit(watch: FloodWatch | int, habit: Habit) -> int | None:
    """Say how many articles a source may bring within ``WINDOW`` before it is held; None: as many as it likes.

    >>> limit(FloodWatch.AUTO, Habit(days=(3, 0, 12), age=timedelta(days=90)))
    36
    >>> limit(500, Habit(days=(), age=timedelta(0)))
    500
    """
    if watch is FloodWatch.OFF:
        return None
    if watch is FloodWatch.AUTO:
        fewest = FEWEST_OF_YOUNG if habit.age < YOUNG else FEWEST
        return max(fewest, TIMES * max(habit.days, default=0))
    return watch


def never_floods(watch: FloodWatch | int, count: int) -> bool:
    """Say whether so many within ``WINDOW`` are no flood whatever the habit: then nobody need ask for it."""
    if watch is FloodWatch.OFF:
        return True
    return count <= (FEWEST if watch is FloodWatch.AUTO else watch)


def is_flood(*, lately: int, coming: int, most: int | None) -> bool:
    """Say whether a batch is held: with what came ``lately``, mailed or held, it passes the limit ``most``."""
    return most is not None and lately + coming > most
