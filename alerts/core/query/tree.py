"""What a query is once it is understood: a tree of terms; it neither reads text nor judges articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """Where a term is looked for."""

    TEXT = ""  # title, summary and body: what a bare term means
    TITLE = "title"  # the headline
    SUMMARY = "summary"  # the bullets, or a feed's summary
    BODY = "body"  # the text below them
    TAG = "tag"  # one whole tag, as its publisher set it
    AUTHOR = "author"  # the byline
    SOURCE = "source"  # the name of the feed or folder it came from
    LANG = "lang"  # the article's language: zh also means zh-Hans
    TICKER = "ticker"  # 1810, or HKG:1810
    ABOUT = "about"  # the article is about it, and does not only mention it
    CASE = "case"  # title, summary and body, in just these capitals and small letters


FIELDS = {field.value: field for field in Field if field.value}  # by the name before the colon


@dataclass(frozen=True, slots=True)
class Term:
    """A word, a phrase or the beginning of a word, and where to look for it."""

    field: Field
    text: str  # as written, for people
    key: str  # folded, for comparing
    prefix: bool = False
    others: tuple[str, ...] = ()  # the keys of its aliases: names of the same thing
    tickers: tuple[str, ...] = ()  # of a bare term: those of its aliases that are shares, as tickers are compared
    exact: str | None = None  # of case: the key with its capitals
    above: float | None = None  # of about: the score that is not enough; None: the usual threshold

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that it may be called, itself first."""
        return (self.key, *self.others)

    @property
    def written(self) -> str:
        """As a query writes it, but for its field."""
        written = self.text if _plain(self.text) else '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        above = "" if self.above is None else f">{self.above:g}"
        return f"{written}{'*' if self.prefix else ''}{above}"

    def __str__(self) -> str:
        return f"{self.field}{':' if self.field else ''}{self.written}"


@dataclass(frozen=True, slots=True)
class Near:
    """Terms that must stand together in one paragraph, in any order; all of one field."""

    groups: tuple[tuple[Term, ...], ...]  # one of each is needed
    within: int  # so many other words may stand among them
    text: str  # as written, for people

    @property
    def field(self) -> Field:
        """Where they are looked for."""
        return self.groups[0][0].field

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    node: Node


Leaf = Term | Near  # what looks into the article
Node = Leaf | And | Or | Not


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood; an article without any of its terms never matches it."""

    text: str
    root: Node


def leaves(node: Node) -> Iterator[Leaf]:
    """Give everything below ``node`` that looks into the article, in the order written."""
    match node:
        case Term() | Near():
            yield node
        case Not():
            yield from leaves(node.node)
        case _:
            for child in node.nodes:
                yield from leaves(child)


def _plain(text: str) -> bool:
    return text.isalnum() and text.upper() not in {"AND", "OR", "NOT", "NEAR"}
