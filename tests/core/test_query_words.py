"""Where words begin and end, in the scripts of the world."""

from __future__ import annotations

import tracemalloc

import pytest

from alerts.core.query.words import is_or_begins, is_spaceless, occurrences, word_starts
from alerts.core.text import fold


@pytest.mark.parametrize(
    ("term", "found_in", "not_found_in"),
    [
        (
            "xiaomi",
            ["Xiaomi's", "XIAOMI’S", "Ｘｉａｏｍｉ", "(Xiaomi)", "Xiaomi-backed", "小米Xiaomi汽车"],
            ["Xiaomis", "Xiaomi2"],
        ),
        ("NIO", ["NIO, XPeng", "Nio's", "#nio_es8"], ["Nioh", "Antonio", "Onio"]),
        ("BYD", ["BYD", "BYD:", "BYD는"], ["BYDx", "xBYD", "BYD2"]),
        ("Ford", ["Ford-Werke", "l'Ford"], ["affordable", "Stanford", "Fordism"]),
        ("e-tron", ["e-tron", "e‑tron GT", "E tron"], ["etron", "e-trons"]),
        ("Li Auto", ["Li Auto", "Li-Auto", "LI AUTO", "Li\u00a0Auto"], ["Li. Auto", "Bali Auto", "Li Automotive"]),
        ("C++", ["C++", "(C++)", "C++11"], ["C+"]),
        ("AT&T", ["AT&T's"], ["AT & T", "BAT&T"]),
        ("SU7", ["小米SU7发布", "SU7의"], ["SU7X", "XSU7", "SU70"]),
        ("小米", ["小米", "小米汽车", "新小米"], ["小 米"]),
        ("テスラ", ["テスラ車", "ﾃｽﾗ", "米テスラ社"], ["テス"]),
        ("ไทย", ["ประเทศไทย"], ["ไท"]),
        ("샤오미", ["샤오미가", "샤오미", "新샤오미", "EV샤오미"], ["중샤오미"]),
        ("Škoda", ["ŠKODA", "S\u030ckoda"], ["Skoda"]),
        ("हिन्दी", ["हिन्दी में"], ["हिन्दीभाषा"]),
        ("e", ["e"], ["é", "e\u0327"]),
    ],
)
def test_a_term_is_found_as_a_word(term: str, found_in: list[str], not_found_in: list[str]) -> None:
    assert all(occurrences(fold(text), fold(term)) for text in found_in)
    assert not any(occurrences(fold(text), fold(term)) for text in not_found_in)


def test_a_prefix_is_found_where_a_word_begins() -> None:
    assert occurrences("electric electrons bioelectric", "electr", prefix=True) == [0, 9]


def test_every_occurrence_is_found_and_none_twice() -> None:
    assert occurrences("nio nio antonio nio", "nio") == [0, 4, 16]
    assert occurrences("米米米", "米米") == [0]
    assert occurrences("aa aa aa", "aa aa") == [0]
    assert occurrences("", "a") == []


def test_a_label_is_compared_whole_or_by_its_beginning() -> None:
    assert is_or_begins("xiaomi ev", "xiaomi", prefix=True)
    assert not is_or_begins("xiaomi ev", "xiaomi", prefix=False)
    assert is_or_begins("xiaomi", "xiaomi", prefix=False)


def test_one_character_can_be_a_word_in_scripts_without_spaces() -> None:
    assert is_spaceless("米")
    assert is_spaceless("a한")
    assert not is_spaceless("ab")


def test_the_words_of_a_very_long_line_are_not_kept() -> None:
    tracemalloc.start()
    try:
        assert len(word_starts("小米 " * 50_000)) == 100_000
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
