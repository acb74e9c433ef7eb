"""Read a query: from its text to a tree, or to one plain sentence that says what is wrong and where.

The grammar says what may stand where; this module says what a word means, and what is refused: a query that would
match articles without finding anything in them, and what other query languages write differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple, cast

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from alerts.core.errors import QueryError
from alerts.core.query.aliases import NO_ALIASES, Aliases
from alerts.core.query.grammar import reader
from alerts.core.query.mistakes import check_pairs, mistake, unexpected
from alerts.core.query.tree import And, Field, Near, Node, Not, Or, Query, Term
from alerts.core.query.words import is_spaceless
from alerts.core.query.zones import language_key, tag_key, ticker_key
from alerts.core.text import fold, fold_but_case

LONGEST_QUERY = 10_000  # characters
LONGEST_TERM = 200
SHORTEST_PREFIX = 2  # letters before a *, but for scripts in which one character is a word

USUAL_DISTANCE = 10  # of NEAR alone: other words that may lie between
LONGEST_DISTANCE = 100
NEAR_FIELDS = (Field.TEXT, Field.TITLE, Field.SUMMARY, Field.BODY, Field.CASE)

# What word processors and Chinese keyboards make of quotes, parentheses and colons; one for one, so columns stay.
_TYPED = str.maketrans("“”„‟＂（）：＊＞～", '"""""():*>~')
_FIELD_NAMES = [field.value for field in Field if field.value]
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STAR = re.compile(r"\\.|(\*)", re.DOTALL)
_PUNCTUATION_AFTER = ",;:.!?…、，。；！？"
_OPERATORS = {"AND", "OR", "NOT", "NEAR"}
_NEAR = re.compile(r"(?i:NEAR)/\S*")
_QUOTED = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")(?P<star>\*?)(?P<tail>.*)', re.DOTALL)
_ABOVE_AT = re.compile(r"\\.|(>)", re.DOTALL)
_ABOVE = re.compile(r">0?(?:\.\d{1,2}|(?<=0))", re.ASCII)
_DISTANCE = re.compile(r"[~/]\d{1,3}", re.ASCII)
_LOOKS_ABOVE = re.compile(r".*>=?[\d.]+%?|>=?", re.DOTALL)
_LOOKS_DISTANT = re.compile(r".*~\d*", re.DOTALL)
_FOREIGN = {"&": "AND", "&&": "AND", "|": "OR", "||": "OR", "!": "NOT"}


class _Place(NamedTuple):
    """What holds for the terms inside a field."""

    field: Field
    above: float | None = None  # the score that is not enough


def parse(text: str, aliases: Aliases = NO_ALIASES) -> Query:
    """Return the query that ``text`` writes; a term that is a name in ``aliases`` also finds its other names.

    Raises QueryError, whose message is a sentence for the person who wrote it, with line and column.

    >>> str(parse('about:Xiaomi OR title:("Li Auto" NIO)').root.nodes[0])
    'about:Xiaomi'
    """
    if len(text) > LONGEST_QUERY:
        raise mistake(text, LONGEST_QUERY, f"The query is longer than {LONGEST_QUERY:,} characters. Split the channel.")
    if not text.strip():
        raise mistake(text, 0, "The query is empty: it would match nothing. Write at least one word.")
    typed = text.translate(_TYPED)
    check_pairs(typed)
    try:
        tree = reader().parse(typed)
    except UnexpectedInput as stop:
        raise unexpected(typed, stop) from None
    root = _Reading(typed, aliases).node(tree.children[0], _Place(Field.TEXT))
    if matches_nothing_found(root):
        raise mistake(
            typed,
            0,
            "The query would match articles in which it finds nothing, so nearly all of them: every side of an OR"
            " needs a term without NOT. Add what an article must have, for example: Xiaomi NOT Tesla.",
        )
    return Query(text, root)


def matches_nothing_found(node: Node) -> bool:
    """Say whether ``node`` holds for an article that has none of its terms."""
    match node:
        case Term() | Near():
            return False
        case Not():
            return not matches_nothing_found(node.node)
        case And():
            return all(matches_nothing_found(child) for child in node.nodes)
        case _:
            return any(matches_nothing_found(child) for child in node.nodes)


