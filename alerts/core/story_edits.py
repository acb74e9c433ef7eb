"""Where two tellings of a story differ, word by word, and whether that makes them two; no verdict on the whole.

A copy is the same words with another beginning or end. Inside them hardly a word may differ: nothing in the words tells
"moves" for "shifts", a matter of taste, from "rises" for "falls", another story.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

ALIGNED = 250  # words of each that are laid side by side: what costs time grows with their product

_ONE_IN = 50  # words of a long text, one may be another: a report of one pattern differs in more, or in a name
_HAN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_HAN_NUMBER = re.compile("[〇零一二两三四五六七八九十百千万亿首]")
# fmt: off
_MATTER_OF_TASTE = frozenset((  # words that editors put in or take out, and that tell nothing
    "the", "a", "an", "that", "which", "who", "its", "his", "her", "their", "it", "said", "says", "told", "reported",
    "reportedly", "also", "percent", "per", "cent", "of", "and", "s",
))
_NUMBER_WORDS = frozenset((
    "first", "second", "third", "fourth", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "twenty", "dozen", "hundred", "thousand", "million", "billion", "january", "february",
    "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "monday",
    "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "no", "not", "never", "cannot",
))
# fmt: on


def is_number(word: str) -> bool:
    """Whether a word counts, dates or denies: what changes from one report to the next."""
    counts = word[0].isdigit() or word in _NUMBER_WORDS or _HAN_NUMBER.search(word) is not None
    return counts or word.endswith("n't")


def tells_something(word: str) -> bool:
    """Whether a word is more than an editor's taste."""
    return word not in _MATTER_OF_TASTE


def is_han(word: str) -> bool:
    """Whether a word is of Chinese or Japanese: two characters that may be half of a word, or of two."""
    return _HAN.match(word) is not None


def edits(shorter: Sequence[str], longer: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that stand in one text only, and those that the longer goes on to say.

    What the longer says before the shorter begins is no difference. Words that were exchanged for each other, or that
    stand elsewhere, are in the first list.
    """
    mine, theirs = shorter[:ALIGNED], longer[: 2 * ALIGNED]
    opcodes = SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes()
    differing: list[str] = []
    further: list[str] = []
    for place, (kind, begin, end, there, there_end) in enumerate(opcodes):
        if kind == "equal" or (kind == "insert" and place == 0):
            continue
        if kind == "insert" and place == len(opcodes) - 1:
            further += theirs[there:there_end]
            continue
        differing += [*mine[begin:end], *theirs[there:there_end]]
    return differing, further


def what_tells(differing: Sequence[str], *, names: Collection[str], length: int) -> str | None:
    """Return the differing word for which two texts of ``length`` words are two stories; None if there is none."""
    telling = [word for word in differing if tells_something(word)]
    for word in telling:
        if is_number(word) or word in names or is_han(word):
            return word
    both = 2 * (length // _ONE_IN)  # a word that stands for another is found on both sides
    return telling[0] if len(telling) > both else None
