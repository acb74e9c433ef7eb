"""Wrapping the text part."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alerts.core.messages.wrap import columns, wrap


def test_words_wrap_under_the_bullet_that_they_belong_to() -> None:
    assert wrap("one two three four", first="• ", rest="  ", width=10) == "• one two\n  three\n  four"


def test_a_word_longer_than_the_line_stays_whole() -> None:
    assert wrap("see https://example.com/a/long/one now", width=12) == "see\nhttps://example.com/a/long/one\nnow"
    assert wrap("x" * 30 + " y", first="• ", rest="  ", width=10) == "• " + "x" * 30 + "\n  y"


def test_wide_characters_wrap_anywhere_but_before_their_punctuation() -> None:
    assert wrap("小米汽车，今年交付", width=8) == "小米汽\n车，今年\n交付"


def test_marks_take_no_column_and_wide_characters_two() -> None:
    assert columns("e\u0301") == 1
    assert columns("小a") == 3


@given(st.text(max_size=300), st.integers(1, 80))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    wrapped = wrap(text, width=width)

    assert "".join(wrapped.split()) == "".join(text.split())


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1), st.integers(9, 40))
def test_lines_are_as_full_as_they_can_be_and_no_fuller(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), width=width).split("\n")

    assert all(len(line) <= width for line in lines)
    for line, following in pairwise(lines):
        assert len(line) + 1 + len(following.split()[0]) > width
