"""Where a word begins and ends, script by script; it compares folded text and knows nothing of queries.

Latin, Greek, Cyrillic, Arabic, Indic … words are found whole. Han, Kana, Thai, Lao, Khmer and Burmese are written
without spaces, so a term is found anywhere. Hangul puts its particles behind the word (샤오미가), so a word must
begin where the term does and may go on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_NO_WORD = 0  # spaces, punctuation, symbols: a word ends here
_BOUNDED = 1  # letters, digits and marks of scripts that put spaces between words
_HANGUL = 2
_UNBOUNDED = 3  # scripts without spaces between words

_LONGEST_KEPT = 5_000  # characters of a line whose words are remembered; of a million they would take 40 MB

_UNBOUNDED_SCRIPTS = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u303c\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"  # Han, rare
    "\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Kana, Bopomofo
    "]"
)
_HANGUL_SCRIPT = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb]")


def occurrences(text: str, key: str, *, prefix: bool = False) -> list[int]:
    """Return where ``key`` stands as a word of ``text`` (both folded); with ``prefix`` the word may go on.

    >>> occurrences("nio's nioh and antonio", "nio")
    [0]
    """
    found = []
    at = text.find(key)
    while at >= 0:
        end = at + len(key)
        if starts_word(text, at) and (prefix or _ends_word(text, end)):
            found.append(at)
            at = text.find(key, end)
        else:
            at = text.find(key, at + 1)
    return found


def spans_of(text: str, keys: Sequence[str], *, prefix: bool = False) -> list[tuple[int, int]]:
    """Return from where to where any of ``keys`` stands in ``text``, in order; what overlaps counts once, the longer.

    >>> spans_of("小米汽车 is xiaomi", ["xiaomi", "小米", "小米汽车"])
    [(0, 4), (8, 14)]
    """
    found = [(at, -len(key)) for key in keys for at in occurrences(text, key, prefix=prefix)]
    if len(keys) > 1:
        found.sort()
    spans: list[tuple[int, int]] = []
    for at, length in found:
        if not spans or at >= spans[-1][1]:
            spans.append((at, at - length))
    return spans


def word_starts(text: str) -> tuple[int, ...]:
    """Return where words begin; of scripts without spaces each character is one."""
    return _known_word_starts(text) if len(text) <= _LONGEST_KEPT else _word_starts(text)


def _word_starts(text: str) -> tuple[int, ...]:
    kinds = [_kind(character) for character in text]
    return tuple(
        at
        for at, (before, kind) in enumerate(pairwise([_NO_WORD, *kinds]))
        if kind == _UNBOUNDED or kind not in {_NO_WORD, before}
    )


_known_word_starts = lru_cache(maxsize=64)(_word_starts)


def is_or_begins(label: str, key: str, *, prefix: bool) -> bool:
    """Say whether a label (a tag, a ticker, a language) is ``key``, or with ``prefix`` begins with it."""
    return label == key or (prefix and label.startswith(key))


def is_spaceless(key: str) -> bool:
    """Say whether ``key`` holds a character of a script in which one character can be a word."""
    return any(_kind(character) in {_UNBOUNDED, _HANGUL} for character in key)


def says_something(text: str) -> bool:
    """Say whether there is a letter, a digit or a pictogram to look for."""
    return any(character.isalnum() or unicodedata.category(character) == "So" for character in text)


def starts_word(text: str, at: int) -> bool:
    """Say whether a word may begin at ``at``."""
    if at == 0:
        return True
    kind = _kind(text[at])
    return kind not in {_BOUNDED, _HANGUL} or _kind(text[at - 1]) != kind


def _ends_word(text: str, end: int) -> bool:
    return end == len(text) or not _kind(text[end - 1]) == _kind(text[end]) == _BOUNDED


@lru_cache(maxsize=4096)
def _kind(character: str) -> int:
    if not (character.isalnum() or unicodedata.category(character).startswith("M")):
        return _NO_WORD
    if _UNBOUNDED_SCRIPTS.match(character):
        return _UNBOUNDED
    return _HANGUL if _HANGUL_SCRIPT.match(character) else _BOUNDED
