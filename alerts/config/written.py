"""Where in the file a character of a value stands; what a value is, YAML says.

YAML folds lines, takes indents away and knows escapes, so places in a value and in the file differ. What is not a
space stands in both, in the same order: so a place is found by counting. Total: a place that cannot be told is the
value's end.
"""

from __future__ import annotations

import re

_SPACE = " \t\r\n\x85\u2028\u2029"
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # an anchor, a tag
_BLOCK = re.compile(r"[|>][^\n]*\n?")
_PIECE = {
    "'": re.compile(r"''|[^']", re.DOTALL),
    '"': re.compile(r"\\(?:x.{2}|u.{4}|U.{8}|\r\n|.)|[^\"\\]", re.DOTALL),
    "": re.compile(r".", re.DOTALL),
}
_SPACE_ESCAPES = {f"\\{letter}" for letter in "tnrNLP \t\r\n"} | {"\\\r\n"}


def offset_in(written: str, value: str, at: int) -> int:
    """Return where in ``written``, a scalar as the file has it, stands the character ``at`` of its ``value``.

    >>> offset_in("'it''s (x'", "it's (x", 5)
    7
    """
    before = sum(character not in _SPACE for character in value[:at])
    of_space = at >= len(value) or value[at] in _SPACE  # then it stands behind the last that is none
    place = 0
    for start, end in _visible(written):
        place = end
        if before == 0:
            return start
        before -= 1
        if of_space and before == 0:
            return end
    return place


def _visible(written: str) -> list[tuple[int, int]]:
    """Return from where to where each character that is no space is written."""
    found = _PROPERTIES.match(written)
    begin = found.end() if found else 0
    first = written[begin : begin + 1]
    if block := _BLOCK.match(written, begin):
        return _spans(_PIECE[""], written, block.end(), len(written))
    if first in {"'", '"'} and first:
        return _spans(_PIECE[first], written, begin + 1, max(begin + 1, len(written) - 1))
    return _spans(_PIECE[""], written, begin, len(written))


def _spans(piece: re.Pattern[str], written: str, begin: int, end: int) -> list[tuple[int, int]]:
    return [found.span() for found in piece.finditer(written, begin, end) if not _is_space(found[0])]


def _is_space(piece: str) -> bool:
    if piece[0] != "\\" or len(piece) == 1:
        return piece in _SPACE
    if piece[1] in "xuU":
        number = piece[2:]
        return bool(re.fullmatch("[0-9a-fA-F]+", number)) and chr(int(number, 16) & 0xFFFF) in _SPACE
    return piece in _SPACE_ESCAPES
