"""The language of channels: ``tag:Xiaomi OR about:Xiaomi``, from its text to a verdict on an article.

    text ── parse ──▶ Query ──┐
                              ├── evaluate ──▶ Verdict (matched, score, hits, why)
    Item ── prepare ─▶ Prepared ┘
                          └── Percolator.candidates ──▶ which of 100,000 queries are worth evaluating

``docs/query.md`` explains it to those who write queries. To add an operator: ``tree``, ``grammar``, ``matcher``, and
``presearch`` for what it needs to find.
"""

from alerts.core.query.aliases import NO_ALIASES, Aliases
from alerts.core.query.glance import Glance
from alerts.core.query.matcher import Verdict, evaluate
from alerts.core.query.parser import parse
from alerts.core.query.percolator import Percolator
from alerts.core.query.presearch import literals
from alerts.core.query.query_table import Entry, QueryTable
from alerts.core.query.tree import Query
from alerts.core.query.zones import Prepared, prepare

__all__ = [
    "NO_ALIASES",
    "Aliases",
    "Entry",
    "Glance",
    "Percolator",
    "Prepared",
    "Query",
    "QueryTable",
    "Verdict",
    "evaluate",
    "literals",
    "parse",
    "prepare",
]
