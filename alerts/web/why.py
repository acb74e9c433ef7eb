"""Says in a reader's words why an article is in a channel. The scores and the query's tree are the CLI's business."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from alerts.core.model import Hit

MOST_TERMS = 4
ONCE = 1

_ZONES = {  # in the order in which they say most
    "tag": "the tags",
    "title": "the headline",
    "summary": "the summary",
    "lead": "the first lines",
    "body": "the text",
    "ticker": "the tickers",
    "author": "the author's name",
    "source": "the source's name",
    "lang": "the language",
}


def why(hits: Iterable[Hit]) -> list[tuple[str, str]]:
    """Return the first few terms with where each was found: ``("Xiaomi", "the tags, the text (9 times)")``."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for hit in hits:
        zones = found[hit.term]
        zones[hit.zone] = zones.get(hit.zone, 0) + hit.count
    return [(term, _places(zones)) for term, zones in list(found.items())[:MOST_TERMS]]


def _places(zones: dict[str, int]) -> str:
    known = sorted(zones, key=lambda zone: list(_ZONES).index(zone) if zone in _ZONES else len(_ZONES))
    return ", ".join(f"{_ZONES.get(zone, zone)}{_times(zones[zone])}" for zone in known)


def _times(count: int) -> str:
    return "" if count <= ONCE else f" ({count}\u00a0times)"
