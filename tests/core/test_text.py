"""Text that people read, and text that the matcher compares."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.text import LONGEST_MARK_RUN, clean_line, clean_text, excerpt, fold

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    alphabet="aΐİßﬁℌ \n\r\t\u0300\u200d\u202e\ud800'’-—…米가"
)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("  a \t b\r\nc\u2028d ", "a b c d"),
        ("Xiao\x00mi\x1b[0m", "Xiaomi[0m"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("e\u0301", "é"),
        ("soft\u00adware", "software"),
        ("\u200b\u200e", ""),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("", ""),
    ],
)
def test_a_line_is_one_tidy_line(raw: str, line: str) -> None:
    assert clean_line(raw) == line


def test_a_text_keeps_its_paragraphs_and_lines() -> None:
    assert clean_text(" a  b \r\nc\n \n\n d\u2029e\x0bf ") == "a b\nc\n\nd\n\ne\nf"


def test_marks_piled_up_without_end_are_cut_short() -> None:
    assert len(clean_line("a" + "\u0316\u0300" * 200_000)) <= LONGEST_MARK_RUN + 1


@given(ANY_TEXT)
def test_cleaning_is_total_idempotent_and_leaves_nothing_dangerous(text: str) -> None:
    line, paragraphs = clean_line(text), clean_text(text)
    assert clean_line(line) == line
    assert clean_text(paragraphs) == paragraphs
    line.encode()
    for kept in line + paragraphs.replace("\n", ""):
        assert unicodedata.category(kept) not in {"Cc", "Cs"}
    assert not set(line + paragraphs) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short enough", 20, "short enough"),
        ("one two three four", 14, "one two three…"),
        ("one, two", 5, "one…"),
        ("Donaudampfschifffahrt", 10, "Donaudamp…"),
        ("小米汽车在美国高速公路上", 6, "小米汽车在…"),
        ("ab👩‍👩‍👧‍👦 family", 6, "ab…"),
        ("ne\u0301e\u0323\u0302x\u0323\u0301\u0302\u0300z", 6, "néệ…"),
        ("word", 0, ""),
        ("word", 1, "…"),
        ("👍🏽👍🏽", 2, "…"),
    ],
)
def test_an_excerpt_ends_between_words_and_never_inside_a_character(text: str, limit: int, short: str) -> None:
    assert excerpt(text, limit) == short


@given(ANY_TEXT, st.integers(-3, 40))
def test_an_excerpt_is_never_longer_than_asked(text: str, limit: int) -> None:
    assert len(excerpt(text, limit)) <= max(limit, 0)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("XIAOMI", "xiaomi"),
        ("Ｘｉａｏｍｉ", "xiaomi"),
        ("ﾃｽﾗ", "テスラ"),
        ("Straße", "strasse"),
        ("Xiaomi’s", "xiaomi's"),
        ("e‑tron", "e tron"),
        ("Li-Auto — NIO", "li auto nio"),
        ("Xiao\u200bmi", "xiaomi"),
        ("Xiao\x00mi", "xiaomi"),
        ("\u2003 a\u00a0b ", "a b"),
        ("ℌ", "h"),
    ],
)
def test_folding_takes_away_what_readers_do_not_tell_apart(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(ANY_TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(ANY_TEXT)
def test_folding_does_not_see_case(text: str) -> None:
    assert fold(text.casefold()) == fold(text)
