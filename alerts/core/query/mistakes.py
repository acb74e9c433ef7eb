"""What is wrong with a query as a text, and where; what its words mean is ``parser``'s business."""

from __future__ import annotations

import re

from alerts.core.errors import QueryError
from alerts.core.query.pointer import picture

DEEPEST_NESTING = 50
_BRIEF = 40  # characters

_SCANNED = re.compile(r'\\.|\\\Z|"(?:[^"\\]|\\.)*+"|[()"]', re.DOTALL)


def mistake(text: str, at: int, sentence: str) -> QueryError:
    """Return the error that says ``sentence`` of the character ``at`` in a query."""
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    sentence = f"line {line}, column {column}: {sentence}"
    return QueryError(sentence, at=at, line=line, column=column, picture=picture(text, line=line, column=column))


def brief(text: str) -> str:
    """Return a piece of a query as a sentence can hold it: on one line, printable, not endless."""
    shown = "".join(character if character.isprintable() else " " for character in text[: _BRIEF + 1])
    return shown if len(text) <= _BRIEF else f"{shown[:_BRIEF]}…"


def check_pairs(text: str) -> None:
    """Refuse quotes and parentheses that do not pair, and nesting without end, before the grammar sees them."""
    opened: list[int] = []
    for sign in _SCANNED.finditer(text):
        match sign[0]:
            case "(":
                opened.append(sign.start())
            case ")" if not opened:
                raise mistake(text, sign.start(), 'This ")" closes nothing. Remove it, or add the "(" before.')
            case ")":
                opened.pop()
            case '"':
                raise mistake(text, sign.start(), "This quotation mark is never closed. Add a second one.")
            case "\\":
                raise mistake(text, sign.start(), "A backslash must stand before the character that it protects.")
        if len(opened) > DEEPEST_NESTING:
            raise mistake(text, sign.start(), f"More than {DEEPEST_NESTING} parentheses inside one another.")
    if opened:
        raise mistake(text, opened[-1], 'This "(" is never closed. Add a ")".')


def missing(text: str, at: int) -> QueryError:
    """Explain why a term is missing at ``at``: a parenthesis is closed too early, or the query is over."""
    if text[at : at + 1] == ")":
        return mistake(text, at, 'A term is missing before this ")".')
    return mistake(text, len(text.rstrip()), "The query ends where a term should follow.")
