import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.pace import TokenBucket


def test_the_first_token_is_there_and_the_next_takes_its_time() -> None:
    bucket = TokenBucket(2.0)
    assert bucket.spend(100.0)
    assert not bucket.spend(100.0)
    assert bucket.pause(100.2) == pytest.approx(0.3)
    assert bucket.spend(100.5)


def test_a_tenth_of_a_second_is_saved_up_and_no_more() -> None:
    bucket = TokenBucket(100.0)
    assert [bucket.spend(0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [bucket.spend(3600.0) for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1.0)
    assert bucket.spend(10.0)
    assert bucket.pause(5.0) == 1.0
    assert not bucket.spend(10.0)


@given(
    rate=st.floats(0.001, 10_000),
    steps=st.lists(st.floats(0, 10), max_size=60),
    start=st.floats(0, 1e6),
)
def test_no_stretch_of_time_gives_more_than_the_rate_and_the_burst(
    rate: float, steps: list[float], start: float
) -> None:
    bucket, now, spent = TokenBucket(rate), start, 0
    for step in steps:
        now += step
        spent += bucket.spend(now)
    assert spent <= rate * (now - start) + bucket.burst + 1e-3


@given(rate=st.floats(0.001, 10_000), now=st.floats(0, 1e6))
def test_who_waits_as_long_as_told_gets_a_token(rate: float, now: float) -> None:
    bucket = TokenBucket(rate)
    while bucket.spend(now):
        pass
    assert bucket.spend(now + bucket.pause(now) * (1 + 1e-9) + 1e-9)
