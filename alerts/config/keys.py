"""Reads a mapping by a list of keys: each with its type, default and line of help. Knows no key by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from alerts.config.document import Entry, Mapping, Node, Scalar, Sequence, read_document
from alerts.config.problems import Problems, suggestion
from alerts.core.errors import QueryError

REQUIRED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One option."""

    name: str
    read: Callable[[str], Any]  # text → value; raises ValueError that says what to write instead
    default: Any = REQUIRED  # as the value is, not as text
    nullable: bool = False  # null may be written, and means None
    help: str  # one line


class Reader:
    """One mapping of the file: takes its keys, notes what is wrong, and never stops at the first mistake."""

    def __init__(self, node: Node | None, place: str, path: str, problems: Problems) -> None:
        self.place = place
        self.path = path  # "site", "mail.relays[0]"; empty at the top
        self.problems = problems
        self._entries: dict[str, Entry] = {} if node is None else self._entries_of(node)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @classmethod
    def of(cls, entries: dict[str, str]) -> Reader:
        """Return the reader of a mapping that is in no file."""
        nodes = {name: Entry("default", Scalar("default", text)) for name, text in entries.items()}
        return cls(Mapping("default", nodes), "default", "", Problems())

    def where(self, name: str) -> str:
        """Return where a key stands, or the mapping it is missing from."""
        return self._entries[name].place if name in self._entries else self.place

    def take(self, key: Key) -> Any:
        """Return the key's value; its default, or None, when it is missing or wrong."""
        entry = self._entries.get(key.name)
        fallback = None if key.default is REQUIRED else key.default
        if entry is None:
            if key.default is REQUIRED:
                self.problems.note(self.place, f"{self._named(key.name)!r} is missing: {key.help}")
            return fallback
        node = entry.node
        if not isinstance(node, Scalar):
            self.problems.note(entry.place, f"{self._named(key.name)!r} must be a single value: {key.help}")
            return fallback
        if node.is_null:
            if not key.nullable:
                self.problems.note(entry.place, f"{self._named(key.name)!r} is empty; give a value or leave it out")
            return None
        try:
            return key.read(node.text)
        except QueryError as error:
            place = node.place_of(error.at)
            self.problems.note(place, f"{self._named(key.name)!r}: {error}", picture=error.picture)
        except ValueError as error:
            self.problems.note(entry.place, f"{self._named(key.name)!r}: {error}")
        return fallback

    def take_all(self, keys: Iterable[Key]) -> dict[str, Any]:
        """Return the values of several keys by name."""
        return {key.name: self.take(key) for key in keys}

    def section(self, name: str) -> Reader:
        """Return the reader of a mapping below this one; an empty one when it is missing."""
        entry = self._entries.get(name)
        if entry is None:
            return Reader(None, self.place, self._named(name), self.problems)
        return Reader(entry.node, entry.place, self._named(name), self.problems)

    def each(self, name: str) -> list[Reader]:
        """Return a reader for each mapping of a list below this one."""
        entry = self._entries.get(name)
        if entry is None:
            return []
        node = _unwrapped(entry.node, self.problems)
        if not isinstance(node, Sequence):
            self.problems.note(entry.place, f"{self._named(name)!r} must be a list, each item after a '-'")
            return []
        path = self._named(name)
        return [Reader(item, item.place, f"{path}[{number}]", self.problems) for number, item in enumerate(node.items)]

    @property
    def names(self) -> list[str]:
        """Every key, where the file and not we name them."""
        return list(self._entries)

    def placed_texts(self, name: str) -> list[tuple[str, str]]:
        """Return the values of a list below this mapping, each with its place; a single value is a list of one."""
        node = _unwrapped(self._entries[name].node, self.problems)
        items = node.items if isinstance(node, Sequence) else [node]
        found = [(item.place, item.text) for item in items if isinstance(item, Scalar) and not item.is_null]
        if len(found) < len(items) or not found:
            self.note(name, "write a list of single values, such as [小米, XIACY]")
        return found

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Note every key that is not one of ``known``."""
        names = list(known)
        for name, entry in self._entries.items():
            if name in names:
                continue
            hint = suggestion(name, names)
            self.problems.note(entry.place, f"unknown key {self._named(name)!r}{hint}")

    def note(self, name: str, what: str) -> None:
        """Note what is wrong with a key's value."""
        self.problems.note(self.where(name), f"{self._named(name)!r}: {what}")

    def nodes(self, name: str) -> list[Node]:
        """Return what a list below this mapping holds, values and mappings; an empty one is noted."""
        if name not in self._entries:
            return []
        node = _unwrapped(self._entries[name].node, self.problems)
        if isinstance(node, Sequence) and node.items:
            return node.items
        self.note(name, "write a list, each item after a '-', or leave it out")
        return []

    def texts(self, name: str) -> list[str]:
        """Return the values of a list of texts below this mapping; a single value is a list of one."""
        if name not in self._entries:
            return []
        node = self._entries[name].node
        items = node.items if isinstance(node, Sequence) else [node]
        found = [item.text for item in items if isinstance(item, Scalar) and not item.is_null]
        if len(found) < len(items) or not found:
            self.note(name, "write a text, or a list of texts")
        return found

    def _named(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _entries_of(self, node: Node) -> dict[str, Entry]:
        node = _unwrapped(node, self.problems)
        if isinstance(node, Mapping):
            return node.entries
        what = f"{self.path!r} must" if self.path else "the file must"
        self.problems.note(node.place, f"{what} hold 'key: value' lines, not {_kind(node)}")
        return {}


def refuse_repeated(name: str, values: Iterable[tuple[Reader, str]]) -> None:
    """Note each value of a list that must be one of a kind and is not."""
    pairs = list(values)
    times = Counter(value for _, value in pairs)
    for reader, value in pairs:
        if value and times[value] > 1:
            reader.note(name, f"{value!r} is given more than once")


def _unwrapped(node: Node, problems: Problems) -> Node:
    """Return what an environment variable's text holds where a list or a mapping belongs."""
    if not isinstance(node, Scalar) or not node.raw:
        return node
    return read_document(node.text, node.place, problems, place=node.place) or Mapping(node.place)


def _kind(node: Node) -> str:
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if isinstance(node, Scalar) and node.is_null else "a single value"
