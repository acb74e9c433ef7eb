"""Queries as columns: texts that are there once, found again by their number, however many there are."""

from __future__ import annotations

import gc
import time

from hypothesis import given
from hypothesis import strategies as st

from alerts.core.query.query_table import NumberedStrings


@given(st.lists(st.text(max_size=3) | st.integers(0, 400).map(str), max_size=600))
def test_a_text_has_one_number_and_a_number_one_text(texts: list[str]) -> None:
    known, numbers = NumberedStrings(), dict[str, int]()
    for text in texts:
        assert known.number(text) == numbers.setdefault(text, len(numbers))
    known.close()
    assert list(known) == list(numbers)


def test_no_text_of_very_many_takes_long_to_add() -> None:
    """The event loop waits for each of them: one table for all took half a second now and then, of a million."""
    known, took = NumberedStrings(), list[float]()
    gc.disable()
    try:
        for number in range(100_000):
            before = time.thread_time()
            known.number(f"text {number}")
            took.append(time.thread_time() - before)
    finally:
        gc.enable()
    assert max(took) < sum(took) / 40
