from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.schedule import (
    JITTER,
    LONGEST_BACK_OFF,
    LONGEST_HINT,
    LONGEST_RETRY_AFTER,
    back_off,
    next_poll_at,
)

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LENGTHS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=3650))


def test_a_source_that_works_is_polled_after_its_interval() -> None:
    assert next_poll_at(now=NOON, every=5 * MINUTE, jitter=0) == NOON + 5 * MINUTE


def test_jitter_only_delays() -> None:
    assert next_poll_at(now=NOON, every=10 * MINUTE, jitter=1) == NOON + 11 * MINUTE


@pytest.mark.parametrize(("failures", "minutes"), [(0, 5), (1, 10), (2, 20), (3, 40), (6, 320), (7, 360), (1000, 360)])
def test_each_failure_doubles_the_wait_up_to_six_hours(failures: int, minutes: int) -> None:
    assert back_off(5 * MINUTE, failures) == minutes * MINUTE


def test_a_source_polled_once_a_day_is_not_polled_more_often_because_it_fails() -> None:
    assert back_off(timedelta(days=1), 3) == timedelta(days=1)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(MINUTE, 5 * MINUTE), (60 * MINUTE, 60 * MINUTE), (timedelta(days=365), LONGEST_RETRY_AFTER)],
)
def test_a_server_that_asks_for_peace_gets_it_for_a_day_at_most(asked: timedelta, waits: timedelta) -> None:
    assert next_poll_at(now=NOON, every=5 * MINUTE, jitter=0, retry_after=asked) == NOON + waits


def test_a_hint_of_freshness_delays_an_alert_by_an_hour_at_most() -> None:
    assert next_poll_at(now=NOON, every=5 * MINUTE, jitter=0, hint=timedelta(days=365)) == NOON + LONGEST_HINT


@given(LENGTHS, st.floats(min_value=-1, max_value=2), st.integers(-1, 10**9), st.none() | LENGTHS, st.none() | LENGTHS)
def test_the_next_poll_is_never_sooner_than_the_interval_and_never_lost(
    every: timedelta, jitter: float, failures: int, retry_after: timedelta | None, hint: timedelta | None
) -> None:
    at = next_poll_at(now=NOON, every=every, jitter=jitter, failures=failures, retry_after=retry_after, hint=hint)

    longest = max(every, LONGEST_BACK_OFF, LONGEST_RETRY_AFTER)
    assert every <= at - NOON <= longest * (1 + JITTER) + timedelta(seconds=1)
