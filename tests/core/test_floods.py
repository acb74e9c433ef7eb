"""When a source is held: far beyond its habit, and never on a normal day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.floods import DAYS, FEWEST, FEWEST_OF_YOUNG, TIMES, YOUNG, Habit, is_flood, limit, never_floods
from alerts.core.model import FloodWatch

OLD = timedelta(days=90)
HOURS = st.integers(0, 23)
DAY_COUNTS = st.lists(st.integers(0, 2_000), max_size=DAYS)
WATCHES = st.one_of(st.sampled_from(FloodWatch), st.integers(1, 100_000))


def habit(*days: int, age: timedelta = OLD) -> Habit:
    return Habit(days=days, age=age)


def is_held(coming: int, known: Habit, *, lately: int = 0, watch: FloodWatch | int = FloodWatch.AUTO) -> bool:
    return is_flood(lately=lately, coming=coming, most=limit(watch, known))


def test_an_archive_of_a_source_that_brings_three_a_day_is_held() -> None:
    assert is_held(412, habit(*[3] * 30))
    assert is_held(21, habit(*[3] * 30))


def test_twenty_are_never_held_whatever_the_habit() -> None:
    assert not is_held(FEWEST, habit())
    assert not is_held(FEWEST, habit(0, 1, 0))


def test_a_young_source_may_bring_more_as_nobody_knows_its_habit() -> None:
    young = habit(2, age=YOUNG - timedelta(seconds=1))
    assert not is_held(FEWEST_OF_YOUNG, young)
    assert is_held(FEWEST_OF_YOUNG + 1, young)
    assert is_held(FEWEST_OF_YOUNG, habit(2, age=YOUNG))


def test_the_busiest_of_the_last_days_counts_not_the_mean() -> None:
    monthly = habit(*[0] * 29, 60)
    assert not is_held(60, monthly)
    assert not is_held(TIMES * 60, monthly)
    assert is_held(TIMES * 60 + 1, monthly)


def test_what_trickles_is_held_once_it_is_too_much_together() -> None:
    known = habit(*[3] * 30)
    came = [lately for lately in range(0, 150, 15) if not is_held(15, known, lately=lately)]
    assert came == [0]


@pytest.mark.parametrize(("watch", "count", "held"), [(40, 40, False), (40, 41, True), (FloodWatch.OFF, 10**6, False)])
def test_the_operator_may_say_where_the_limit_is(watch: FloodWatch | int, count: int, *, held: bool) -> None:
    assert is_held(count, habit(*[1_000] * 30), watch=watch) is held


@given(st.integers(1, 300), st.lists(st.tuples(HOURS, HOURS), min_size=9, max_size=9), HOURS)
@example(FEWEST, [(12, 12)] * 7 + [(23, 23), (1, 1)], 12)
def test_a_source_that_goes_on_as_it_did_is_never_held(a_day: int, at: list[tuple[int, int]], hour: int) -> None:
    """As many each day, at whatever hours: 24 hours that touch two of its days may hold what both brought."""
    lived = [0] * 24 * len(at)
    for day, (first, second) in enumerate(at):
        lived[24 * day + first] += a_day // 2
        lived[24 * day + second] += a_day - a_day // 2
    now = 24 * (len(at) - 1) + hour
    window, *days = (sum(lived[max(0, end - 24) : end]) for end in range(now, 0, -24))
    assert not is_held(window, habit(*days))


@given(st.lists(st.integers(0, 40), min_size=24, max_size=24), st.integers(1, 2))
def test_what_an_outage_kept_back_is_no_flood(day: list[int], lost_days: int) -> None:
    """``max_age`` lets two days of it through; they come at once, in place of their own days."""
    kept_back = sum(day) * lost_days
    assert not is_held(kept_back, habit(*([0] * lost_days), *[sum(day)] * (DAYS - lost_days)))
    assert not is_held(sum(day), habit(*([0] * lost_days), sum(day)), lately=kept_back)


@given(DAY_COUNTS, WATCHES, st.integers(0, 9_999), st.integers(0, 9_999), st.integers(0, 999))
def test_more_is_never_less_of_a_flood_and_a_richer_habit_never_makes_one(
    days: list[int], watch: FloodWatch | int, lately: int, coming: int, more: int
) -> None:
    known = habit(*days)
    held = is_held(coming, known, lately=lately, watch=watch)
    assert is_held(coming + more, known, lately=lately, watch=watch) >= held
    assert is_held(coming, known, lately=lately + more, watch=watch) >= held
    assert is_held(coming, habit(*days, more), lately=lately, watch=watch) <= held


@given(DAY_COUNTS, WATCHES, st.integers(0, 200), st.timedeltas(timedelta(0), OLD))
def test_what_is_no_flood_whatever_the_habit_is_none_of_any(
    days: list[int], watch: FloodWatch | int, count: int, age: timedelta
) -> None:
    if never_floods(watch, count):
        assert not is_held(count, habit(*days, age=age), watch=watch)
