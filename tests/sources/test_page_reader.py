from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from article_pages import STORY, TITLE, article_page, html, login_page
from feed_server import FeedServer, Request, Respond, answer, hang
from newsroom import Parser

from alerts.core.full_text import ReadPage
from alerts.core.hosts import host_of
from alerts.core.items import make_item
from alerts.core.model import Item
from alerts.sources.fetch import Fetcher
from alerts.sources.page_reader import MOST, PageReader, Pages

HTML = "text/html; charset=utf-8"
SOON, LONG = timedelta(milliseconds=300), timedelta(seconds=60)


def item(url: str, *, title: str = TITLE, summary: str = STORY[0]) -> Item:
    return make_item(item_id=url, title=title, summary=(summary,), url=url)


@dataclass(slots=True)
class Wheels:
    """A site whose articles are read, by whoever may go to its private address."""

    server: FeedServer
    reader: PageReader

    async def read(self, *paths: str, private: bool = True) -> Pages:
        host = host_of(self.server.url()) if private else None
        return await self.reader.read([item(self.server.url(path)) for path in paths], private_host=host)

    async def failure(self, page: bytes | Respond) -> str:
        """Return why an article with this page is not read."""
        self.server.pages["/article"] = page
        pages = await self.read("/article")
        assert pages.texts == {}
        (reason,) = pages.failures.values()
        return reason


@asynccontextmanager
async def wheels_of(
    *, page_time: timedelta = LONG, time: timedelta = LONG, parser: Parser | None = None
) -> AsyncIterator[Wheels]:
    async with (
        FeedServer() as server,
        Fetcher() as fetcher,
        PageReader(fetcher, parser=parser, page_time=page_time, time=time) as reader,
    ):
        yield Wheels(server, reader)


@pytest.fixture
async def wheels() -> AsyncIterator[Wheels]:
    async with wheels_of(parser=Parser()) as opened:
        yield opened


async def test_the_article_of_a_page_is_read_by_a_child() -> None:
    async with wheels_of() as wheels:
        wheels.server.pages["/article"] = answer(article_page(), content_type=HTML)

        pages = await wheels.read("/article")

    assert pages == Pages(texts={wheels.server.url("/article"): "\n\n".join(STORY)})


async def test_a_page_is_asked_for_as_a_page(wheels: Wheels) -> None:
    wheels.server.pages["/article"] = answer(article_page(), content_type=HTML)

    await wheels.read("/article")

    _robots, request = wheels.server.requests
    assert request.headers["accept"] == "text/html, application/xhtml+xml"
    assert request.headers["user-agent"].startswith("News-Alert/")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (answer(b"", status="404 Not Found"), "has no page there (404)"),
        (answer(b"", status="410 Gone"), "the page is gone for good (410)"),
        (answer(b"", status="403 Forbidden"), "refuses us (403)"),
        (answer(b"", status="500 Oops"), "failed (500)"),
        (answer(b"%PDF-1.7", content_type="application/pdf"), "answers with application/pdf, which is no page"),
        (answer(b"%PDF-1.7", content_type=HTML), "the answer is no HTML"),
        (answer(login_page(), content_type=HTML), "does not speak of what the feed says"),
        (answer(article_page(STORY[3:], title="Something else"), content_type=HTML), "does not speak of"),
        (answer(html("<div id='root'></div>", title=TITLE), content_type=HTML), "there is no article in it"),
        (answer(html(f"<p>{STORY[0][:40]}</p>"), content_type=HTML), "far shorter than what the feed gives"),
        (answer(b"", status="302 Found", location="/"), "leads to the front page"),
        (answer(b"", status="302 Found", location="/article"), "more than 5 redirects"),
        (answer(gzip.compress(bytes(20 << 20)), content_type=HTML, content_encoding="gzip"), "larger than 5 MiB"),
    ],
)
async def test_a_page_that_cannot_be_had_says_why(wheels: Wheels, page: bytes | Respond, why: str) -> None:
    wheels.server.pages["/"] = answer(article_page(), content_type=HTML)

    assert why in await wheels.failure(page)


