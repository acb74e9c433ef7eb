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


@dataclass(frozen=True, slots=True)
class Term:
    """A word, a phrase or the beginning of a word, and where to look for it."""

    field: Field
    text: str  # as written, for people
    key: str  # folded, for comparing
    prefix: bool = False

    def __str__(self) -> str:
        written = self.text if _plain(self.text) else '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{self.field}{':' if self.field else ''}{written}{'*' if self.prefix else ''}"


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


Node = Term | And | Or | Not


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood; an article without any of its terms never matches it."""

    text: str
    root: Node


def terms(node: Node) -> Iterator[Term]:
    """Give every term below ``node``, in the order written."""
    match node:
        case Term():
            yield node
        case Not():
            yield from terms(node.node)
        case _:
            for child in node.nodes:
                yield from terms(child)


def _plain(text: str) -> bool:
    return text.isalnum() and text.upper() not in {"AND", "OR", "NOT"}
