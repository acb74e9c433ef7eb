"""Many queries turned round: an article is put to all of them at once, and those that could match are named.

Aho-Corasick automata, the base, hold the literals of all queries, and a small one, the delta, those of the queries
that came or changed since the base was built. So a new query costs no rebuilding of all; when the delta has grown, a
new base is made beside the old one. Everything here is unchanging: what changes is which percolator is asked.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ahocorasick_rs import AhoCorasick, MatchKind

from alerts.core.query.aliases import mentions
from alerts.core.query.query_table import QueryTable
from alerts.core.query.words import starts_word
from alerts.core.query.zones import Prepared

LITERALS_AN_AUTOMATON = 20_000  # making one holds Python's lock: for more, pages and senders would wait too long
SMALLEST_GROWN = 1_000  # changes that a delta takes at least before a new base is worth its while
GROWN_SHARE = 64  # of the base, as a divisor: then a new query costs less than a new base for each of so many

_ALL = MatchKind.Standard  # every match, overlapping ones too


class QueryIndex:
    """A table of queries with the automaton that finds its literals."""

    __slots__ = ("_askers", "_automata", "_order", "_starts", "table")

    def __init__(self, table: QueryTable) -> None:
        table.close()
        self.table = table
        self._askers, self._starts = table.askers()
        self._order = _by_beginning(table.literals)
        self._automata = [
            (first, AhoCorasick(map(table.literals.__getitem__, some), matchkind=_ALL, store_patterns=False))
            for first in range(0, len(self._order), LITERALS_AN_AUTOMATON)
            for some in [self._order[first : first + LITERALS_AN_AUTOMATON]]
        ]

    def candidates(self, haystack: str) -> set[int]:
        """Return the slots of the queries of which a literal is in the text, where a word may begin."""
        found = {
            self._order[first + place]
            for first, automaton in self._automata
            for place, at, _ in automaton.find_matches_as_indexes(haystack, overlapping=True)
            if starts_word(haystack, at)
        }
        return {slot for number in found for slot in self._askers[self._starts[number] : self._starts[number + 1]]}


def _by_beginning(literals: Iterable[str]) -> array[int]:
    """Return the numbers of literals, those that begin alike together.

    Of several automata each then passes over most of a text, and they are made in half the time.
    """
    alike: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
    for number, literal in enumerate(literals):
        alike[literal[:2]].append(number)
    order = array("I")
    for beginning in sorted(alike):
        order.extend(alike[beginning])
    return order


@dataclass(frozen=True, slots=True, kw_only=True)
class Percolator:
    """All queries as they are: those of the base that are not stale, and those of the delta."""

    base: QueryIndex = field(default_factory=lambda: QueryIndex(QueryTable()))
    stale: frozenset[int] = frozenset()  # ids that the base may know, and that changed or went since
    delta: QueryIndex = field(default_factory=lambda: QueryIndex(QueryTable()))

    @property
    def is_empty(self) -> bool:
        """Whether there is no query at all, and none that is stale."""
        return not (len(self.base.table) or len(self.delta.table) or self.stale)

    def candidates(self, prepared: Prepared) -> list[tuple[int, str]]:
        """Return id and text of every query that matches the article, and of some that do not, in the order of ids."""
        found = [
            (index.table.ids[slot], index.table.texts[slot])
            for index, hidden in ((self.base, self.stale), (self.delta, ()))
            for slot in index.candidates(prepared.haystack)
            if index.table.ids[slot] not in hidden
        ]
        return sorted(found)

    def changed(self, ids: AbstractSet[int], new: QueryTable) -> Percolator:
        """Return what it is once ``ids`` are replaced by the queries in ``new``; one that is not there is gone."""
        table = QueryTable(self.delta.table.entries(without=ids))
        table.extend(new.entries())
        return Percolator(base=self.base, stale=self.stale | ids, delta=QueryIndex(table))

    @property
    def has_grown(self) -> bool:
        """Whether the delta is large enough for a new base."""
        return len(self.stale) > max(SMALLEST_GROWN, len(self.base.table) // GROWN_SHARE)

    def compacted(self) -> QueryIndex:
        """Return a base that knows everything; takes seconds for a million queries."""
        table = QueryTable(self.base.table.entries(without=self.stale))
        table.extend(self.delta.table.entries())
        return QueryIndex(table)

    def rebased(self, base: QueryIndex, *, since: AbstractSet[int]) -> Percolator:
        """Return the same on a new base, which was made before the queries of ``since`` changed."""
        later = (entry for entry in self.delta.table.entries() if entry.id in since)
        return Percolator(base=base, stale=frozenset(since), delta=QueryIndex(QueryTable(later)))

    def texts_with(self, names: AbstractSet[str]) -> list[tuple[int, str]]:
        """Return id and text of the queries that may write one of these folded names."""
        known = (*self.base.table.entries(without=self.stale), *self.delta.table.entries())
        return [(entry.id, entry.text) for entry in known if mentions(entry.text, names)]
