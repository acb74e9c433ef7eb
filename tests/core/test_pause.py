"""Until which day a person may pause."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import InputError
from alerts.core.pause import a_week_on, first_day, last_day, read_day

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 1, 5, 20, tzinfo=UTC)  # the 6th already in Shanghai


def test_a_pause_ends_when_the_day_begins_where_the_site_is() -> None:
    assert read_day(" 2026-01-31 ", now=EVENING, zone=SHANGHAI) == datetime(2026, 1, 30, 16, tzinfo=UTC)


def test_it_lasts_until_tomorrow_at_least_and_a_year_at_most() -> None:
    assert first_day(EVENING, SHANGHAI) == date(2026, 1, 7)
    assert last_day(EVENING, SHANGHAI) == date(2027, 1, 7)
    for day in (first_day(EVENING, SHANGHAI), last_day(EVENING, SHANGHAI)):
        assert read_day(day.isoformat(), now=EVENING, zone=SHANGHAI) > EVENING
    for day in (first_day(EVENING, SHANGHAI) - timedelta(days=1), last_day(EVENING, SHANGHAI) + timedelta(days=1)):
        with pytest.raises(InputError, match="must lie between 2026-01-07 and 2027-01-07"):
            read_day(day.isoformat(), now=EVENING, zone=SHANGHAI)


def test_an_example_is_a_day_that_would_do() -> None:
    example = a_week_on(EVENING, SHANGHAI)
    assert example == date(2026, 1, 13)
    assert read_day(example.isoformat(), now=EVENING, zone=SHANGHAI) > EVENING


@given(st.text(max_size=30))
def test_any_other_words_are_refused_in_plain_ones(text: str) -> None:
    with pytest.raises(InputError, match=r"write the day as|must lie between"):
        read_day(text, now=datetime(9000, 1, 1, tzinfo=UTC), zone=SHANGHAI)
