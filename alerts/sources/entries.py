"""From a feed's entry, in whatever format, to an item: what is its summary, its title, its id. Reads no format."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.core.items import make_item
from alerts.core.links import canonical_url
from alerts.core.model import Item
from alerts.core.text import excerpt
from alerts.core.websub import NO_LINKS, HubLinks

MAX_ITEMS = 2_000
MAX_BODY = 200_000  # characters of an article's text that are kept
SHORT = 500  # characters of a description that is shown whole as the summary
MADE_TITLE = 100  # characters of a title made from the text of a post that has none
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """What a feed holds."""

    items: tuple[Item, ...]
    ttl: timedelta | None = None  # how long the feed says that it stays fresh
    links: HubLinks = NO_LINKS  # what it says of a hub that tells of its news


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a feed says of one article, as plain text."""

    guid: str = ""
    title: str = ""
    summary: str = ""
    content: str = ""
    url: str | None = None
    author: str | None = None
    tags: Sequence[str] = ()
    language: str | None = None
    published_at: datetime | None = None


def to_items(entries: Iterable[Entry]) -> tuple[Item, ...]:
    """Return the items in the feed's order; of more than 2,000 those dated last. Empty entries are left out."""
    told = [entry for entry in entries if entry.title or entry.summary or entry.content]
    if len(told) > MAX_ITEMS:
        told = sorted(told, key=lambda entry: entry.published_at or _EARLIEST, reverse=True)[:MAX_ITEMS]
    return tuple(_item(entry, item_id) for entry, item_id in zip(told, _ids(told), strict=True))


def _item(entry: Entry, item_id: str) -> Item:
    summary, body = _summary_and_body(entry)
    return make_item(
        item_id=item_id,
        title=entry.title or excerpt(summary or body, MADE_TITLE),
        summary=(summary,),
        body=body[:MAX_BODY],
        url=entry.url,
        author=entry.author,
        tags=entry.tags,
        language=entry.language,
        published_at=entry.published_at,
    )


def _summary_and_body(entry: Entry) -> tuple[str, str]:
    """Return what a mail shows, and what is searched besides; a long description is the article itself."""
    if entry.content and not entry.content.startswith(entry.summary):
        return excerpt(entry.summary, 2 * SHORT), entry.content
    text = entry.content or entry.summary
    return excerpt(text, SHORT), "" if len(text) <= SHORT else text


def _ids(entries: Sequence[Entry]) -> list[str]:
    """Return the entries' ids: the feed's own, else the link, else one made from title and date."""
    links = [canonical_url(entry.url or "") for entry in entries]
    shared = Counter(link for link, entry in zip(links, entries, strict=True) if not entry.guid)
    return [
        entry.guid or (link if link and shared[link] == 1 else f"{link or ''}#{_mark(entry)}")
        for link, entry in zip(links, entries, strict=True)
    ]


def _mark(entry: Entry) -> str:
    marks = "\n".join((entry.title or entry.summary or entry.content, str(entry.published_at)))
    return hashlib.sha256(marks.encode("utf-8", "replace")).hexdigest()[:24]
