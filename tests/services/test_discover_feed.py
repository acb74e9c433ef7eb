from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from feed_server import FeedServer, answer

from alerts.core.errors import FetchError, RefusedTargetError
from alerts.core.feed_choice import WELL_KNOWN, FeedLink
from alerts.services.discover_feed import Discovered, discover_feed
from alerts.sources.fetch import Fetcher
from alerts.sources.parser_process import ParserProcess

FEED = answer(b"<rss version='2.0'><channel><title>t</title></channel></rss>")
LINK = '<link rel="alternate" type="application/rss+xml" href="{}">'


@dataclass(slots=True)
class Web:
    """A site, and what asks it."""

    server: FeedServer
    fetcher: Fetcher
    parser: ParserProcess

    async def discover(self, path: str, *, allow_private: bool = True) -> Discovered:
        return await discover_feed(self.fetcher, self.parser, self.server.url(path), allow_private=allow_private)

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.server.requests]


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with FeedServer() as server, Fetcher() as fetcher, ParserProcess(children=1) as parser:
        yield Web(server, fetcher, parser)


async def test_a_feed_is_itself_and_nothing_else_is_asked(web: Web) -> None:
    web.server.pages["/cars"] = FEED

    assert await web.discover("/cars") == Discovered(is_feed=True)
    assert web.asked == ["/cars"]


async def test_the_feeds_of_a_page_are_read_from_where_it_moved_to(web: Web) -> None:
    web.server.pages["/"] = answer(status="302 Found", location="/en/")
    web.server.pages["/en/"] = answer(f"<html><head>{LINK.format('news.xml')}".encode())

    assert await web.discover("/") == Discovered(is_feed=False, links=(FeedLink(url=web.server.url("/en/news.xml")),))
    assert web.asked == ["/", "/en/"]


async def test_a_page_that_names_none_leads_to_the_first_usual_place_that_is_a_feed(web: Web) -> None:
    web.server.pages["/blog/"] = answer(b"<html>Nothing")
    web.server.pages["/feed"] = answer(b"<html>A login page")
    web.server.pages["/feed.xml"] = FEED
    web.server.pages["/rss.xml"] = FEED

    found = await web.discover("/blog/")

    assert found == Discovered(is_feed=False, links=(FeedLink(url=web.server.url("/feed.xml")),))
    assert web.asked == ["/blog/", "/feed", "/rss", "/feed.xml"]


async def test_where_there_is_none_it_is_said_after_the_usual_places(web: Web) -> None:
    web.server.pages["/"] = answer(b"<html>Nothing")

    with pytest.raises(FetchError, match=r"no feed there \(.*<html>Nothing.*usual places"):
        await web.discover("/")
    assert web.asked == ["/", *WELL_KNOWN]


async def test_a_private_address_is_not_asked_unless_allowed(web: Web) -> None:
    web.server.pages["/"] = FEED

    with pytest.raises(RefusedTargetError):
        await web.discover("/", allow_private=False)
    assert web.asked == []
