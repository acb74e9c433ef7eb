"""Many queries as compact columns: id, text, and the literals of which each needs one; it searches nothing itself.

A million of them would be a million small objects several times over; here they are a few arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

_TABLES = 64


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


class NumberedStrings(Strings):
    """Texts that are there once each, and found again by their number until they are complete.

    What finds them are hash tables in arrays: a dict would be the largest part of all while a million are read. There
    are many of them, so that none takes long to widen: one would hold up whoever adds a text for half a second.
    """

    __slots__ = ("_counts", "_tables")

    def __init__(self) -> None:
        super().__init__()
        self._tables = [array("I", bytes(4 * 4)) for _ in range(_TABLES)]  # a number plus one; 0 is free
        self._counts = array("I", bytes(4 * _TABLES))

    def number(self, text: str) -> int:
        """Return the place of a text, adding it where it is new."""
        rest, which = divmod(hash(text), _TABLES)
        table = self._tables[which]
        slot = self._slot(table, text, rest)
        if not table[slot]:
            self.append(text)
            table[slot] = len(self)
            self._counts[which] += 1
            if 3 * self._counts[which] > 2 * len(table):
                self._tables[which] = self._widened(table)
            return len(self) - 1
        return table[slot] - 1

    def close(self) -> None:
        """Let go of what only adding needs."""
        self._tables = []

    def _slot(self, table: array[int], text: str, rest: int) -> int:
        """Return the slot that a text has in its table, or would have."""
        last = len(table) - 1
        slot = rest & last
        while table[slot] and self[table[slot] - 1] != text:
            slot = (slot + 1) & last
        return slot

    def _widened(self, table: array[int]) -> array[int]:
        wider = array("I", bytes(8 * len(table)))
        for number in filter(None, table):
            text = self[number - 1]
            wider[self._slot(wider, text, hash(text) // _TABLES)] = number
        return wider


class QueryTable:
    """Queries in the order added; an id is added once."""

    __slots__ = ("_ends", "_needed", "ids", "literals", "texts")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.ids = array("q")
        self.texts = Strings()
        self.literals = NumberedStrings()
        self._needed = array("I")  # numbers of literals, query after query
        self._ends = array("I", [0])  # where in ``_needed`` each query's are over
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add queries."""
        for entry in entries:
            self.ids.append(entry.id)
            self.texts.append(entry.text)
            self._needed.extend(map(self.literals.number, entry.literals))
            self._ends.append(len(self._needed))

    def close(self) -> None:
        """Let go of what only adding needs."""
        self.literals.close()

    def __len__(self) -> int:
        return len(self.ids)

    def entries(self, *, without: Collection[int] = ()) -> Iterator[Entry]:
        """Give the queries whose ids are not in ``without``."""
        for slot, key in enumerate(self.ids):
            if key not in without:
                numbers = self._needed[self._ends[slot] : self._ends[slot + 1]]
                yield Entry(key, self.texts[slot], [self.literals[number] for number in numbers])

    def askers(self) -> tuple[array[int], array[int]]:
        """Return the slots of the queries that need each literal, literal after literal, and where each one's begin."""
        starts = array("I", bytes(4 * (len(self.literals) + 1)))
        for number in self._needed:
            starts[number + 1] += 1
        for number in range(len(self.literals)):
            starts[number + 1] += starts[number]
        free, slots = starts[:], array("I", bytes(4 * len(self._needed)))
        for slot in range(len(self)):
            for number in self._needed[self._ends[slot] : self._ends[slot + 1]]:
                slots[free[number]] = slot
                free[number] += 1
        return slots, starts
