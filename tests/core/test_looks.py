"""When a file may be read."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.core.looks import GIVES_UP_AFTER, LOOKS_APART, OLD_ENOUGH, Decision, Known, Look, decide

MOMENT = timedelta(milliseconds=1)


def look(now: datetime, *, age: timedelta = timedelta(0), size: int = 100) -> Look:
    return Look(size=size, mtime_ns=int((now - age).timestamp() * 1_000_000_000), inode=7)


def test_a_new_file_is_looked_at_again(now: datetime) -> None:
    assert decide(None, look(now, age=timedelta(days=9)), now=now, once=False) is Decision.LOOK_AGAIN


def test_two_looks_that_agree_and_are_apart_let_it_be_read(now: datetime) -> None:
    seen = look(now)
    known = Known(look=seen, looked_at=now)
    assert decide(known, seen, now=now + LOOKS_APART - MOMENT, once=False) is Decision.LOOK_AGAIN
    assert decide(known, seen, now=now + LOOKS_APART, once=False) is Decision.READ


def test_a_clock_that_was_set_back_delays_nothing(now: datetime) -> None:
    seen = look(now)
    assert decide(Known(look=seen, looked_at=now + timedelta(hours=2)), seen, now=now, once=False) is Decision.READ


@pytest.mark.parametrize("change", [{"size": 101}, {"mtime_ns": 1}, {"inode": 8}])
def test_any_difference_counts_as_a_change(now: datetime, change: dict[str, int]) -> None:
    seen = look(now)
    known = Known(look=seen, looked_at=now - timedelta(hours=1), read_at=now)
    assert decide(known, seen, now=now, once=False) is Decision.LEAVE
    assert decide(known, seen._replace(**change), now=now, once=False) is Decision.LOOK_AGAIN


def test_a_waiting_file_is_read_again_when_its_date_has_come(now: datetime) -> None:
    seen = look(now)
    known = Known(look=seen, looked_at=now, read_at=now, wait_until_at=now + MOMENT)
    assert decide(known, seen, now=now, once=False) is Decision.LEAVE
    assert decide(known, seen, now=now + MOMENT, once=False) is Decision.READ


def test_a_run_that_ends_reads_what_is_old_enough(now: datetime) -> None:
    assert decide(None, look(now, age=OLD_ENOUGH), now=now, once=True) is Decision.READ
    assert decide(None, look(now, age=OLD_ENOUGH - MOMENT), now=now, once=True) is Decision.LOOK_AGAIN
    assert decide(None, look(now, age=-timedelta(days=1)), now=now, once=True) is Decision.LOOK_AGAIN


def test_a_run_that_ends_gives_up_on_a_file_that_changes_between_its_looks(now: datetime) -> None:
    known = Known(look=look(now, size=50), looked_at=now - LOOKS_APART)
    assert decide(known, look(now), now=now, once=True) is Decision.BUSY
    assert decide(known, look(now), now=now, once=False) is Decision.LOOK_AGAIN
    long_ago = known._replace(looked_at=now - GIVES_UP_AFTER)
    assert decide(long_ago, look(now), now=now, once=True) is Decision.LOOK_AGAIN
