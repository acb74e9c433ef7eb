"""Other names of one thing, declared once and found wherever a query writes its name; it reads no config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from alerts.core.query.tree import Field
from alerts.core.query.zones import tag_key, ticker_key
from alerts.core.text import clean_line, fold

# As a share is written: HKG: 1810, NASDAQ:LI, XIACY. What only looks like one is looked for as a word all the same.
_TICKER = re.compile(r"(?:[A-Z]{2,12} ?: ?)?[A-Z0-9]{1,10}(?:[.\-][A-Z0-9]{1,3})?", re.ASCII)
_WITHOUT = {Field.LANG, Field.CASE}  # a language is no name, and exact case asks for one spelling


@dataclass(frozen=True, slots=True)
class Aliases:
    """The other names of things, by the folded name that queries write; each list as it was written."""

    by_name: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, declared: Mapping[str, Iterable[str]]) -> Aliases:
        """Make them of names as people write them."""
        return cls({fold(name): tuple(others) for name, others in declared.items()})

    def keys(self, text: str, where: Field) -> tuple[str, ...]:
        """Return what else to look for in a field where ``text`` is written, as that field compares it."""
        if not self.by_name or where in _WITHOUT:
            return ()
        folded = fold(text)
        others = self.by_name.get(tag_key(text) if where is Field.TAG else folded, ())
        forms = (form for other in others for form in _forms(other, where))
        return tuple(dict.fromkeys(form for form in forms if form != folded))

    def tickers(self, text: str, where: Field) -> tuple[str, ...]:
        """Return the shares among the aliases of a bare ``text``: to be found among an article's tickers too."""
        return tuple(dict.fromkeys(self.keys(text, Field.TICKER))) if where is Field.TEXT else ()

    def changed_names(self, new: Aliases) -> frozenset[str]:
        """Return the folded names whose aliases are others in ``new``."""
        names = self.by_name.keys() | new.by_name.keys()
        return frozenset(name for name in names if self.by_name.get(name) != new.by_name.get(name))


NO_ALIASES = Aliases()


def mentions(query: str, names: AbstractSet[str]) -> bool:
    """Say whether a query's text may write one of these folded names; a backslash hides none."""
    folded = fold(query.replace("\\", ""))
    return any(name in folded for name in names)


def _forms(other: str, where: Field) -> tuple[str, ...]:
    """Return how an alias may stand in a field."""
    share = _TICKER.fullmatch(clean_line(other)) is not None
    match where:
        case Field.TICKER:
            return (ticker_key(other),) if share else ()
        case Field.TAG:
            return (tag_key(other),)
        case _:
            return (fold(other), ticker_key(other)) if share else (fold(other),)
