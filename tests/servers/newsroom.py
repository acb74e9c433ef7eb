"""A publisher whose feed lies as real ones do: the same stories written in every way that feeds are, behind HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from feed_server import FeedServer, answer

from alerts.core.full_text import ReadPage
from alerts.core.model import Article, Disposition
from alerts.services.poll import Polled, poll_feed
from alerts.sources.entries import ParsedFeed
from alerts.sources.extract import extract_page
from alerts.sources.feed import parse_feed
from alerts.sources.fetch import Fetcher
from alerts.storage import articles
from alerts.storage.engine import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
# fmt: off
_WORDS = (
    "Apples", "Boats", "Cars", "Dogs", "Engines", "Farms", "Glass", "Houses", "Ink", "Jam", "Kites", "Lamps", "Mills",
    "Nets", "Oars", "Pumps", "Quilts", "Rails",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A story as a feed may give it; ``dated`` is written as it stands, wrong dates too."""

    guid: str
    link: str
    title: str
    text: str
    dated: str = ""


def piece(number: int) -> Piece:
    """Make a story unlike the others."""
    word, other = _WORDS[number % 18], _WORDS[(number * 7 + 3) % 18]
    return Piece(
        guid=f"tag:news.example,2026:{number}",
        link=f"https://news.example/{word.lower()}/{number}",
        title=f"{word} meet {other} in year {number} 电动车",
        text=f"{word} of kind {number} were seen beside {other}, says one who knows {word}. 小米汽车第{number}次。",
        dated="Mon, 05 Jan 2026 10:00:00 GMT",
    )


def rss(pieces: Sequence[Piece], *, encoding: str = "utf-8", head: str = "") -> bytes:
    """Write a feed as RSS 2.0."""
    items = "".join(
        f"<item><title>{escape(one.title)}</title><guid isPermaLink='false'>{escape(one.guid)}</guid>"
        f"<link>{escape(one.link)}</link><description>{escape(one.text)}</description>"
        + (f"<pubDate>{one.dated}</pubDate>" if one.dated else "")
        + "</item>"
        for one in pieces
    )
    text = f"<rss version='2.0'><channel><title>News</title>{head}{items}</channel></rss>"
    return _encoded(text, encoding)


def atom(pieces: Sequence[Piece], *, encoding: str = "utf-8") -> bytes:
    """Write a feed as Atom."""
    entries = "".join(
        f"<entry><title>{escape(one.title)}</title><id>{escape(one.guid)}</id>"
        f"<link href='{escape(one.link)}'/><summary>{escape(one.text)}</summary>"
        "<updated>2026-01-05T11:00:00Z</updated></entry>"
        for one in pieces
    )
    return _encoded(f"<feed xmlns='http://www.w3.org/2005/Atom'><title>News</title>{entries}</feed>", encoding)


def _encoded(text: str, encoding: str) -> bytes:
    declared = f"<?xml version='1.0' encoding='{encoding}'?>{text}"
    return declared.encode(encoding, "xmlcharrefreplace")


@dataclass(slots=True)
class Parser:
    """Parses here, without a process of its own."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        return parse_feed(body, url=url, charset=charset)

    async def extract(self, body: bytes, *, url: str, charset: str | None = None) -> ReadPage:
        assert url
        return extract_page(body, charset=charset)


@dataclass(slots=True)
class Newsroom:
    """A feed that Bob added, polled a little later each time by a worker that remembers nothing of the last time."""

    db: Database
    server: FeedServer
    source_id: int
    path: str = "/feed"
    now: datetime = NOON
    parser: Parser = field(default_factory=Parser)

    async def poll(self, page: bytes, *, later: timedelta = timedelta(hours=1)) -> Polled:
        """Answer with ``page`` and poll, whatever the wait after a failure."""
        self.server.pages[self.path] = page
        self.now += later
        async with Fetcher() as fetcher:
            return await poll_feed(
                self.db, fetcher, self.parser, self.source_id, now=self.now, jitter=0, only_due=False
            )

    async def publish(self, feed: bytes, **headers: str) -> Polled:
        """Poll a feed that is in order."""
        polled = await self.poll(answer(feed, **headers))
        assert polled.worked, polled.reason
        return polled

    async def alerted(self) -> list[Article]:
        """Return the articles that somebody would be mailed, newest first."""
        async with self.db.reading() as tx:
            found = await articles.latest(tx, limit=1000)
        return [one for one in found if one.disposition is Disposition.ALERT]