async def test_a_page_on_a_private_address_is_refused_unless_it_is_on_the_feeds_own_host(wheels: Wheels) -> None:
    wheels.server.pages["/article"] = answer(article_page(), content_type=HTML)

    pages = await wheels.read("/article", private=False)

    assert list(pages.failures.values()) == ["it leads to a private address, or to something that is no web address"]
    assert wheels.server.requests == []
    assert (await wheels.read("/article")).failures == {}


async def test_a_page_that_takes_forever_to_read_dies_with_its_child() -> None:
    bomb = html("<p " + " ".join(f"a{number}='b'" for number in range(200_000)) + ">x")
    async with (
        FeedServer({"/bomb": answer(bomb, content_type=HTML)}) as server,
        Fetcher() as fetcher,
        PageReader(fetcher, reading_time=timedelta(seconds=1)) as reader,
    ):
        pages = await reader.read([item(server.url("/bomb"))], private_host=host_of(server.url()))

    assert pages == Pages(failures={server.url("/bomb"): "the page takes longer than 1 s to read"})


async def test_a_page_that_hangs_is_waited_for_only_so_long() -> None:
    async with wheels_of(page_time=SOON) as wheels:
        assert await wheels.failure(hang) == "it takes longer than 0.3 s"


async def test_all_pages_together_have_only_so_long() -> None:
    async with wheels_of(time=SOON) as wheels:
        wheels.server.pages |= {"/1": hang, "/2": hang}

        pages = await wheels.read("/1", "/2")

    assert list(pages.failures.values()) == 2 * ["there was no time left for it"]


async def test_no_more_than_twenty_pages_are_read_at_once(wheels: Wheels) -> None:
    paths = [f"/{number}" for number in range(MOST + 3)]
    wheels.server.pages |= dict.fromkeys(paths, answer(article_page(), content_type=HTML))

    pages = await wheels.read(*paths)

    assert list(pages.failures) == [wheels.server.url(path) for path in paths[MOST:]]
    assert {request.path for request in wheels.server.requests} == {"/robots.txt", *paths[:MOST]}


async def test_pages_of_a_host_are_read_one_at_a_time(wheels: Wheels) -> None:
    open_now, most = 0, 0

    async def count(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.02)
        open_now -= 1
        writer.write(answer(article_page(), content_type=HTML))

    wheels.server.pages |= {"/1": count, "/2": count, "/3": count}

    both = await asyncio.gather(wheels.read("/1", "/2"), wheels.read("/3"))

    assert [len(pages.texts) for pages in both] == [2, 1]
    assert most == 1


async def test_a_host_that_hangs_keeps_no_page_of_another_waiting(wheels: Wheels) -> None:
    async with FeedServer({"/good": answer(article_page(), content_type=HTML)}) as other:
        wheels.server.pages |= {"/1": hang, "/2": hang}
        hanging = asyncio.create_task(wheels.read("/1", "/2"))
        await asyncio.sleep(0)

        good = await wheels.reader.read([item(other.url("/good"))], private_host=host_of(other.url()))

        assert (list(good.texts), hanging.done()) == ([other.url("/good")], False)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_a_fault_of_ours_costs_the_page_and_nothing_else() -> None:
    class Broken(Parser):
        async def extract(self, body: bytes, *, url: str, charset: str | None = None) -> ReadPage:
            raise ZeroDivisionError(url, charset, len(body))

    async with wheels_of(parser=Broken()) as broken:
        assert (
            await broken.failure(answer(article_page(), content_type=HTML)) == "it cannot be read (ZeroDivisionError)"
        )


async def test_a_reading_that_is_cancelled_leaves_nothing_running(wheels: Wheels) -> None:
    asked = asyncio.Event()

    async def tell_and_hang(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await hang(request, writer)

    wheels.server.pages["/1"] = tell_and_hang
    reading = asyncio.create_task(wheels.read("/1"))
    await asked.wait()
    before = asyncio.all_tasks()
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading

    assert len(before - asyncio.all_tasks()) >= 2


async def test_items_without_a_link_have_no_page(wheels: Wheels) -> None:
    assert await wheels.reader.read([make_item(item_id="1", title=TITLE)]) == Pages()
