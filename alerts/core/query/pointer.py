"""A mistake's place, drawn: the line it stands in and a caret under it, as a terminal shows them."""

from __future__ import annotations

import unicodedata

_BEFORE = 50  # characters of the line that are shown before the place, and behind it
_WIDE = {"W", "F"}
_NO_WIDTH = {"Mn", "Me"}  # marks on the character before, also those that no normal form orders (Thai, Hindi)


def picture(text: str, *, line: int, column: int) -> str:
    """Return two lines: the ``line`` of ``text`` (cut where it is long) and a caret under its ``column``, both from 1.

    >>> print(picture("小米 OR (NIO", line=1, column=7))
    小米 OR (NIO
            ^
    """
    # As columns are counted: a line ends with a line feed and with nothing else.
    whole = text.split("\n")[line - 1]
    start, end = max(0, column - 1 - _BEFORE), column - 1 + _BEFORE
    before = _shown(whole[start : column - 1], cut=start > 0)
    after = _shown(whole[column - 1 : end])
    dots = " …" if end < len(whole) else ""
    return f"{before}{after}{dots}".rstrip() + f"\n{' ' * sum(map(_width, before))}^"


def _shown(piece: str, *, cut: bool = False) -> str:
    """Return a piece of a line with nothing in it that moves a terminal's cursor."""
    visible = "".join(character if character.isprintable() else " " for character in piece)
    return f"… {visible}" if cut else visible


def _width(character: str) -> int:
    if (
        unicodedata.category(character) in _NO_WIDTH or "\u1160" <= character <= "\u11ff"
    ):  # those join a Hangul syllable
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
