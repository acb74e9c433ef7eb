"""What a web server is asked for: a feed, the page of an article, or what it asks of robots."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.sources.bodies import MAX_BODY

MAX_PAGE = 5 * 1024 * 1024  # decoded bytes; half of a feed, which has many articles


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for."""

    what: str  # in messages
    accept: str
    largest: int  # decoded bytes
    kinds: frozenset[str] | None = None  # media types; another one's body is not even read. None: any


FEED = Wanted(
    what="feed",
    accept=(
        "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, "
        "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
    ),
    largest=MAX_BODY,
)
PAGE = Wanted(
    what="page",
    accept="text/html, application/xhtml+xml",
    largest=MAX_PAGE,
    kinds=frozenset({"text/html", "application/xhtml+xml"}),
)
ROBOTS = Wanted(what="robots.txt", accept="text/plain, */*;q=0.5", largest=MAX_PAGE)
