from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.core.silence import Silence


def test_who_says_nothing_new_for_long_enough_is_silent_and_who_speaks_again_is_not() -> None:
    silence: Silence[str] = Silence(8)
    assert silence.hear({"a": 1, "b": 1}, at_s=100) == set()
    assert silence.hear({"a": 2, "b": 1}, at_s=107.9) == set()
    assert silence.hear({"a": 3, "b": 1}, at_s=108) == {"b"}
    assert silence.hear({"a": 4, "b": 2}, at_s=109) == set()


def test_who_was_away_is_met_anew() -> None:
    silence: Silence[str] = Silence(8)
    silence.hear({"a": 1}, at_s=100)
    silence.hear({}, at_s=104)
    assert silence.hear({"a": 1}, at_s=109) == set()
    assert silence.hear({"a": 1}, at_s=117) == {"a"}


@given(st.lists(st.tuples(st.floats(0, 3), st.integers()), min_size=2))
def test_what_somebody_says_is_never_held_against_another_or_a_clock(steps: list[tuple[float, int]]) -> None:
    """Whatever times are said, going forth and back: who says another one every few seconds is never silent."""
    silence: Silence[str] = Silence(4)
    at_s = 0.0
    for number, (gap_s, said) in enumerate(steps):
        at_s += gap_s
        assert silence.hear({"steady": (said, number)}, at_s=at_s) == set()
