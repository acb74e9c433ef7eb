"""YAML text as a tree of nodes that know their line; says nothing about which keys there are.

Scalars stay text: what ``22:30``, ``no`` or ``010`` means is for the key to say, not for YAML's guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from alerts.config.problems import Problems
from alerts.config.written import offset_in

MAX_DEPTH = 20
MAX_NODES = 250_000  # what aliases repeat is counted each time

NULLS = {"", "~", "null", "Null", "NULL"}

# `url: catcher:` is how everybody writes it, and no YAML: a plain value may not end in a colon. Read it as it is meant.
CATCHER = re.compile(r"(\burl:[ \t]+)catcher:(?=[ \t]*(?:[,}\]]|[ \t]#|$))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text; ``raw`` when it is a whole environment variable, which may hold YAML."""

    place: str
    text: str
    plain: bool = True
    raw: bool = False
    column: int = 0  # in its line, from 1; 0: in no file
    written: str = ""  # as the file has it, with its quotes, escapes and indents

    def place_of(self, at: int) -> str:
        """Return ``name:line:column`` of the character ``at`` of the text, or as much of it as there is."""
        if not self.column:
            return self.place
        before = self.written[: offset_in(self.written, self.text, at)]
        last = before.rpartition("\n")[2]
        name, _, line = self.place.rpartition(":")
        down = before.count("\n")
        return f"{name}:{int(line) + down}:{len(last) + 1 if down else self.column + len(before)}"

    @property
    def is_null(self) -> bool:
        """Whether nothing was given."""
        return self.plain and self.text in NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: str
    items: list[Node] = field(default_factory=list)
    column: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, and where the key stands."""

    place: str
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values."""

    place: str
    entries: dict[str, Entry] = field(default_factory=dict)
    column: int = 0


Node = Scalar | Sequence | Mapping


def exact_place(node: Node) -> str:
    """Return ``name:line:column`` of a node, or as much of it as there is."""
    return f"{node.place}:{node.column}" if node.column else node.place


def read_document(text: str, name: str, problems: Problems, *, place: str | None = None) -> Node | None:
    """Return the tree of a YAML text, or None with what is wrong noted in ``problems``.

    Places are ``name:line``; ``place`` sets one for all, as for an environment variable.
    """
    try:
        yaml = CATCHER.sub(r'\1"catcher:"', text)
        return _Builder(name, yaml, problems, place).document(YAML(typ="safe", pure=True).parse(yaml))
    except _RefusedError as refusal:
        problems.note(refusal.place, refusal.what)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = place or (f"{name}:{mark.line + 1}" if mark else name)
        problems.note(where, f"this is not YAML: {_reason(error)}")
    except (YAMLError, ValueError, RecursionError, OverflowError) as error:
        problems.note(place or name, f"this is not YAML: {' '.join(str(error).split())[:200]}")
    return None


def _reason(error: MarkedYAMLError) -> str:
    said = str(error.problem or error.context or "it cannot be read")
    if "'\\t'" in said:
        return "a tab where only spaces may stand"
    if said == "mapping values are not allowed here":
        return "a second ': ' on one line; put the value in quotes"
    if said.startswith("expected <block end>, but found '<scalar>'"):
        return "text goes on behind a closing quote; put the whole value in single quotes, as in '\"Li Auto\" OR NIO'"
    return " ".join(said.split())


class _RefusedError(Exception):
    """The document is YAML, but none that a config may be."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(what)
        self.place = place
        self.what = what


class _Builder:
    """Builds the tree from parser events; bounded in depth and size, aliases included."""

    def __init__(self, name: str, yaml: str, problems: Problems, place: str | None) -> None:
        self._name = name
        self._yaml = yaml
        self._problems = problems
        self._place = place
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0

    def document(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        for event in events:
            if not isinstance(event, DocumentStartEvent):
                continue
            if root is not None:
                raise _RefusedError(self._where(event), "a second document begins here; only one is read")
            root = self._node(next(events), events, depth=0)
        return root if root is not None else Scalar(self._place or f"{self._name}:1", "")

    def _node(self, event: Any, events: Iterator[Any], *, depth: int) -> Node:
        where = self._where(event)
        if depth > MAX_DEPTH:
            raise _RefusedError(where, f"more than {MAX_DEPTH} levels deep")
        if isinstance(event, AliasEvent):
            return self._repeated(event, where)
        self._count(1, where)
        if event.tag is not None and str(event.tag) != "!":
            raise _RefusedError(where, f"tags such as {event.tag} are not used here")
        before = self._nodes - 1
        node = self._made(event, events, depth=depth, where=where)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _made(self, event: Any, events: Iterator[Any], *, depth: int, where: str) -> Node:
        match event:
            case ScalarEvent():
                plain = event.style is None and event.tag is None
                written = self._yaml[event.start_mark.index : event.end_mark.index]
                return Scalar(where, event.value, plain=plain, column=self._column(event), written=written)
            case SequenceStartEvent():
                sequence = Sequence(where, column=self._column(event))
                for child in iter(lambda: next(events), None):
                    if isinstance(child, SequenceEndEvent):
                        return sequence
                    sequence.items.append(self._node(child, events, depth=depth + 1))
            case MappingStartEvent():
                mapping = Mapping(where, column=self._column(event))
                for child in iter(lambda: next(events), None):
                    if isinstance(child, MappingEndEvent):
                        return mapping
                    self._add(mapping, self._node(child, events, depth=depth + 1), events, depth=depth)
        raise _RefusedError(where, "the document ends too early")

    def _add(self, mapping: Mapping, key: Node, events: Iterator[Any], *, depth: int) -> None:
        value = self._node(next(events), events, depth=depth + 1)
        if not isinstance(key, Scalar):
            raise _RefusedError(key.place, "a key must be a word")
        if key.text in mapping.entries:
            first = mapping.entries[key.text].place
            self._problems.note(key.place, f"the key {key.text!r} is given twice; the first is at {first}")
            return
        mapping.entries[key.text] = Entry(key.place, value)

    def _repeated(self, event: Any, where: str) -> Node:
        if event.anchor not in self._anchors:
            raise _RefusedError(where, f"the alias *{event.anchor} stands for nothing before it")
        node, size = self._anchors[event.anchor]
        self._count(size, where)
        return node

    def _count(self, size: int, where: str) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise _RefusedError(where, f"more than {MAX_NODES:,} values, aliases counted; that is no configuration")

    def _where(self, event: Any) -> str:
        return self._place or f"{self._name}:{event.start_mark.line + 1}"

    def _column(self, event: Any) -> int:
        return 0 if self._place else event.start_mark.column + 1
