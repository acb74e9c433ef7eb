"""Read a feed's bytes into items: RSS and Atom through feedparser, JSON Feed by ``json_feed``. Trusts nothing.

Runs in a child process that can be killed (``parser_process``): some inputs cost feedparser minutes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from time import struct_time
from typing import Any
from xml.sax.saxutils import quoteattr

import feedparser

from alerts.core.dates import read_moment
from alerts.core.errors import FetchError
from alerts.core.html_text import html_to_text, without_entities
from alerts.core.links import web_link
from alerts.core.text import clean_line, clean_text
from alerts.core.websub import hub_links
from alerts.sources.encoding import decode_feed
from alerts.sources.entries import Entry, ParsedFeed, to_items
from alerts.sources.json_feed import read_json_feed

MAX_HTML = 1_000_000  # characters of one field that are read
_LONGEST_TTL = timedelta(days=365)

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DECLARATION = re.compile(r"\A<\?xml[^>]*\?>", re.IGNORECASE)
_ROOT = re.compile(
    r"\A(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*+(?:\[[^\]]*+\])?\s*+>)*+<(?:[\w.-]++:)?([\w.-]++)",
    re.IGNORECASE | re.DOTALL,
)
_BASE = re.compile(
    r"""(?P<before>\A[^>]*?\sxml:base\s*=\s*)(?P<quote>["'])(?P<base>[^"'<>]*)(?P=quote)""", re.IGNORECASE
)
_FEED_ROOTS = frozenset({"rss", "feed", "rdf", "channel"})
_END = re.compile(r"</(?:[\w.-]+:)?(?:rss|feed|channel)\s*>", re.IGNORECASE)
_RDF_END = re.compile(r"</(?:[\w.-]+:)?rdf\s*>", re.IGNORECASE)  # its channel ends before its items begin
_MARKUP = re.compile(r"<[a-zA-Z/!]|&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);")


def parse_feed(body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
    """Return the items of a feed that came from ``url``; raise FetchError when it is none, or breaks off.

    A login page, an empty answer and half a feed are errors, so that a poll that brought nothing is never taken for a
    source that has nothing.
    """
    text = _NOT_XML.sub("", decode_feed(body, charset=charset)).lstrip("\ufeff \t\r\n")
    if not text:
        raise FetchError("the answer is empty")
    if text.startswith(("{", "[")):
        return read_json_feed(text, url=url)
    return _read_xml(text, url=url)


def _read_xml(text: str, *, url: str) -> ParsedFeed:
    """Read RSS or Atom; feedparser gets UTF-8 without a declaration, so that it has nothing to guess."""
    found = _ROOT.match(text)
    root = found[1].lower() if found else ""
    if found:
        text = text[: found.end()] + _with_absolute_base(text[found.end() :], url)
    data = _DECLARATION.sub("", text, count=1).encode("utf-8")
    # It is not told where the feed came from: an id that is no link would become one, and another when the feed moves.
    headers = {"content-type": "application/xml; charset=utf-8"}
    # A stream, never the bytes themselves: those it would try to open as a file name.
    parsed = feedparser.parse(
        io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False, response_headers=headers
    )
    feed = parsed.get("feed", {})
    # CDF, RSS 1.1 and RDF of a namespace of its own have no version that feedparser knows; it reads their items.
    version = str(parsed.get("version") or "") or (root if root in _FEED_ROOTS and parsed.get("entries") else "")
    if not version:
        raise FetchError(f"the answer is no feed; it begins with {clean_line(text[:80])!r}")
    # A feed that is no sound XML is read all the same, by feedparser's tolerant parser: unescaped ampersands are
    # common. One that has no end is another matter: what is missing would be taken for new when it comes back.
    end = _RDF_END if root == "rdf" or version in {"rss10", "rss090"} else _END
    if parsed.get("bozo") and not end.search(text):
        raise FetchError("the feed breaks off before its end")
    entries = (_entry(entry, feed, version=version, url=url) for entry in parsed.get("entries", []))
    links = ((_text(link.get("rel")), _text(link.get("href"))) for link in feed.get("links") or ())
    return ParsedFeed(items=to_items(entries), ttl=_ttl(feed.get("ttl")), links=hub_links(links, base=url))


def _with_absolute_base(rest: str, url: str) -> str:
    """Return what follows the root's name with its ``xml:base`` absolute, where it has one: feedparser has no other."""
    found = _BASE.match(rest)
    base = web_link(unescape(found["base"]), base=url) if found else None
    if found is None or base is None:
        return rest
    return f"{found['before']}{quoteattr(base)}{rest[found.end() :]}"


def _entry(entry: dict[str, Any], feed: Mapping[str, Any], *, version: str, url: str) -> Entry:
    title = entry.get("title_detail") or {}
    return Entry(
        guid=clean_line(_text(entry.get("id"))),
        title=clean_line(_plain(title, rss=not version.startswith("atom"))),
        summary=_plain(entry.get("summary_detail") or {}, rss=True),
        content=_content(entry),
        url=_link(entry, url),
        author=_author(entry) or _author(feed),
        tags=tuple(_tags(entry)),
        language=_text(entry.get("language")) or _text(title.get("language")) or _text(feed.get("language")) or None,
        published_at=_date(entry),
    )


def _plain(detail: Mapping[str, Any], *, rss: bool) -> str:
    """Return a field as plain text; in RSS what says it is plain is HTML as often as not."""
    value = _text(detail.get("value"))[:MAX_HTML]
    if "html" in _text(detail.get("type")) or (rss and _MARKUP.search(value)):
        return html_to_text(value)
    return clean_text(without_entities(value))


def _content(entry: Mapping[str, Any]) -> str:
    """Return the longest of the contents that are text; feeds give the same one in several types."""
    texts = (_plain(content, rss=True) for content in entry.get("content") or () if _is_text(content))
    return max(texts, key=len, default="")


def _is_text(content: Mapping[str, Any]) -> bool:
    kind = _text(content.get("type")).lower()
    return not kind or kind.startswith("text/") or "html" in kind


def _link(entry: Mapping[str, Any], base: str) -> str | None:
    """Return the article's own address: what a feed proxy says it was, else the link, else the first alternate one."""
    alternates = (link.get("href") for link in entry.get("links") or () if link.get("rel", "alternate") == "alternate")
    first = _text(entry.get("link"))
    if first == _text(entry.get("id")) and not first.startswith("/"):  # feedparser took the guid for the link
        first = web_link(first) or ""  # "12345" is an id, and no page beside the feed
    for written in (entry.get("feedburner_origlink"), first, *alternates):
        link = web_link(_text(written), base=base)
        if link is not None:
            return link
    return None


def _author(values: Mapping[str, Any]) -> str | None:
    detail = values.get("author_detail") or {}
    return without_entities(_text(detail.get("name")) or _text(values.get("author"))) or None


def _tags(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people read: a category's label where it has one, without markup."""
    for tag in entry.get("tags") or ():
        written = _text(tag.get("label")) or _text(tag.get("term"))
        yield html_to_text(written) if _MARKUP.search(written) else written


def _date(entry: dict[str, Any]) -> datetime | None:
    """Return when it was published; when it was changed only where nothing else is said.

    feedparser knows more formats, but reads some that it does not know for another: 2026/01/05 for the first of
    November. So it is asked second.
    """
    for key in ("published", "created", "updated"):
        read = read_moment(dict.get(entry, key), UTC)  # feedparser's own get() offers one date for another, and warns
        if read is not None:
            return read
        moment = dict.get(entry, f"{key}_parsed")
        if isinstance(moment, struct_time):
            try:
                return datetime(*moment[:5], min(moment.tm_sec, 59), tzinfo=UTC)
            except ValueError:  # a year or a day that there is not
                continue
    return None


def _ttl(written: object) -> timedelta | None:
    """Read RSS's ttl, in minutes."""
    text = _text(written).strip()
    return min(timedelta(minutes=int(text[:9])), _LONGEST_TTL) if text.isascii() and text.isdigit() else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
