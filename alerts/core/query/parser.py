"""Read a query: from its text to a tree, or to one plain sentence that says what is wrong and where.

The grammar says what may stand where; this module says what a word means, and what is refused: a query that would
match articles without finding anything in them, and what other query languages write differently.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from typing import cast

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from alerts.core.errors import QueryError
from alerts.core.query.grammar import reader
from alerts.core.query.tree import And, Field, Node, Not, Or, Query, Term
from alerts.core.query.words import is_spaceless
from alerts.core.query.zones import language_key, tag_key, ticker_key
from alerts.core.text import fold

LONGEST_QUERY = 10_000  # characters
LONGEST_TERM = 200
DEEPEST_NESTING = 50
SHORTEST_PREFIX = 2  # letters before a *, but for scripts in which one character is a word

# What word processors and Chinese keyboards make of quotes, parentheses and colons; one for one, so columns stay.
_TYPED = str.maketrans("“”„‟＂（）：＊", '"""""():*')
_FIELD_NAMES = [field.value for field in Field if field.value]
_SCANNED = re.compile(r'\\.|\\\Z|"(?:[^"\\]|\\.)*+"|[()"]', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STAR = re.compile(r"\\.|(\*)", re.DOTALL)
_PUNCTUATION_AFTER = ",;:.!?…、，。；！？"
_OPERATORS = {"AND", "OR", "NOT"}
_FOREIGN = {"&": "AND", "&&": "AND", "|": "OR", "||": "OR", "!": "NOT"}


def parse(text: str) -> Query:
    """Return the query that ``text`` writes.

    Raises QueryError, whose message is a sentence for the person who wrote it, with line and column.

    >>> str(parse('about:Xiaomi OR title:("Li Auto" NIO)').root.nodes[0])
    'about:Xiaomi'
    """
    if len(text) > LONGEST_QUERY:
        raise _wrong(text, LONGEST_QUERY, f"The query is longer than {LONGEST_QUERY:,} characters. Split the channel.")
    if not text.strip():
        raise _wrong(text, 0, "The query is empty: it would match nothing. Write at least one word.")
    typed = text.translate(_TYPED)
    _check_pairs(typed)
    try:
        tree = reader().parse(typed)
    except UnexpectedInput as stop:
        raise _unexpected(typed, stop) from None
    root = _Reading(typed).node(tree.children[0], Field.TEXT)
    if matches_nothing_found(root):
        raise _wrong(
            typed,
            0,
            "The query would match articles in which it finds nothing, so nearly all of them: every side of an OR"
            " needs a term without NOT. Add what an article must have, for example: Xiaomi NOT Tesla.",
        )
    return Query(text, root)


def matches_nothing_found(node: Node) -> bool:
    """Say whether ``node`` holds for an article that has none of its terms."""
    match node:
        case Term():
            return False
        case Not():
            return not matches_nothing_found(node.node)
        case And():
            return all(matches_nothing_found(child) for child in node.nodes)
        case _:
            return any(matches_nothing_found(child) for child in node.nodes)


def _check_pairs(text: str) -> None:
    """Refuse quotes and parentheses that do not pair, and nesting without end, before the grammar sees them."""
    opened: list[int] = []
    for sign in _SCANNED.finditer(text):
        match sign[0]:
            case "(":
                opened.append(sign.start())
            case ")" if not opened:
                raise _wrong(text, sign.start(), 'This ")" closes nothing. Remove it, or add the "(" before.')
            case ")":
                opened.pop()
            case '"':
                raise _wrong(text, sign.start(), "This quotation mark is never closed. Add a second one.")
            case "\\":
                raise _wrong(text, sign.start(), "A backslash must stand before the character that it protects.")
        if len(opened) > DEEPEST_NESTING:
            raise _wrong(text, sign.start(), f"More than {DEEPEST_NESTING} parentheses inside one another.")
    if opened:
        raise _wrong(text, opened[-1], 'This "(" is never closed. Add a ")".')


class _Reading:
    """One reading of the grammar's tree; it holds the text, so that mistakes have a place."""

    def __init__(self, text: str) -> None:
        self._text = text

    def node(self, piece: Tree[Token] | Token, field: Field) -> Node:
        """Return what a piece of the grammar's tree means inside ``field``; as deep as its parentheses."""
        if isinstance(piece, Token):
            return self._phrase(piece, field) if piece.type == "QUOTED" else self._word(piece, field)
        children = piece.children
        if piece.data == "field":
            return self.node(children[1], self._field(cast("Token", children[0])))
        nots = sum(isinstance(child, Token) and child.type == "NOT" for child in children)
        nodes = tuple(self.node(child, field) for child in children[nots:])
        if piece.data == "negated":
            return Not(nodes[0]) if nots % 2 else nodes[0]
        if len(nodes) == 1:
            return nodes[0]
        return Or(nodes) if piece.data == "either" else And(nodes)

    def _field(self, token: Token) -> Field:
        name = token[:-1].lower()
        if name in _FIELD_NAMES:
            return Field(name)
        near = get_close_matches(name[:40], _FIELD_NAMES, n=1)
        meant = f"Did you mean {near[0]}:?" if near else f"Fields are {', '.join(_FIELD_NAMES)}."
        raise self._wrong(token, f'There is no field "{token}". {meant} To look for the text itself, put it in quotes.')

    def _word(self, token: Token, field: Field) -> Term:
        self._check_word(token, field)
        stars = [star.start() for star in _STAR.finditer(token) if star[1]]
        prefix = stars == [len(token) - 1]
        if stars and not prefix:
            raise self._wrong(token, 'A * may only end a word, as in electr*. For the sign itself write "\\*".')
        written = token[:-1] if prefix else token.rstrip(_PUNCTUATION_AFTER)
        return self._term(token, _ESCAPED.sub(r"\1", written or token), field, prefix=prefix)

    def _check_word(self, token: Token, field: Field) -> None:
        """Refuse a word that means something in another language of queries, and would silently mean nothing here."""
        if token in _OPERATORS:
            raise self._wrong(token, f'{token} needs a term on each side. For the word itself write "{token}".')
        if token.upper() in _OPERATORS:
            operator = token.upper()
            raise self._wrong(token, f'Operators are in capitals: {operator}. For the word itself write "{token}".')
        if token in _FOREIGN:
            raise self._wrong(token, f"{token} is no operator here: write {_FOREIGN[token]}.")
        sign, rest = token[0], token[1:]
        if sign in "-!" and _letters(rest):
            raise self._wrong(token, f'To leave articles out write NOT {rest}. For the text itself write "{token}".')
        if sign == "+" and _letters(rest):
            raise self._wrong(token, f"Every term is needed unless OR stands beside it: write {rest}.")
        name, colon, _ = token.partition(":")
        if field and colon and name.lower() in _FIELD_NAMES:
            raise self._wrong(token, f"{name}: cannot stand inside {field}:. Close the parenthesis before it.")

    def _phrase(self, token: Token, field: Field) -> Term:
        prefix = token.endswith("*")
        written = token[1 : -2 if prefix else -1]
        return self._term(token, _ESCAPED.sub(r"\1", written), field, prefix=prefix)

    def _term(self, token: Token, text: str, field: Field, *, prefix: bool) -> Term:
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
        return Term(field, text, key, prefix)

    def _wrong(self, token: Token, sentence: str) -> QueryError:
        return _wrong(self._text, token.start_pos or 0, sentence)


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


def _unexpected(text: str, stop: UnexpectedInput) -> QueryError:
    """Explain where the grammar could not go on: at the end, or at a parenthesis that came too early."""
    at: int | None = stop.pos_in_stream  # its type is narrower than the truth
    if at is not None and text[at] == ")":
        return _wrong(text, at, 'A term is missing before this ")".')
    return _wrong(text, len(text.rstrip()), "The query ends where a term should follow.")


def _wrong(text: str, at: int, sentence: str) -> QueryError:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return QueryError(f"line {line}, column {column}: {sentence}", line=line, column=column)
