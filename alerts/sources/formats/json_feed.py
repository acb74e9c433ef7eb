"""``.json``: a JSON Feed (https://www.jsonfeed.org/version/1.1/), a list of its items, or one item alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import tzinfo

from alerts.core.errors import ArticleError
from alerts.core.html_text import html_to_text, without_entities
from alerts.core.items import Parsed, ParsedItem, make_item
from alerts.core.text import clean_line, clean_text, excerpt
from alerts.sources.formats.fields import Fields

MOST_ITEMS = 2_000
LONGEST_MADE_TITLE = 100  # of an item without one: a note, whose text begins with what it is about

_CONTENT = ("title", "content_text", "content_html", "summary")
_EVERYWHERE_UNIQUE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read(path_name: str, text: str, time_zone: tzinfo) -> Parsed:
    """Return the items; a wrong one is noted and the others are kept. Raise ArticleError when none is left."""
    document = _load(text)
    feed = document if isinstance(document, Mapping) and "items" in document else {}
    found = feed["items"] if feed else document
    alone = isinstance(found, Mapping)
    items = [found] if alone else found
    if not isinstance(items, list):
        raise ArticleError("is no JSON Feed: neither an item nor a list of items")
    if len(items) > MOST_ITEMS:
        raise ArticleError(f"holds {len(items)} items; at most {MOST_ITEMS} are read from one file")
    parsed: list[ParsedItem] = []
    notes: list[str] = []
    for number, values in enumerate(items, start=1):
        try:
            parsed.append(_item(values, feed, path_name, time_zone, alone=alone))
        except ArticleError as error:
            notes.append(str(error) if alone else f"item {number}: {error}")
    if notes and not parsed:
        raise ArticleError(notes[0])
    return Parsed(items=tuple(parsed), notes=tuple(notes))


def _load(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ArticleError(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except ValueError as error:  # a number of thousands of digits
        raise ArticleError("is not JSON that can be read: it holds a number of thousands of digits") from error


def _item(values: object, feed: Mapping[str, object], path_name: str, time_zone: tzinfo, *, alone: bool) -> ParsedItem:
    if not isinstance(values, Mapping) or not any(values.get(key) for key in _CONTENT):
        raise ArticleError(f"is no item of a JSON Feed: it has none of {', '.join(_CONTENT)}")
    fields, defaults = Fields(values), Fields(feed)
    published_at = fields.moment("date_published", time_zone=time_zone)
    content = fields.text("content_text")
    body = clean_text(content) if content else html_to_text(fields.text("content_html"))
    summary = [without_entities(line) for line in fields.lines("summary")]
    title = clean_line(without_entities(fields.text("title")))
    if not title:
        title = excerpt((body or "\n".join(summary)).split("\n", maxsplit=1)[0], LONGEST_MADE_TITLE)
    if not title:
        raise ArticleError("holds no text")
    item = make_item(
        item_id=_item_id(fields, path_name, title, alone=alone),
        title=title,
        summary=summary,
        body=body,
        url=fields.text("url", "external_url"),
        author=fields.names("authors", "author") or defaults.names("authors", "author"),
        tags=fields.parts("tags"),
        language=fields.text("language") or defaults.text("language"),
        published_at=published_at,
    )
    expires_at = fields.moment("date_expires", "expires", "expires_at", time_zone=time_zone)
    return ParsedItem(item=item, is_draft=fields.is_draft, not_before_at=published_at, expires_at=expires_at)


def _item_id(fields: Fields, path_name: str, title: str, *, alone: bool) -> str:
    """Return an id unique in the folder: an item's own is often "1", unique only in its file."""
    written = clean_line(fields.text("id"))
    if _EVERYWHERE_UNIQUE.fullmatch(written) or (alone and written and not written.isdecimal()):
        return written
    if alone:
        return path_name
    own = written or fields.text("url") or hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{path_name}#{own}"