class _Reading:
    """One reading of the grammar's tree; it holds the text, so that mistakes have a place."""

    def __init__(self, text: str, aliases: Aliases) -> None:
        self._text = text
        self._aliases = aliases

    def node(self, piece: Tree[Token] | Token, place: _Place) -> Node:
        """Return what a piece of the grammar's tree means in ``place``; as deep as its parentheses."""
        if isinstance(piece, Token):
            return self._phrase(piece, place) if piece.type == "QUOTED" else self._word(piece, place)
        children, kind = piece.children, str(piece.data).removeprefix("value_")
        if kind == "field":
            field = self._field(cast("Token", children[0]))
            above = self._above(cast("Token", children[2]), field) if len(children) > 2 else None  # noqa: PLR2004 - its third
            return self.node(children[1], _Place(field, above))
        if kind == "near":
            return self._near(children, place)
        nots = sum(isinstance(child, Token) and child.type == "NOT" for child in children)
        nodes = tuple(self.node(child, place) for child in children[nots:])
        if kind == "negated":
            return Not(nodes[0]) if nots % 2 else nodes[0]
        return Or(nodes) if kind == "either" else And(nodes)

    def _field(self, token: Token) -> Field:
        name = token[:-1].lower()
        if name in _FIELD_NAMES:
            return Field(name)
        near = get_close_matches(name[:40], _FIELD_NAMES, n=1)
        meant = f"Did you mean {near[0]}:?" if near else f"Fields are {', '.join(_FIELD_NAMES)}."
        raise self._wrong(token, f'There is no field "{token}". {meant} To look for the text itself, put it in quotes.')

    def _near(self, children: Sequence[Tree[Token] | Token], place: _Place) -> Near:
        operators = [cast("Token", operator) for operator in children[1::2]]
        distances = [
            self._distance(operator, operator[4:]) if operator[4:] else USUAL_DISTANCE for operator in operators
        ]
        for operator, distance in zip(operators, distances, strict=True):
            if distance != distances[0]:
                raise self._wrong(operator, "In one chain every NEAR has the same distance. Join two of them with AND.")
        sides = [self.node(child, place) for child in children[::2]]
        groups = [self._side(side, operators[max(0, number - 1)]) for number, side in enumerate(sides)]
        text = f" {operators[0]} ".join(_written(group) for group in groups)
        field = groups[0][0].field
        near = Near(tuple(groups), distances[0], f"{field}:({text})" if field else text)
        return self._together(near, operators[0])

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
        if near.field not in NEAR_FIELDS:
            names = ", ".join(f"{field}:" for field in NEAR_FIELDS if field)
            raise self._wrong(token, f"Nearness is asked of texts: without a field, or in {names}.", offset)
        return near

    def _distance(self, token: Token, written: str) -> int:
        """Read ``/5`` or ``~5`` at the end of a token."""
        if not _DISTANCE.fullmatch(written) or int(written[1:]) > LONGEST_DISTANCE:
            what = f"Behind {written[0]} stands how many other words may lie between, 0 to {LONGEST_DISTANCE}"
            example = 'as in "battery fire"~5' if written[0] == "~" else "as in Xiaomi NEAR/5 recall"
            raise self._wrong(token, f"{what}, {example}.", len(token) - len(written))
        return int(written[1:])

    def _above(self, token: Token, field: Field, offset: int = 0) -> float:
        """Read ``>0.7`` at ``offset`` in a token."""
        if field is not Field.ABOUT:
            raise self._wrong(token, "Only about: has a score to compare. For the text itself use quotes.", offset)
        if not _ABOVE.fullmatch(token, offset):
            example = "as in about:Xiaomi>0.7"
            raise self._wrong(
                token, f"Behind > stands a score from 0 to 0.99 that must be exceeded, {example}.", offset
            )
        return float(token[offset + 1 :])

    def _word(self, token: Token, place: _Place) -> Term:
        self._check_word(token, place.field)
        at = (
            next((sign.start() for sign in _ABOVE_AT.finditer(token) if sign[1]), None)
            if place.field is Field.ABOUT
            else None
        )
        if at is not None:
            place = _Place(place.field, self._above(token, place.field, at))
        word = token[:at]
        stars = [star.start() for star in _STAR.finditer(word) if star[1]]
        prefix = stars == [len(word) - 1]
        if stars and not prefix:
            raise self._wrong(token, 'A * may only end a word, as in electr*. For the sign itself write "\\*".')
        written = word[:-1] if prefix else word.rstrip(_PUNCTUATION_AFTER)
        return self._term(token, _ESCAPED.sub(r"\1", written or word), place, prefix=prefix)

    def _check_word(self, token: Token, field: Field) -> None:
        """Refuse a word that means something in another language of queries, and would silently mean nothing here."""
        if token in _OPERATORS or token.startswith("NEAR/"):
            raise self._wrong(token, f'{token} needs a term on each side. For the word itself write "{token}".')
        if token.upper() in _OPERATORS or _NEAR.fullmatch(token):
            operator = token.upper()
            raise self._wrong(token, f'Operators are in capitals: {operator}. For the word itself write "{token}".')
        if token in _FOREIGN:
            raise self._wrong(token, f"{token} is no operator here: write {_FOREIGN[token]}.")
        sign, rest = token[0], token[1:]
        if sign in "-!" and _letters(rest):
            raise self._wrong(token, f'To leave articles out write NOT {rest}. For the text itself write "{token}".')
        if sign == "+" and _letters(rest):
            raise self._wrong(token, f"Every term is needed unless OR stands beside it: write {rest}.")
        if _LOOKS_ABOVE.fullmatch(token) and (field is not Field.ABOUT or sign == ">"):
            raise self._wrong(token, "A score stands right behind its term, as in about:Xiaomi>0.7; or use quotes.")
        if _LOOKS_DISTANT.fullmatch(token):
            raise self._wrong(token, 'A distance stands behind a phrase, as in "battery fire"~5; or use quotes.')
        name, colon, _ = token.partition(":")
        if field and colon and name.lower() in _FIELD_NAMES:
            raise self._wrong(token, f"{name}: cannot stand inside {field}:. Close the parenthesis before it.")

    def _phrase(self, token: Token, place: _Place) -> Term | Near:
        parts = cast("re.Match[str]", _QUOTED.fullmatch(token))
        written, tail, at = _ESCAPED.sub(r"\1", parts["quoted"][1:-1]), parts["tail"], parts.start("tail")
        prefix = bool(parts["star"])
        if tail.startswith("~") and not prefix:
            return self._near_phrase(token, written, at, place)
        if tail.startswith(">"):
            place = _Place(place.field, self._above(token, place.field, at))
        elif tail:
            sentence = 'Behind a phrase may stand *, or ~ with a distance, as in "battery fire"~5.'
            raise self._wrong(token, f"{sentence} Put a space before what follows.", at)
        return self._term(token, written, place, prefix=prefix)

    def _near_phrase(self, token: Token, written: str, at: int, place: _Place) -> Near:
        distance = self._distance(token, token[at:])
        words = [self._term(token, word, place, prefix=False) for word in written.split()]
        if len(words) < 2:  # noqa: PLR2004 - nothing is near itself
            raise self._wrong(token, "Nearness needs two words or more, with spaces between them.", at)
        prefix = f"{place.field}:" if place.field else ""
        return self._together(Near(tuple((word,) for word in words), distance, f"{prefix}{token}"), token, at)

    def _term(self, token: Token, text: str, place: _Place, *, prefix: bool) -> Term:
        field = place.field
        key = _key(text, field)
        if not _letters(key):
            what = "A * alone would match everything." if prefix else f"There is no letter or digit in {token}."
            raise self._wrong(token, f"{what} Write what to look for.")
        if prefix and len(key) < SHORTEST_PREFIX and not is_spaceless(key):
            raise self._wrong(
                token, f"{token} would match nearly everything. Write at least {SHORTEST_PREFIX} letters."
            )
        if len(key) > LONGEST_TERM:
            raise self._wrong(token, f"This term is longer than {LONGEST_TERM} characters.")
        others = () if prefix else self._aliases.keys(text, field)
        tickers = () if prefix else self._aliases.tickers(text, field)
        exact = fold_but_case(text) if field is Field.CASE else None
        return Term(field, text, key, prefix, others, tickers, exact, place.above)

    def _wrong(self, token: Token, sentence: str, offset: int = 0) -> QueryError:
        return mistake(self._text, (token.start_pos or 0) + offset, sentence)


def _written(group: Sequence[Term]) -> str:
    texts = [str(replace(term, field=Field.TEXT)) for term in group]
    return texts[0] if len(texts) == 1 else f"({' OR '.join(texts)})"


def _letters(text: str) -> bool:
    return any(character.isalnum() or unicodedata.category(character) == "So" for character in text)


def _key(text: str, field: Field) -> str:
    match field:
        case Field.TAG:
            return tag_key(text)
        case Field.LANG:
            return language_key(text)
        case Field.TICKER:
            return ticker_key(text)
        case _:
            return fold(text)
