from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import timedelta

import pytest

from alerts.core.errors import FetchError
from alerts.sources.feed import parse_feed
from alerts.sources.parser_process import ParserProcess

URL = "https://news.example/feed.xml"
FEED = (
    b"<rss version='2.0'><channel><title>t</title><ttl>5</ttl><item><title>Xiaomi (HKG: 1810)</title><guid>1</guid>"
    b"<category>Cars</category><pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate></item></channel></rss>"
)
NESTED = b"<rss version='2.0'><channel><item>" + b"<b>" * 195_000  # 585 KB
SLOW = b"<rss version='2.0'><channel>" + b"<item><title>a</title></item>" * 300_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listed:  # noqa: PTH123 - no path of ours
        return {int(pid) for pid in listed.read().split()}


@pytest.mark.parametrize(
    "feed",
    [
        FEED,
        FEED.replace(b"<ttl>5<", b"<ttl>0<"),
        FEED.replace(
            b"<ttl>5</ttl>",
            b"<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='hub' href='https://h.example/'/>",
        ),
        FEED.replace(b"Xiaomi", b"&#xd83d;&#xde00; &#xdead; \xf0\x9f\x98\x80 \xff"),
        FEED.replace(b"Mon, 05 Jan 2026", b"Mon, 05 Jan 1026").replace(b"<guid>1<", b"<guid><"),
        b"<feed xmlns='http://www.w3.org/2005/Atom'/>",
        b'{"items": [{"id": 1e400, "title": "\\ud83d", "date_published": 1e999}]}',
    ],
    ids=["rss", "ttl of nothing", "hub", "letters", "date", "empty", "json"],
)
async def test_a_child_reads_what_we_would(feed: bytes) -> None:
    async with ParserProcess(children=1) as parser:
        assert await parser.parse(feed, url=URL) == parse_feed(feed, url=URL)


async def test_no_child_is_started_before_there_is_work_and_none_is_left_after_it() -> None:
    before = children()
    async with ParserProcess() as parser:
        assert children() == before
        await asyncio.gather(*(parser.parse(FEED, url=URL) for _ in range(5)))
        assert len(children() - before) == 2

    assert children() == before


async def test_what_is_no_feed_is_said_and_the_child_goes_on() -> None:
    before = children()
    async with ParserProcess(children=1) as parser:
        await parser.parse(FEED, url=URL)
        child = children() - before
        with pytest.raises(FetchError, match="no feed"):
            await parser.parse(b"<html>Log in</html>", url=URL)
        await parser.parse(FEED, url=URL)

        assert children() - before == child


async def test_a_feed_that_takes_too_long_is_given_up_and_its_child_replaced() -> None:
    before = children()
    async with ParserProcess(children=1, time_limit=timedelta(seconds=0.5)) as parser:
        started = time.monotonic()
        with pytest.raises(FetchError, match=r"longer than 0\.5 s"):
            await parser.parse(SLOW, url=URL)
        assert time.monotonic() - started < 5
        assert children() == before

    async with ParserProcess(children=1) as parser:
        assert len((await parser.parse(FEED, url=URL)).items) == 1


async def test_the_event_loop_goes_on_while_a_child_works() -> None:
    async with ParserProcess(children=1, time_limit=timedelta(seconds=1.5)) as parser:
        parsing = asyncio.create_task(parser.parse(NESTED, url=URL))
        longest, last = 0.0, time.monotonic()
        while not parsing.done():
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

        assert isinstance(parsing.exception(), FetchError)
        assert longest < 0.75


async def test_a_feed_that_takes_too_much_memory_is_given_up() -> None:
    entries = b"<item><title>" + b"x" * 500 + b"</title></item>"
    large = b"<rss version='2.0'><channel>" + entries * 18_500 + b"</channel></rss>"

    async with ParserProcess(children=1, memory_limit=70 * 1024 * 1024) as parser:
        with pytest.raises(FetchError):
            await parser.parse(large, url=URL)
        assert len((await parser.parse(FEED, url=URL)).items) == 1


async def test_a_child_that_was_killed_costs_one_feed() -> None:
    before = children()
    async with ParserProcess(children=1) as parser:
        await parser.parse(FEED, url=URL)
        for child in children() - before:
            os.kill(child, signal.SIGKILL)
        with pytest.raises(FetchError, match="died"):
            await parser.parse(FEED, url=URL)

        assert len((await parser.parse(FEED, url=URL)).items) == 1


async def test_a_poll_that_is_cancelled_leaves_no_child_with_half_an_answer() -> None:
    before = children()
    async with ParserProcess(children=1) as parser:
        parsing = asyncio.create_task(parser.parse(NESTED, url=URL))
        await asyncio.sleep(0.3)
        parsing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await parsing
        assert children() == before

        assert len((await parser.parse(FEED, url=URL)).items) == 1


async def test_closing_ends_a_child_at_work() -> None:
    before = children()
    parser = ParserProcess(children=1)
    parsing = asyncio.create_task(parser.parse(NESTED, url=URL))
    await asyncio.sleep(0.3)

    await parser.close()

    with pytest.raises(FetchError, match="died"):
        await parsing
    assert children() == before


async def test_a_child_knows_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_MAIL__PASSWORD", "secret")
    before = children()
    async with ParserProcess(children=1) as parser:
        await parser.parse(FEED, url=URL)
        (child,) = children() - before
        with open(f"/proc/{child}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123 - a file in memory
            assert b"secret" not in environment.read()
