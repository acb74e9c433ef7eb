from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.health import is_back_at_its_first_place, is_worth_a_warning

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("failures", "minutes", "stopped", "warned", "tells"),
    [
        (1, 0, False, False, False),
        (2, 600, False, False, False),
        (9, 59, False, False, False),
        (3, 60, False, False, True),
        (3, 60, False, True, False),
        (1, 0, True, False, True),
        (1, 0, True, True, False),
    ],
)
def test_a_warning_comes_once_after_an_hour_and_not_at_a_blip(
    failures: int, minutes: int, *, stopped: bool, warned: bool, tells: bool
) -> None:
    told = is_worth_a_warning(
        now=NOON, failures=failures, failing_since_at=NOON - minutes * MINUTE, stopped=stopped, warned=warned
    )

    assert told is tells


@pytest.mark.parametrize(
    ("hours", "permanent", "back"), [(0, False, False), (23, False, False), (24, False, True), (0, True, True)]
)
def test_a_new_address_is_given_up_when_it_is_gone_or_fails_for_a_day(
    hours: int, *, permanent: bool, back: bool
) -> None:
    since = NOON - timedelta(hours=hours)

    assert is_back_at_its_first_place(now=NOON, failing_since_at=since, permanent=permanent) is back
