"""Writes a feed as RSS 2.0, as Atom (RFC 4287) and as JSON Feed 1.1. All text comes in clean, and goes out as text.

What a reader program takes for HTML (a description, a summary) is escaped twice: once for HTML, once for XML.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from feedgenerator import Atom1Feed, Rss201rev2Feed
from feedgenerator.django.utils.encoding import iri_to_uri
from markupsafe import Markup

from alerts.web.pages import language_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """An article as a feed shows it."""

    id: str  # the URL of our page about it
    link: str
    title: str
    lines: Sequence[str]  # of its summary
    author: str | None
    tags: Sequence[str]
    language: str | None
    published_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A channel as a feed shows it."""

    title: str
    description: str
    home: str  # the channel's page
    url: str  # the feed itself
    language: str
    author: str  # the site
    updated_at: datetime
    entries: Sequence[FeedEntry]


class Format(NamedTuple):
    """How a feed is written, and what it is then called."""

    media_type: str
    write: Callable[[Feed], bytes]


def uri(link: str) -> str:
    """Return a link as a URI may be written: foreign letters and what is no character percent-encoded."""
    return str(iri_to_uri(link.encode("utf-8", "replace").decode()))


class _WithDate:
    """Dates a feed by what is in it; the library would take the clock for an empty one, and no two were the same."""

    feed: Mapping[str, Any]

    def latest_post_date(self) -> datetime:
        date: datetime = self.feed["updated_at"]
        return date


class _Rss(_WithDate, Rss201rev2Feed):  # type: ignore[misc] # the library has no types
    """RSS 2.0."""


class _Atom(_WithDate, Atom1Feed):  # type: ignore[misc] # the library has no types
    """Atom, each entry in its own language."""

    def item_attributes(self, item: Mapping[str, Any]) -> dict[str, str]:
        return {"xml:lang": item["language"]} if item["language"] else {}


def _rss(feed: Feed) -> bytes:
    return _xml(_Rss, feed)


def _atom(feed: Feed) -> bytes:
    return _xml(_Atom, feed)


def _xml(kind: Any, feed: Feed) -> bytes:
    made = kind(
        title=feed.title,
        link=feed.home,
        description=feed.description,
        language=feed.language,
        author_name=feed.author,
        feed_url=feed.url,
        feed_guid=feed.home,
        updated_at=feed.updated_at,
    )
    for entry in feed.entries:
        made.add_item(
            title=entry.title,
            link=entry.link,
            description=_html(entry.lines),
            author_name=entry.author,
            pubdate=entry.published_at,
            updateddate=entry.updated_at,
            unique_id=entry.id,
            unique_id_is_permalink=True,
            categories=entry.tags,
            language=language_tag(entry.language),
        )
    return bytes(made.writeString("utf-8"), "utf-8")


def _html(lines: Sequence[str]) -> str | None:
    """Write a summary as HTML that is nothing but its text."""
    if not lines:
        return None
    if len(lines) == 1:
        return str(Markup("<p>{}</p>").format(lines[0]))
    return str(Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)))


def _json(feed: Feed) -> bytes:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.url,
        "description": feed.description,
        "language": feed.language,
        "authors": [{"name": feed.author}],
        "items": [_json_item(entry) for entry in feed.entries],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _json_item(entry: FeedEntry) -> dict[str, Any]:
    item = {
        "id": entry.id,
        "url": entry.link,
        "title": entry.title,
        "content_text": "\n".join(entry.lines) or entry.title,  # one content the format asks for
        "date_published": entry.published_at.isoformat(),
        "date_modified": entry.updated_at.isoformat(),
        "authors": [{"name": entry.author}] if entry.author else None,
        "tags": list(entry.tags) or None,
        "language": language_tag(entry.language) or None,
    }
    return {name: value for name, value in item.items() if value is not None}


#: By the end of their address.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "rss": Format("application/rss+xml; charset=utf-8", _rss),
        "atom": Format("application/atom+xml; charset=utf-8", _atom),
        "json": Format("application/feed+json; charset=utf-8", _json),
    }
)
