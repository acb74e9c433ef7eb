"""What can be taken back, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import EndReason, Frequency, Subscription, SubscriptionState
from alerts.core.undo import WITHIN, is_open, last_leaving, mark_of, moment_of, moment_of_leaving, taken_back

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
times = st.timedeltas(timedelta(0), timedelta(days=300_000)).map(lambda passed: NOON + passed)


def left(at: datetime, *, reason: EndReason = EndReason.UNSUBSCRIBED, was_active: bool = True) -> Subscription:
    return Subscription(
        id=1,
        subscriber_id=7,
        channel_id=3,
        channel_slug="xiaomi",
        channel_name="Xiaomi",
        state=SubscriptionState.ENDED,
        frequency=Frequency.IMMEDIATE,
        created_at=NOON,
        activated_at=NOON if was_active else None,
        ended_at=at,
        end_reason=reason,
    )


@given(times)
def test_a_moment_survives_its_way_through_a_token(now: datetime) -> None:
    moment = moment_of_leaving(now)
    assert moment_of(mark_of(moment)) == moment
    assert timedelta(0) <= now - moment < timedelta(milliseconds=1)
    assert is_open(moment, now)


@given(st.integers(0, 2**64 - 1), times)
def test_any_number_is_some_moment(mark: int, now: datetime) -> None:
    assert moment_of(mark).tzinfo is UTC
    assert not is_open(moment_of(2**64 - 1), now)


def test_a_minute_is_a_minute() -> None:
    assert is_open(NOON, NOON + WITHIN)
    assert not is_open(NOON, NOON + WITHIN + timedelta(milliseconds=1))
    assert not is_open(NOON + timedelta(seconds=1), NOON)


@pytest.mark.parametrize(
    "other",
    [
        left(NOON, reason=EndReason.COMPLAINED),
        left(NOON, reason=EndReason.BOUNCED),
        left(NOON, was_active=False),
        left(NOON - timedelta(minutes=2)),
    ],
)
def test_only_what_the_person_left_within_the_minute_comes_back(other: Subscription) -> None:
    now = NOON + timedelta(seconds=30)
    assert last_leaving([other], now) is None
    assert last_leaving([other, left(NOON), left(NOON + timedelta(seconds=5))], now) == NOON + timedelta(seconds=5)
    assert taken_back([other, left(NOON)], NOON) == [left(NOON)]
