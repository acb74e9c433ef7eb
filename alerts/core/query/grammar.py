"""What may stand where in a query: the grammar, read from left to right; what a word means is ``terms``' business.

    either  = all_of { OR all_of }
    all_of  = negated { [AND] negated }
    negated = { NOT } nearby
    nearby  = one { NEAR[/distance] one }
    one     = word | "phrase" | ( either ) | field: value
    value   = word | "phrase" | ( either ) [>score]          without fields in it

An operator where none may stand is read as a word, which ``terms`` then explains. Behind ``ticker:`` a word may hold
colons (``ticker:NASDAQ:TSLA``). Written by hand since a node reads a million queries when it starts: a reader made
from the grammar took most of that time.
"""

from __future__ import annotations

import re

from alerts.core.query.mistakes import missing
from alerts.core.query.terms import Place, Terms, Token
from alerts.core.query.tree import And, Field, Node, Not, Or

_PIECE = re.compile(
    r"\s*(?:"
    r"(?P<word>(?:[^\s()\"\\]|\\.)+)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*"(?:[*~>][^\s()"]*)?)'
    r"|(?P<sign>[()])"
    r"|)",
    re.DOTALL,
)
_FIELD = re.compile(r"[^\W\d]\w*:")
_WORD, _QUOTED, _SIGN = 1, 2, 3  # what a piece is; None: the query is over


class Reader:
    """One reading of a query whose quotes and parentheses pair; as deep in Python's stack as its parentheses."""

    def __init__(self, text: str, terms: Terms) -> None:
        self._text = text
        self._terms = terms
        self._go_to(0)

    def query(self) -> Node:
        """Return the whole query's tree; raises QueryError."""
        return self._either(Place(Field.TEXT))

    def _go_to(self, at: int) -> None:
        """Look at the next piece from ``at`` on."""
        piece = _PIECE.match(self._text, at)
        assert piece is not None  # noqa: S101 - it may be empty, so it is always there
        self._kind = kind = piece.lastindex
        self._end = piece.end()
        self._token = Token(piece[kind], piece.start(kind)) if kind else Token("", self._end)

    def _either(self, place: Place) -> Node:
        nodes = [self._all_of(place)]
        while self._is("OR"):
            self._go_to(self._end)
            nodes.append(self._all_of(place))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _all_of(self, place: Place) -> Node:
        nodes = [self._negated(place)]
        while not (self._kind is None or self._token.text == ")" or self._is("OR")):
            if self._is("AND"):
                self._go_to(self._end)
            nodes.append(self._negated(place))
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _negated(self, place: Place) -> Node:
        holds = True
        while self._is("NOT"):
            holds = not holds
            self._go_to(self._end)
        node = self._nearby(place)
        return node if holds else Not(node)

    def _nearby(self, place: Place) -> Node:
        sides, operators = [self._one(place)], list[tuple[Token, int]]()
        while self._kind == _WORD and self._token.text.startswith("NEAR") and self._token.text[4:5] in {"", "/"}:
            operators.append((self._token, self._terms.distance(self._token)))
            self._go_to(self._end)
            sides.append(self._one(place))
        return self._terms.near(sides, operators) if operators else sides[0]

    def _one(self, place: Place) -> Node:
        token = self._token
        if token.text == "(":
            return self._group(place)
        if self._kind == _QUOTED:
            self._go_to(self._end)
            return self._terms.phrase(token, place)
        if self._kind != _WORD:
            raise missing(self._text, token.at)
        if place.field is Field.TEXT and ":" in token.text and (named := _FIELD.match(token.text)):
            return self._field(Token(named[0], token.at))
        self._go_to(self._end)
        return self._terms.word(token, place)

    def _group(self, place: Place) -> Node:
        self._go_to(self._end)
        node = self._either(place)
        self._go_to(self._end)  # its ")"
        return node

    def _field(self, name: Token) -> Node:
        place = Place(self._terms.field(name))
        self._go_to(name.at + len(name.text))
        if self._token.text != "(":
            return self._one(place)
        opened = self._token.at
        node = self._group(place)
        if self._kind == _WORD and self._token.text.startswith(">"):
            above, end = self._terms.above(self._token, place.field), self._end
            self._go_to(opened)  # what stands in the parentheses asks for that score
            node = self._group(Place(place.field, above))
            self._go_to(end)
        return node

    def _is(self, operator: str) -> bool:
        return self._kind == _WORD and self._token.text == operator
