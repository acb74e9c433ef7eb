"""What a word, a phrase, a field and NEAR mean, and what is refused that other query languages write differently."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple, cast

from alerts.core.errors import QueryError
from alerts.core.query.aliases import Aliases
from alerts.core.query.foreign import OPERATORS, Word, glued, refusal
from alerts.core.query.mistakes import brief, mistake
from alerts.core.query.tree import FIELDS, Field, Near, Node, Or, Term
from alerts.core.query.words import is_spaceless, says_something
from alerts.core.query.zones import language_key, tag_key, ticker_key
from alerts.core.text import fold, fold_but_case
from alerts.core.tickers import is_exchange

LONGEST_TERM = 200
SHORTEST_PREFIX = 2  # letters before a *, but for scripts in which one character is a word

USUAL_DISTANCE = 10  # of NEAR alone: other words that may lie between
LONGEST_DISTANCE = 100
NEARFIELDS = (Field.TEXT, Field.TITLE, Field.SUMMARY, Field.BODY, Field.CASE)

_LANGUAGE = re.compile(r"(?!(?:cn|cz|dk|gr|jp)(?:-|\Z))[a-z]{2,3}(?:-[a-z0-9]{1,8})*")  # those five are countries
_LANGUAGES_BY_NAME = {
    name: code
    for code, names in {
        "zh": "chinese 中文 汉语 漢語 cn",
        "cs": "czech cz",
        "da": "danish dk",
        "de": "german deutsch",
        "el": "greek gr",
        "en": "english",
        "es": "spanish",
        "fr": "french",
        "it": "italian",
        "ja": "japanese 日本語 jp",
        "ko": "korean 한국어",
        "nl": "dutch",
        "pt": "portuguese",
        "ru": "russian",
    }.items()
    for name in names.split()
}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STAR = re.compile(r"\\.|(\*)", re.DOTALL)
_PUNCTUATION_AFTER = ",;:.!?…、，。；！？"
_QUOTED = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")(?P<star>\*?)(?P<tail>.*)', re.DOTALL)
_ABOVE_AT = re.compile(r"\\.|(>)", re.DOTALL)
_ABOVE = re.compile(r">0?(?:\.\d{1,2}|(?<=0))", re.ASCII)
_DISTANCE = re.compile(r"[~/]\d{1,3}", re.ASCII)


class Token(NamedTuple):
    """A piece of a query as it was typed."""

    text: str
    at: int  # where in the query it begins


class Place(NamedTuple):
    """What holds for the terms inside a field."""

    field: Field
    above: float | None = None  # the score that is not enough


class Terms:
    """The terms of one query; it holds the query's text, so that mistakes have a place."""

    def __init__(self, text: str, aliases: Aliases) -> None:
        self._text = text
        self._aliases = aliases

    def field(self, token: Token) -> Field:
        """Return the field that ``title:`` names."""
        name = unicodedata.normalize("NFKC", token.text[:-1]).lower()
        if (known := FIELDS.get(name)) is not None:
            return known
        if is_exchange(name):
            share = f"ticker:{name.upper()}:…, without spaces"
            raise self._wrong(token, f'There is no field "{token.text}". A share is written {share}.')
        near = get_close_matches(name[:40], FIELDS, n=1)
        meant = f"Did you mean {near[0]}:?" if near else f"Fields are {', '.join(FIELDS)}."
        raise self._wrong(
            token, f'There is no field "{brief(token.text)}". {meant} To look for the text itself, put it in quotes.'
        )

    def distance(self, operator: Token) -> int:
        """Read the distance of ``NEAR/5``."""
        return self._distance(operator, operator.text[4:]) if operator.text[4:] else USUAL_DISTANCE

    def near(self, sides: Sequence[Node], operators: Sequence[tuple[Token, int]]) -> Near:
        """Return what stands together: ``sides`` with an operator and its distance between each two."""
        first, within = operators[0]
        for operator, distance in operators:
            if distance != within:
                raise self._wrong(operator, "In one chain every NEAR has the same distance. Join two of them with AND.")
        groups = [self._side(side, operators[max(0, number - 1)][0]) for number, side in enumerate(sides)]
        text = f" {first.text} ".join(_written(group) for group in groups)
        field = groups[0][0].field
        return self._together(Near(tuple(groups), within, f"{field}:({text})" if field else text), first)

    def above(self, token: Token, field: Field, offset: int = 0) -> float:
        """Read ``>0.7`` at ``offset`` in a token."""
        if field is not Field.ABOUT:
            raise self._wrong(token, "Only about: has a score to compare. For the text itself use quotes.", offset)
        if not _ABOVE.fullmatch(token.text, offset):
            example = "as in about:Xiaomi>0.7"
            raise self._wrong(
                token, f"Behind > stands a score from 0 to 0.99 that must be exceeded, {example}.", offset
            )
        return float(token.text[offset + 1 :])

    def word(self, token: Token, place: Place) -> Term:
        """Return the term that a word writes."""
        text = token.text
        if (stuck := glued(text)) is not None:
            raise self._wrong(token, stuck.sentence, stuck.at)
        if text.isalnum() and unicodedata.normalize("NFKC", text).upper() not in OPERATORS:  # nearly all of them
            return self._term(token, text, place, prefix=False)
        if (refused := refusal(Word(text, place.field, self._text, token.at))) is not None:
            raise self._wrong(token, refused.sentence, refused.at)
        at = (
            next((sign.start() for sign in _ABOVE_AT.finditer(text) if sign[1]), None)
            if place.field is Field.ABOUT
            else None
        )
        if at is not None:
            place = Place(place.field, self.above(token, place.field, at))
        word = text[:at]
        stars = [star.start() for star in _STAR.finditer(word) if star[1]]
        prefix = stars == [len(word) - 1]
        if stars and not prefix:
            raise self._wrong(
                token, 'A * may only end a word, as in electr*. For the sign itself write "\\*".', stars[0]
            )
        written = word[:-1] if prefix else word.rstrip(_PUNCTUATION_AFTER)
        return self._term(token, _ESCAPED.sub(r"\1", written or word), place, prefix=prefix)

    def phrase(self, token: Token, place: Place) -> Term | Near:
        """Return the term, or the terms near one another, that a quoted phrase and what hangs on it write."""
        parts = cast("re.Match[str]", _QUOTED.fullmatch(token.text))
        written, tail, at = _ESCAPED.sub(r"\1", parts["quoted"][1:-1]), parts["tail"], parts.start("tail")
        prefix = bool(parts["star"])
        if tail.startswith("~") and not prefix:
            return self._near_phrase(token, written, at, place)
        if tail.startswith(">"):
            place = Place(place.field, self.above(token, place.field, at))
        elif tail:
            sentence = 'Behind a phrase may stand *, or ~ with a distance, as in "battery fire"~5.'
            raise self._wrong(token, f"{sentence} Put a space before what follows.", at)
        return self._term(token, written, place, prefix=prefix)

    def _side(self, node: Node, operator: Token) -> tuple[Term, ...]:
        nodes = node.nodes if isinstance(node, Or) else (node,)
        terms = tuple(one for one in nodes if isinstance(one, Term))
        if len(terms) < len(nodes):
            sides = "words, phrases and alternatives, as in (recall OR defect) NEAR/5 Xiaomi"
            raise self._wrong(operator, f"NEAR stands between {sides}.")
        return terms

    def _together(self, near: Near, token: Token, offset: int = 0) -> Near:
        """Refuse terms that cannot stand together: in two places, or in one without words."""
        fields = {term.field for group in near.groups for term in group}
        if len(fields) > 1:
            raise self._wrong(token, "NEAR needs both in one place: write title:(Xiaomi NEAR recall).", offset)
        if near.field not in NEARFIELDS:
            names = ", ".join(f"{field}:" for field in NEARFIELDS if field)
            raise self._wrong(token, f"Nearness is asked of texts: without a field, or in {names}.", offset)
        return near

    def _distance(self, token: Token, written: str) -> int:
        """Read ``/5`` or ``~5`` at the end of a token."""
        if not _DISTANCE.fullmatch(written) or int(written[1:]) > LONGEST_DISTANCE:
            what = f"Behind {written[0]} stands how many other words may lie between, 0 to {LONGEST_DISTANCE}"
            example = 'as in "battery fire"~5' if written[0] == "~" else "as in Xiaomi NEAR/5 recall"
            raise self._wrong(token, f"{what}, {example}.", len(token.text) - len(written))
        return int(written[1:])

    def _near_phrase(self, token: Token, written: str, at: int, place: Place) -> Near:
        distance = self._distance(token, token.text[at:])
        words = [self._term(token, word, place, prefix=False) for word in written.split()]
        if len(words) < 2:  # noqa: PLR2004 - nothing is near itself
            raise self._wrong(token, "Nearness needs two words or more, with spaces between them.", at)
        prefix = f"{place.field}:" if place.field else ""
        return self._together(Near(tuple((word,) for word in words), distance, f"{prefix}{token.text}"), token, at)

    def _term(self, token: Token, text: str, place: Place, *, prefix: bool) -> Term:
        field = place.field
        key = _key(text, field, whole=not prefix)
        if not (key.isalnum() or says_something(key)):
            what = (
                "A * alone would match everything."
                if prefix
                else f"There is no letter or digit in {brief(token.text)}."
            )
            raise self._wrong(token, f"{what} Write what to look for.")
        if prefix and len(key) < SHORTEST_PREFIX and not is_spaceless(key):
            raise self._wrong(
                token, f"{brief(token.text)} would match nearly everything. Write at least {SHORTEST_PREFIX} letters."
            )
        if len(key) > LONGEST_TERM:
            raise self._wrong(token, f"This term is longer than {LONGEST_TERM} characters.")
        if field is Field.LANG and not prefix and not _LANGUAGE.fullmatch(key):
            raise self._wrong(token, _no_language(token.text))
        others = () if prefix else self._aliases.keys(text, field)
        tickers = () if prefix else self._aliases.tickers(text, field)
        exact = fold_but_case(text) if field is Field.CASE else None
        return Term(field, text, key, prefix, others, tickers, exact, place.above)

    def _wrong(self, token: Token, sentence: str, offset: int = 0) -> QueryError:
        return mistake(self._text, token.at + offset, sentence)


def _written(group: Sequence[Term]) -> str:
    texts = [term.written for term in group]
    return texts[0] if len(texts) == 1 else f"({' OR '.join(texts)})"


def _no_language(written: str) -> str:
    """Say how a language is written that is named by a word, or by a country."""
    code = _LANGUAGES_BY_NAME.get(fold(written))
    return f"A language is written as its code: {f'lang:{code}' if code else 'lang:en, lang:zh-Hans …'}."


def _key(text: str, field: Field, *, whole: bool) -> str:
    match field:
        case Field.TAG:
            return tag_key(text)
        case Field.LANG:
            return language_key(text)
        case Field.TICKER:
            return ticker_key(text, whole=whole)
        case _:
            return fold(text)
