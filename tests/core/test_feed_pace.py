from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.feed_pace import LOOKS_A_GAP, Pace, interval, learn

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FLOOR, CEILING = 5 * MINUTE, HOUR
LENGTHS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=3650))
PACES = st.builds(
    Pace,
    gap=st.none() | LENGTHS,
    news_at=st.none() | LENGTHS.map(lambda ago: NOON - ago) | LENGTHS.map(lambda ahead: NOON + ahead),
)


def after(pace: Pace, *, at_most: timedelta | None = CEILING, now: datetime = NOON) -> timedelta:
    return interval(pace, now=now, every=FLOOR, at_most=at_most)


def test_a_feed_that_was_never_polled_is_polled_as_often_as_may_be() -> None:
    assert after(Pace()) == FLOOR


def test_without_a_ceiling_the_interval_is_what_is_written() -> None:
    assert after(Pace(gap=HOUR * 90, news_at=NOON - HOUR * 90), at_most=None) == FLOOR


@pytest.mark.parametrize(("gap", "minutes"), [(MINUTE, 5), (2 * HOUR, 30), (24 * HOUR, 60)])
def test_the_interval_is_a_part_of_the_usual_gap(gap: timedelta, minutes: int) -> None:
    assert after(Pace(gap=gap, news_at=NOON)) == minutes * MINUTE


def test_a_feed_that_fell_silent_is_polled_less_often() -> None:
    assert after(Pace(gap=10 * MINUTE, news_at=NOON - 80 * MINUTE)) == 20 * MINUTE


def test_what_the_first_poll_finds_teaches_no_gap() -> None:
    assert learn(Pace(), now=NOON, new=500, at_most=CEILING) == Pace(news_at=NOON)


def test_a_poll_without_news_teaches_nothing() -> None:
    pace = Pace(gap=HOUR, news_at=NOON - HOUR)

    assert learn(pace, now=NOON, new=0, at_most=CEILING) == pace


def test_several_articles_at_once_share_the_gap_and_the_newest_gap_weighs_a_quarter() -> None:
    first = learn(Pace(news_at=NOON - HOUR), now=NOON, new=3, at_most=CEILING)
    then = learn(first, now=NOON + HOUR, new=1, at_most=CEILING)

    assert first == Pace(gap=20 * MINUTE, news_at=NOON)
    assert then == Pace(gap=30 * MINUTE, news_at=NOON + HOUR)


def test_a_busy_feed_is_back_at_its_floor_soon_after_a_quiet_week() -> None:
    pace, now = learn(Pace(gap=MINUTE, news_at=NOON - timedelta(days=7)), now=NOON, new=1, at_most=CEILING), NOON
    for _ in range(5):
        now += FLOOR
        pace = learn(pace, now=now, new=5, at_most=CEILING)

    assert after(pace, now=now) == FLOOR


@given(PACES, LENGTHS, st.none() | LENGTHS)
def test_the_interval_is_never_below_the_floor_nor_above_the_ceiling(
    pace: Pace, every: timedelta, at_most: timedelta | None
) -> None:
    wait = interval(pace, now=NOON, every=every, at_most=at_most)

    assert every <= wait <= max(every, at_most or every)


@given(PACES, st.integers(-1, 10_000), st.none() | LENGTHS)
def test_what_is_learnt_can_be_stored_and_leads_at_most_to_the_ceiling(
    pace: Pace, new: int, at_most: timedelta | None
) -> None:
    learnt = learn(pace, now=NOON, new=new, at_most=at_most)

    assert learnt.news_at is not None
    if learnt.gap is not None and learnt != pace:
        assert timedelta(seconds=1) <= learnt.gap
        assert learnt.gap <= max(
            pace.gap or timedelta(0), LOOKS_A_GAP * (at_most or timedelta(0)), timedelta(seconds=1)
        )
