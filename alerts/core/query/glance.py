"""A few queries asked about many articles: which of them an article could match, before it is laid out.

For looking back over a month, where most articles answer none; what matches every new article is ``percolator``.
"""

from __future__ import annotations

from collections.abc import Sequence

from alerts.core.model import Item
from alerts.core.query.percolator import QueryIndex
from alerts.core.query.presearch import literals
from alerts.core.query.query_table import Entry, QueryTable
from alerts.core.query.tree import Query
from alerts.core.query.zones import haystack_of


class Glance:
    """Queries by their number in the order given."""

    def __init__(self, queries: Sequence[Query]) -> None:
        entries = (Entry(number, query.text, sorted(literals(query))) for number, query in enumerate(queries))
        self._index = QueryIndex(QueryTable(entries))

    def candidates(self, item: Item, *, source_name: str) -> set[int]:
        """Return the numbers of all queries that the item matches, and of some that it does not."""
        return self._index.candidates(haystack_of(item, source_name=source_name))
