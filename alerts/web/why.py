"""Says in a reader's words why an article is in a channel. The scores and the query's tree are the CLI's business."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from alerts.core.model import Hit
from alerts.core.sentences import N_

MOST_TERMS = 4

_ZONES = {  # in the order in which they say most
    "tag": N_("the tags"),
    "title": N_("the headline"),
    "summary": N_("the summary"),
    "lead": N_("the first lines"),
    "body": N_("the text"),
    "ticker": N_("the tickers"),
    "author": N_("the author's name"),
    "source": N_("the source's name"),
    "lang": N_("the language"),
}


def why(hits: Iterable[Hit]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the first few terms with where and how often each was found: ``("Xiaomi", [("the text", 9)])``."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for hit in hits:
        zones = found[hit.term]
        zones[hit.zone] = zones.get(hit.zone, 0) + hit.count
    return [(term, _places(zones)) for term, zones in list(found.items())[:MOST_TERMS]]


def _places(zones: dict[str, int]) -> list[tuple[str, int]]:
    known = sorted(zones, key=lambda zone: list(_ZONES).index(zone) if zone in _ZONES else len(_ZONES))
    return [(_ZONES.get(zone, zone), zones[zone]) for zone in known]
