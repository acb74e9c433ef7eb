"""What a page tells search engines in JSON-LD: the article among its schema.org objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from alerts.sources.formats.fields import Fields

DEEPEST = 6
MOST_OBJECTS = 500
LONGEST_SCRIPT = 512 << 10  # characters

_ARTICLE_TYPE = re.compile(r"(?:https?://schema\.org/|schema:)?\w*(?:Article|Posting|Report)")
_WRAPPING = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*$")


def find_article(scripts: Iterable[str]) -> Fields:
    """Return the keys of the first article in these scripts, in lower case; none when there is none.

    A script that is not JSON is passed over: the page can be read without it.
    """
    for script in scripts:
        for found in _objects(_load(script)):
            if _is_article(found):
                return Fields({str(key).lower(): value for key, value in found.items()})
    return Fields({})


def _load(script: str) -> object:
    try:
        return json.loads(_WRAPPING.sub("", script[:LONGEST_SCRIPT]), strict=False)
    except (ValueError, RecursionError):
        return None


def _objects(document: object) -> Iterator[Mapping[str, object]]:
    """Yield the objects of a document, those in lists, ``@graph`` and ``mainEntity`` included, outer ones first."""
    level = [document]
    left = MOST_OBJECTS
    for _ in range(DEEPEST):
        inner: list[object] = []
        for found in level[:left]:
            left -= 1
            if isinstance(found, Mapping):
                yield found
                inner += [found[key] for key in ("@graph", "mainEntity", "hasPart", "item") if key in found]
            elif isinstance(found, list):
                inner += found
        level = inner


def _is_article(found: Mapping[str, object]) -> bool:
    kinds = found.get("@type")
    named = kinds if isinstance(kinds, list) else [kinds]
    return any(isinstance(kind, str) and _ARTICLE_TYPE.fullmatch(kind) for kind in named)
