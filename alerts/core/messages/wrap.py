"""Lines of a text mail: wrapped by the columns that are seen, not by a count of characters. It knows no templates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

WIDTH = 72  # columns of a text mail's line
#: A word, or one wide character with the marks that may not begin a line after it.
_UNBREAKABLE = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003fffd]"
    "[\u3001\u3002\u3005\u3009\u300b\u300d\u300f\u3011\u30fb\u30fc\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\u201d\u2019]*"
    "|[^\\s\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003fffd]+"
)


def wrap(text: str, *, first: str = "", rest: str = "", width: int = WIDTH) -> str:
    """Wrap ``text`` at ``width`` columns; ``first`` and ``rest`` stand before its lines. Long words stay whole."""
    lines, used = [first], columns(first)
    for space, word in _words(text):
        size = columns(word)
        if used + len(space) + size > width and lines[-1] not in {first, rest}:
            lines.append(rest)
            used, space = columns(rest), ""  # noqa: PLW2901 - a line begins without the space before its word
        lines[-1] += space + word
        used += len(space) + size
    return "\n".join(lines)


def columns(text: str) -> int:
    """Return how many columns ``text`` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Yield what may not be broken, each with the space before it."""
    end = 0
    for found in _UNBREAKABLE.finditer(text):
        yield (" " if found.start() > end > 0 else ""), found[0]
        end = found.end()
