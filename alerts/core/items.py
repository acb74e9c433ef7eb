"""Make an Item out of whatever a format found: tidy, bounded, with its tickers and language; it reads no format.

Every format and feed goes through ``make_item``, so what holds for one Item (see ``model.Item``) holds for all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from alerts.core.language import declared_language, guess_language
from alerts.core.model import Item
from alerts.core.text import clean_line, clean_text, excerpt
from alerts.core.tickers import find_tickers

LONGEST_TITLE = 300
LONGEST_SUMMARY_LINE = 1_000
LONGEST_AUTHOR = 200
LONGEST_TAG = 100
LONGEST_ID = 500
LONGEST_URL = 2_000
LONGEST_BODY = 1_000_000
MOST_SUMMARY_LINES = 20
MOST_TAGS = 50

_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0<>\"\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedItem:
    """An item and what its file says about when it may be seen."""

    item: Item
    is_draft: bool = False
    not_before_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a file holds."""

    items: tuple[ParsedItem, ...]
    notes: tuple[str, ...] = ()  # what was odd but readable, for the log


def make_item(
    *,
    item_id: str,
    title: str,
    summary: Iterable[str] = (),
    body: str = "",
    url: str | None = None,
    author: str | None = None,
    tags: Iterable[str] = (),
    language: str | None = None,
    published_at: datetime | None = None,
) -> Item:
    """Return a tidy Item from plain text of any quality; what is too long is cut, a URL that is none is left out."""
    title = excerpt(title, LONGEST_TITLE)
    lines = tuple(filter(None, (excerpt(line, LONGEST_SUMMARY_LINE) for line in summary)))[:MOST_SUMMARY_LINES]
    body = clean_text(body[:LONGEST_BODY])
    text = "\n".join((title, *lines, body))
    return Item(
        item_id=bounded_id(item_id),
        title=title,
        summary=lines,
        body=body,
        url=web_url(url),
        author=excerpt(author or "", LONGEST_AUTHOR) or None,
        tags=_distinct(excerpt(tag, LONGEST_TAG) for tag in tags)[:MOST_TAGS],
        tickers=find_tickers(text),
        language=declared_language(language) or guess_language(text),
        published_at=published_at,
    )


def web_url(written: str | None) -> str | None:
    """Return ``written`` if a reader's browser can open it (absolute, HTTP or HTTPS), else None."""
    url = (written or "").strip()
    if not url or len(url) > LONGEST_URL or _NOT_IN_URLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def bounded_id(written: str) -> str:
    """Return an id that fits an index: itself, or its beginning with a hash of the whole."""
    tidy = clean_line(written)
    if len(tidy) <= LONGEST_ID:
        return tidy
    return f"{tidy[: LONGEST_ID - 65]}#{hashlib.sha256(tidy.encode()).hexdigest()}"


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    """Keep each tag once, whatever its case, as it was first written."""
    kept: dict[str, str] = {}
    for tag in filter(None, tags):
        kept.setdefault(tag.casefold(), tag)
    return tuple(kept.values())
