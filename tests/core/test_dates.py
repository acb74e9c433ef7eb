"""Which writings are dates, and which moment they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.dates import read_day, read_moment

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    "text",
    [
        "Jan 4, 2026",
        "Jan. 4, 2026",
        "January 4, 2026",
        "JANUARY 4 2026",
        "January 4th, 2026",
        "Sunday, January 4, 2026",
        "Sun, 4 Jan 2026",
        "4 January 2026",
        "4th of January 2026",
        "4. January 2026",
        "04-Jan-2026",
        "2026-01-04",
        "2026-1-4",
        "2026/01/04",
        "2026.01.04",
        "2026.1.4.",
        "2026年1月4日",
        "2026 年 1 月 4 日",
        "2026年1月4日 星期日",
        "2026年1月4日（日）",
        "2026年1月4日 日曜日",
        "2026년 1월 4일",
        "  Jan 4, 2026  ",
    ],
)
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert read_day(text) == date(2026, 1, 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Jan 4",
        "2026",
        "04/01/2026",
        "Feb 30, 2026",
        "2026-13-01",
        "Jan 4, 0026",
        "Jan 4, 9999",
        "Jan 4, 2026 was a day",
        "On Jan 4, 2026",
        "Jan 4, 2026" + " " * 80 + ".",
        "٢٠٢٦-٠١-٠٤",
    ],
)
def test_what_is_more_or_less_than_a_day_is_none(text: str) -> None:
    assert read_day(text) is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-04", datetime(2026, 1, 3, 16, 0, tzinfo=UTC)),
        (date(2026, 1, 4), datetime(2026, 1, 3, 16, 0, tzinfo=UTC)),
        (datetime(2026, 1, 4, 10, 0), datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),  # noqa: DTZ001 - naive is the point
        (datetime(2026, 1, 4, 10, 0, tzinfo=UTC), datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("2026-01-04 10:00", datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        ("2026-01-04T10:00:00", datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        ("2026-01-04T10:00:00Z", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("2026-01-04 10:00:00 +0800", datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        ("2026-01-04 10:00:00 -05:30", datetime(2026, 1, 4, 15, 30, tzinfo=UTC)),
        ("2026-01-04T10:00:00.250+08:00", datetime(2026, 1, 4, 2, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-04 10:00 UTC", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("Jan 4, 2026, 10:00 GMT+8", datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        ("January 4, 2026 at 10:30 pm", datetime(2026, 1, 4, 14, 30, tzinfo=UTC)),
        ("Jan 4, 2026 12:05 a.m.", datetime(2026, 1, 3, 16, 5, tzinfo=UTC)),
        ("2026年1月4日 10:00", datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        ("Sun, 04 Jan 2026 10:00:00 GMT", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("Sun, 04 Jan 2026 10:00:00 EST", datetime(2026, 1, 4, 15, 0, tzinfo=UTC)),
        ("20260104T100000Z", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("1767520800", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
        ("1767520800250", datetime(2026, 1, 4, 10, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_without_a_zone_is_the_writers(value: object, moment: datetime) -> None:
    assert read_moment(value, SHANGHAI) == moment


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1767520800,
        time(10, 0),
        "",
        "tomorrow",
        "2026",
        "202601041000",
        "٢٠٢٦٠١٠٤١٠",
        "2026-01-04 25:00",
        "2026-02-30 10:00",
        "2026-01-04 10:00 +99",
        "tomorrow 10:00",
        "0001-01-01T00:00:00",
        "9999-12-31",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        "x" * 1000,
        "Sun, 04 Jan 2026 99:00:00 GMT",
    ],
)
def test_what_is_no_moment_is_none(value: object) -> None:
    assert read_moment(value, SHANGHAI) is None


@given(st.text(max_size=90) | st.datetimes() | st.dates() | st.integers() | st.none())
def test_anything_has_an_answer_in_utc(value: object) -> None:
    moment = read_moment(value, SHANGHAI)
    assert moment is None or moment.utcoffset() == timedelta()


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis asks for naive bounds
def test_what_iso_8601_writes_is_read_back(moment: datetime) -> None:
    assert read_moment(moment.isoformat(), SHANGHAI) == moment
