"""Read a JSON Feed (https://www.jsonfeed.org/version/1.1/, and version 1) that a server sent; feedparser knows none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC

from alerts.core.dates import read_moment
from alerts.core.errors import FetchError
from alerts.core.html_text import html_to_text, without_entities
from alerts.core.links import web_link
from alerts.core.text import clean_line, clean_text
from alerts.core.websub import hub_links
from alerts.sources.entries import Entry, ParsedFeed, to_items


def read_json_feed(text: str, *, url: str) -> ParsedFeed:
    """Return the feed's items; what is of a wrong type counts as missing. Raise FetchError for other JSON."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FetchError("the answer is no sound JSON; it may have broken off") from error
    items = document.get("items") if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise FetchError("the answer is JSON, but no JSON Feed: it has no list of items")
    entries = (_entry(item, document, url) for item in items if isinstance(item, Mapping))
    return ParsedFeed(items=to_items(entries), links=hub_links(_hubs(document), base=url))


def _hubs(feed: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the relations of the feed to itself and to its hubs; those of other protocols are none of ours."""
    yield "self", _text(feed, "feed_url")
    for hub in _list(feed, "hubs"):
        if isinstance(hub, Mapping) and _text(hub, "type").lower() == "websub":
            yield "hub", _text(hub, "url")


def _entry(item: Mapping[str, object], feed: Mapping[str, object], url: str) -> Entry:
    plain, markup = clean_text(_plain(item, "content_text")), _text(item, "content_html")
    link = web_link(_text(item, "url"), base=url) or web_link(_text(item, "external_url"), base=url)
    return Entry(
        guid=clean_line(_text(item, "id")) or link or "",
        title=clean_line(_plain(item, "title")),
        summary=clean_text(_plain(item, "summary")),
        content=plain or html_to_text(markup),
        url=link,
        author=", ".join(_authors(item)) or ", ".join(_authors(feed)) or None,
        tags=tuple(without_entities(tag) for tag in _list(item, "tags") if isinstance(tag, str)),
        language=_text(item, "language") or _text(feed, "language") or None,
        published_at=read_moment(_text(item, "date_published") or _text(item, "date_modified"), UTC),
    )


def _authors(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of version 1.1's ``authors``; version 1's ``author`` only where there are none.

    A feed for readers of both versions gives the same person twice.
    """
    named = [_name(author) for author in _list(values, "authors")]
    yield from filter(None, named if any(named) else [_name(values.get("author"))])


def _name(author: object) -> str:
    return _plain(author, "name") if isinstance(author, Mapping) else ""


def _text(values: Mapping[str, object], key: str) -> str:
    """Return a text; a number is what some write as an id."""
    value = values.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _plain(values: Mapping[str, object], key: str) -> str:
    """Return a text that people read; generators that escape it as for HTML are common."""
    return without_entities(_text(values, key))


def _list(values: Mapping[str, object], key: str) -> list[object]:
    value = values.get(key)
    return value if isinstance(value, list) else []
