"""Find the feeds that an HTML page offers in its ``<link rel="alternate">``. Runs in the child that parses feeds.

Reads what browsers' feed readers read (https://www.rssboard.org/rss-autodiscovery); builds no tree.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

from alerts.core.feed_choice import FeedLink, in_order
from alerts.core.links import web_link
from alerts.core.text import clean_line, excerpt
from alerts.sources.encoding import decode_feed

MOST_READ = 2_000_000  # characters of a page; links stand in its head
_LONGEST_TITLE = 200
_FEEDS = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})
_JSON = "application/json"  # JSON Feed 1.0's type; it is that of any other JSON, too


def find_feed_links(body: bytes, *, url: str, charset: str | None = None) -> tuple[FeedLink, ...]:
    """Return the feeds that the page from ``url`` offers, each once, those of comments last; none for other bytes."""
    reader = _LinkReader()
    reader.feed(decode_feed(body, charset=charset)[:MOST_READ])
    reader.close()
    base = web_link(reader.base, base=url) or url
    links = ((web_link(href, base=base), title) for href, title in reader.found)
    return in_order(
        FeedLink(url=link, title=excerpt(clean_line(title), _LONGEST_TITLE)) for link, title in links if link
    )


class _LinkReader(HTMLParser):
    """Notes the first base and the links to feeds, wherever a broken page has them."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says; of a repeated attribute the first counts, as in browsers."""
        values = {name: value or "" for name, value in reversed(attrs)}
        href = values.get("href", "").strip()
        if tag == "base":
            self.base = self.base or href
        elif tag == "link" and href and _is_feed(values, href):
            self.found.append((href, values.get("title", "")))


def _is_feed(values: dict[str, str], href: str) -> bool:
    """Say whether a link is to a feed; a page's API is of JSON's type as well, and is none."""
    if "alternate" not in values.get("rel", "").lower().split():
        return False
    kind = values.get("type", "").partition(";")[0].strip().lower()
    return kind in _FEEDS or (kind == _JSON and "feed" in _path(href))


def _path(href: str) -> str:
    try:
        return urlsplit(href).path.lower()
    except ValueError:
        return ""
