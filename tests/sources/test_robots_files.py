"""A site's robots.txt is asked before its pages, once a day, over real sockets and within the limits of every fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from article_pages import STORY, TITLE, article_page
from feed_server import FeedServer, Respond, answer, hang
from newsroom import Parser

from alerts.core.errors import RefusedTargetError
from alerts.core.hosts import host_of
from alerts.core.items import make_item
from alerts.sources.fetch import Fetcher, Limits
from alerts.sources.page_reader import PageReader
from alerts.sources.robots import KEPT, KEPT_UNREACHED, RobotsFiles

HTML = "text/html; charset=utf-8"
REFUSED = "the site's robots.txt asks us not to read it"
UNREACHED = "the site's robots.txt cannot be asked just now, so no page of it is read"
NOT_US = answer(b"User-agent: News-Alert\nDisallow: /private/\n", content_type="text/plain")


@dataclass(slots=True)
class Site:
    """A site, and who asks it; the time is what a test says."""

    server: FeedServer
    robots: RobotsFiles
    now: float = 0.0

    async def why_not(self, path: str = "/private/1") -> str | None:
        return await self.robots.why_not(self.server.url(path), allow_private=True)

    def asked(self) -> int:
        return len(self.server.requests)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    limits = Limits(total=timedelta(milliseconds=500))
    async with FeedServer() as server, Fetcher(limits=limits) as fetcher:
        opened = Site(server, RobotsFiles(fetcher))
        opened.robots = RobotsFiles(fetcher, clock=lambda: opened.now)
        yield opened


async def test_what_a_site_asks_us_not_to_read_is_not_read_and_the_rest_is() -> None:
    async with FeedServer({"/robots.txt": NOT_US}) as server, Fetcher() as fetcher:
        page = answer(article_page(), content_type=HTML)
        server.pages |= {"/private/1": page, "/1": page}
        async with PageReader(fetcher, parser=Parser()) as reader:
            items = [
                make_item(item_id=path, title=TITLE, summary=(STORY[0],), url=server.url(path))
                for path in ("/private/1", "/1")
            ]
            pages = await reader.read(items, private_host=host_of(server.url()))

    assert (pages.failures, list(pages.texts)) == ({server.url("/private/1"): REFUSED}, [server.url("/1")])
    assert [request.path for request in server.requests] == ["/robots.txt", "/1"]


@pytest.mark.parametrize(
    ("robots", "why"),
    [
        (NOT_US, REFUSED),
        (answer(b"", status="404 Not Found"), None),
        (answer(b"", status="403 Forbidden"), None),
        (answer(b"", status="410 Gone"), None),
        (answer(b"", status="429 Too Many Requests"), UNREACHED),
        (answer(b"", status="503 Later"), UNREACHED),
        (answer(b"", status="302 Found", location="/robots.txt"), UNREACHED),
        (answer(b"<html>nothing here</html>", content_type=HTML), None),
        (answer(b"User-agent: *\nDisallow: /\n" + b"# \xff\xfe" * 200_000), REFUSED),
        (answer(b"#" * (6 << 20)), UNREACHED),
        (hang, UNREACHED),
    ],
)
async def test_a_site_may_answer_as_it_likes(site: Site, robots: bytes | Respond, why: str | None) -> None:
    site.server.pages["/robots.txt"] = robots

    assert await site.why_not() == why


async def test_a_site_is_asked_once_a_day(site: Site) -> None:
    site.server.pages["/robots.txt"] = NOT_US

    assert [await site.why_not(), await site.why_not("/1"), await site.why_not()] == [REFUSED, None, REFUSED]
    assert site.asked() == 1
    site.server.pages["/robots.txt"] = answer(b"")
    site.now += KEPT.total_seconds()
    assert (await site.why_not(), site.asked()) == (None, 2)


async def test_one_that_could_not_be_asked_is_asked_again_soon(site: Site) -> None:
    site.server.pages["/robots.txt"] = answer(b"", status="500 Oops")
    assert [await site.why_not(), await site.why_not()] == [UNREACHED, UNREACHED]

    site.server.pages["/robots.txt"] = NOT_US
    site.now += KEPT_UNREACHED.total_seconds()

    assert (await site.why_not(), site.asked()) == (REFUSED, 2)


async def test_a_private_address_is_refused_for_it_as_for_a_page(site: Site) -> None:
    with pytest.raises(RefusedTargetError):
        await site.robots.why_not(site.server.url("/1"))

    assert site.asked() == 0


async def test_several_pages_of_a_site_ask_for_it_once() -> None:
    async with FeedServer() as server, Fetcher() as fetcher, PageReader(fetcher, parser=Parser()) as reader:
        items = [make_item(item_id=str(one), title=TITLE, url=server.url(f"/{one}")) for one in range(5)]
        private_host = host_of(server.url())
        await asyncio.gather(*(reader.read(items, private_host=private_host) for _ in range(3)))

    assert [request.path for request in server.requests].count("/robots.txt") == 1
