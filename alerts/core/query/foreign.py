"""Words that mean something in another language of queries, or on another keyboard, and would mean nothing here.

Each is refused with how it is written here: a query that finds nothing and says nothing is the worst answer. Quotes
make anything a plain text, and so does a backslash of the sign behind it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from alerts.core.query.mistakes import brief
from alerts.core.query.tree import FIELDS, Field
from alerts.core.query.words import says_something

OPERATORS = frozenset({"AND", "OR", "NOT", "NEAR"})

_MINUS = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"  # what keyboards make of it
_NOT = "!\uff01\u00ac"
_PLUS = "+\uff0b"
_APOSTROPHES = "'\u2018\u2019\u201a\u201b`\u00b4\uff07"
_CLOSED = re.compile(rf"[{_APOSTROPHES}](?=[\s)]|\Z)")
_OTHER_QUOTES = "«»‹›「」『』｢｣"
_OTHER_BRACKETS = "[]{}［］｛｝<＜"
_BARS = {
    "&": "AND",
    "&&": "AND",
    "＆": "AND",
    "＆＆": "AND",
    "|": "OR",
    "||": "OR",
    "｜": "OR",
    "｜｜": "OR",
    "!": "NOT",
}

_NEAR = re.compile(r"(?i:NEAR)/\S*")
_OTHER_NEAR = re.compile(r"(?i:w|n|pre|onear|within|adj|prox)/\d+", re.ASCII)
_LOOKS_ABOVE = re.compile(r".*>=?[\d.]+%?|>=?", re.DOTALL)
_LOOKS_DISTANT = re.compile(r".*~\d*", re.DOTALL)
_REGEX = re.compile(r"/.+/[a-z]*", re.DOTALL)
_UNSPACED = "\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_GLUED = re.compile(
    rf"(?<=[{_UNSPACED}])(?:AND|OR|NOT|NEAR)(?=[{_UNSPACED}]|\Z)|\A(?:AND|OR|NOT|NEAR)(?=[{_UNSPACED}])"
)
# Each skips what a backslash protects: the sign is the group.
_BAR_INSIDE = re.compile(r"\\.|(\|\|?|｜｜?|&&|＆＆)", re.DOTALL)
_ONE_LETTER = re.compile(r"\\.|(?<=\w)([?？])(?=\w)", re.DOTALL)
_WEIGHT = re.compile(r"\\.|(\^[\d.]+\Z)", re.DOTALL)
_COMPARED = re.compile(r"\\.|((?<!>)[<=≤≥＜＝]=?\.?\d)", re.DOTALL)
_LIST_SIGN = re.compile(r"\\.|([,;，；、､،؛])", re.DOTALL)
_ENDING = ",;:.!?…、，。；！？"
_NEXT = re.compile(r"\s*([^\s()\"]+|[(\"])")


class Refusal(NamedTuple):
    """What is wrong with a word, and at which of its characters."""

    sentence: str
    at: int = 0


class Word(NamedTuple):
    """A word outside quotes, as it was typed, and where."""

    text: str
    field: Field
    query: str
    at: int  # where in the query it begins


def refusal(word: Word) -> Refusal | None:
    """Return why a word cannot mean what it looks like, or None for one that may be looked for."""
    return next((found for check in _CHECKS if (found := check(word)) is not None), None)


def glued(text: str) -> Refusal | None:
    """Return why an operator stuck to a Chinese, Japanese or Korean word is none."""
    found = None if text.isascii() else _GLUED.search(text)
    return found and Refusal(f"Put a space on each side of {found[0]}; or use quotes.", found.start())


def _operator(word: Word) -> Refusal | None:
    text, shown = word.text, brief(word.text)
    if text in OPERATORS or text.startswith("NEAR/"):
        return Refusal(f'{shown} needs a term on each side. For the word itself write "{shown}".')
    if (operator := unicodedata.normalize("NFKC", text).upper()) in OPERATORS or _NEAR.fullmatch(text):
        return Refusal(f'Operators are in capitals: {brief(operator)}. For the word itself write "{shown}".')
    if text in _BARS:
        return Refusal(f"{text} is no operator here: write {_BARS[text]}.")
    if _OTHER_NEAR.fullmatch(text) or (text[0] == "/" and text[1:].isdecimal()):
        return Refusal("Nearness is written with NEAR, as in Xiaomi NEAR/5 recall. For the text itself use quotes.")
    return None


def _sign_before(word: Word) -> Refusal | None:
    sign, rest = word.text[0], word.text[1:]
    if sign == ":":
        return Refusal("A field stands right before its colon, as in title:Xiaomi. For the text itself use quotes.")
    if not says_something(rest):
        return None
    if sign in _MINUS or sign in _NOT:
        shown = brief(word.text)
        return Refusal(f'To leave articles out write NOT {brief(rest)}. For the text itself write "{shown}".')
    if sign in _PLUS:
        return Refusal(f"Every term is needed unless OR stands beside it: write {brief(rest)}.")
    return None


def _quotes(word: Word) -> Refusal | None:
    text = word.text
    ends = {text[0]: 0, text[-1]: len(text) - 1}
    for sign, at in ends.items():
        if sign in _OTHER_QUOTES:
            return Refusal(f'A phrase stands in double quotes: "…". For {sign} itself put it inside them too.', at)
        if sign in _OTHER_BRACKETS:
            return Refusal(f"Only ( and ) group. For {sign} itself use double quotes.", at)
    if text[0] in _APOSTROPHES and _CLOSED.search(word.query, word.at + 1):
        return Refusal('A phrase stands in double quotes: "…".')
    return None


def _pattern(word: Word) -> Refusal | None:
    if _REGEX.fullmatch(word.text):
        return Refusal(
            "Regular expressions are not known here: write words, OR between them, or electr* for any ending."
        )
    if (at := _place(_ONE_LETTER, word.text)) is not None:
        both = "write both spellings with OR, or a beginning such as electr*"
        return Refusal(f"No sign stands for one letter: {both}. For the sign itself use quotes.", at)
    return None


def _score(word: Word) -> Refusal | None:
    text = word.text
    if _LOOKS_ABOVE.fullmatch(text) and (word.field is not Field.ABOUT or text[0] == ">"):
        return Refusal("A score stands right behind its term, as in about:Xiaomi>0.7; or use quotes.")
    if word.field is Field.ABOUT and (at := _place(_COMPARED, text)) is not None:
        return Refusal("A score is only compared with >, as in about:Xiaomi>0.7; or use quotes.", at)
    if (at := _place(_WEIGHT, text)) is not None:
        return Refusal("Terms have no weights here. For the text itself use quotes.", at)
    if _LOOKS_DISTANT.fullmatch(text):
        return Refusal('A distance stands behind a phrase, as in "battery fire"~5; or use quotes.')
    return None


def _field_inside(word: Word) -> Refusal | None:
    name, colon, _ = word.text.partition(":")
    if word.field and colon and name.lower() in FIELDS:
        return Refusal(f"{name}: cannot stand inside {word.field}:. Close the parenthesis before it.")
    return None


def _bar_inside(word: Word) -> Refusal | None:
    if (at := _place(_BAR_INSIDE, word.text)) is None:
        return None
    sign = word.text[at]
    return Refusal(f"{sign} is no operator here: write {'OR' if sign in '|｜' else 'AND'}, with spaces around it.", at)


def _list(word: Word) -> Refusal | None:
    """Refuse a list: "小米，特斯拉" may mean either, or both, or a text with a comma in it."""
    text = word.text
    for found in _LIST_SIGN.finditer(text):
        at = found.start()
        if not found[1] or (found[1] in ",，" and text[:at][-1:].isdigit() and text[at + 1 :][:1].isdigit()):
            continue
        follows = text[at + 1 :].strip(_ENDING) or _next(word)
        if follows in OPERATORS or not follows:
            continue
        sides = (text[:at], follows)
        left, right = map(brief, sides) if all(map(str.isalnum, sides)) else ("Xiaomi", "Tesla")
        either = f"for either write {left} OR {right}, for both {left} AND {right}"
        return Refusal(f'A "{found[1]}" joins nothing: {either}, for the text itself use quotes.', at)
    return None


def _ticker(word: Word) -> Refusal | None:
    """Refuse a share as pages print it, with a space: that would be an exchange and any article with its number."""
    if word.field is not Field.TICKER or not word.text.endswith(":"):
        return None
    code = _next(word)
    written = f"{brief(word.text)}{brief(code)}" if code.isalnum() else "HKG:1810"
    return Refusal(f"A share is written without a space, as in ticker:{written}; or in quotes.", len(word.text) - 1)


def _next(word: Word) -> str:
    """Return the piece of the query that follows a word; nothing at the end of a parenthesis."""
    found = _NEXT.match(word.query, word.at + len(word.text))
    return found[1] if found else ""


def _place(pattern: re.Pattern[str], text: str) -> int | None:
    """Return where a pattern's group stands first, if it does."""
    return next((found.start(1) for found in pattern.finditer(text) if found[1]), None)


_CHECKS: tuple[Callable[[Word], Refusal | None], ...] = (
    _operator,
    _sign_before,
    _score,
    _field_inside,
    _quotes,
    _pattern,
    _bar_inside,
    _list,
    _ticker,
)
