"""Many queries as compact columns: id, text, and the literals of which each needs one; it searches nothing itself.

A million of them would be a million small objects several times over; here they are a few arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One query."""

    id: int
    text: str
    literals: Sequence[str]


class Strings:
    """A list of texts in one piece of memory."""

    __slots__ = ("_bytes", "_ends")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))


class QueryTable:
    """Queries in the order added; an id is added once."""

    __slots__ = ("_ends", "_literals", "_needed", "_numbers", "ids", "texts")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.ids = array("q")
        self.texts = Strings()
        self._literals = Strings()  # each once
        self._needed = array("I")  # numbers of literals, query after query
        self._ends = array("I", [0])  # where in ``_needed`` each query's are over
        self._numbers: dict[str, int] = {}
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add queries."""
        for entry in entries:
            self.ids.append(entry.id)
            self.texts.append(entry.text)
            self._needed.extend(map(self._number, entry.literals))
            self._ends.append(len(self._needed))

    def close(self) -> None:
        """Let go of what only adding needs: the largest part of it."""
        self._numbers = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def literals(self) -> Strings:
        """Every literal once; its place is its number."""
        return self._literals

    def entries(self, *, without: Collection[int] = ()) -> Iterator[Entry]:
        """Give the queries whose ids are not in ``without``."""
        for slot, key in enumerate(self.ids):
            if key not in without:
                numbers = self._needed[self._ends[slot] : self._ends[slot + 1]]
                yield Entry(key, self.texts[slot], [self._literals[number] for number in numbers])

    def askers(self) -> tuple[array[int], array[int]]:
        """Return the slots of the queries that need each literal, literal after literal, and where each one's begin."""
        starts = array("I", bytes(4 * (len(self._literals) + 1)))
        for number in self._needed:
            starts[number + 1] += 1
        for number in range(len(self._literals)):
            starts[number + 1] += starts[number]
        free, slots = starts[:], array("I", bytes(4 * len(self._needed)))
        for slot in range(len(self)):
            for number in self._needed[self._ends[slot] : self._ends[slot + 1]]:
                slots[free[number]] = slot
                free[number] += 1
        return slots, starts

    def _number(self, literal: str) -> int:
        number = self._numbers.get(literal)
        if number is None:
            number = self._numbers[literal] = len(self._literals)
            self._literals.append(literal)
        return number
