"""What readers are told of how many mails a channel makes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.history import MONTH, TOO_YOUNG, mails_a_month


@pytest.mark.parametrize(
    ("count", "days", "said"),
    [
        (9, 400, 9),  # an old channel: what its last 30 days had
        (9, 30, 9),
        (3, 10, 9),  # a young one: as if it went on like that
        (1, 29, 1),
        (0, 400, 0),  # none of late is none, and not "too new"
        (0, 8, 0),
        (5, 6.9, None),  # too young to say
        (0, 0, None),
        (99, 30, 99),
        (123, 30, 120),  # nobody knows the last digit
        (1_987, 30, 2_000),
    ],
)
def test_the_last_month_says_how_many(count: int, days: float, said: int | None) -> None:
    assert mails_a_month(count, age=timedelta(days=days)) == said


@given(count=st.integers(0, 10_000_000), days=st.floats(7, 40_000))
def test_it_is_never_less_than_what_came_nor_more_than_a_week_stands_for(count: int, days: float) -> None:
    said = mails_a_month(count, age=timedelta(days=days))
    assert said is not None
    assert count * 0.94 <= said <= count * (MONTH / TOO_YOUNG) * 1.06 + 1
