from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import uvloop

from alerts.core.errors import FetchError
from alerts.sources.feed import parse_feed
from alerts.sources.parse_worker import LENGTH
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


async def test_a_child_reads_what_we_would() -> None:
    async with ParserProcess(children=1) as parser:
        assert await parser.parse(FEED, url=URL) == parse_feed(FEED, url=URL)


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


async def test_a_large_feed_is_handed_over_in_pieces_as_the_child_takes_them() -> None:
    """A whole one in the pipe's buffer would be copied while the loop waits, and kept there beside the body."""
    before = children()
    async with ParserProcess(children=1, time_limit=timedelta(seconds=0.5)) as parser:
        await parser.parse(FEED, url=URL)
        (child,) = children() - before
        os.kill(child, signal.SIGSTOP)
        sizes = []
        parsing = asyncio.create_task(parser.parse(b" " * 8_000_000, url=URL))
        while not parsing.done():
            await asyncio.sleep(0.02)
            sizes += [one.waits for one in parser._busy]
        with pytest.raises(FetchError, match="longer than"):
            await parsing

    assert sizes
    assert max(sizes) < 400_000


async def test_a_feed_that_takes_too_much_memory_is_given_up() -> None:
    entries = b"<item><title>" + b"x" * 500 + b"</title></item>"
    large = b"<rss version='2.0'><channel>" + entries * 18_500 + b"</channel></rss>"

    async with ParserProcess(children=1, memory_limit=70 * 1024 * 1024) as parser:
        with pytest.raises(FetchError):
            await parser.parse(large, url=URL)
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


async def test_a_child_may_use_so_much_of_the_processor_for_each_feed_and_no_more() -> None:
    """The system sees to it: neither the parent nor the child's own clock is needed."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alerts.sources.parse_worker", str(512 * 1024 * 1024), "60", "1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    stdin, stdout = worker.stdin, worker.stdout
    assert stdin is not None
    assert stdout is not None

    async def ask(body: bytes) -> bytes:
        job = json.dumps({"url": URL, "charset": None}).encode()
        stdin.write(LENGTH.pack(len(job)) + job + LENGTH.pack(len(body)) + body)
        (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        return await stdout.readexactly(length)

    assert b'"items": 1' in await ask(FEED)
    await stdout.read(65_536)  # the item
    with pytest.raises(asyncio.IncompleteReadError):
        await ask(SLOW)
    assert await worker.wait() == -signal.SIGXCPU


async def test_a_child_knows_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_MAIL__PASSWORD", "secret")
    before = children()
    async with ParserProcess(children=1) as parser:
        await parser.parse(FEED, url=URL)
        (child,) = children() - before
        with open(f"/proc/{child}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123 - a file in memory
            assert b"secret" not in environment.read()


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_child_that_died_while_it_had_nothing_to_do_costs_nobody_a_feed(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """By the hand of a system that ran out of memory, for one; on the loop of tests, and on that of the daemon."""

    async def parse_twice() -> None:
        before = children()
        async with ParserProcess(children=1) as parser:
            await parser.parse(FEED, url=URL)
            for _ in range(3):
                (child,) = children() - before
                os.kill(child, signal.SIGKILL)
                await asyncio.sleep(0.2)
                assert len((await parser.parse(FEED, url=URL)).items) == 1
        assert children() == before

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(parse_twice())


async def test_a_child_that_dies_of_a_feed_is_not_given_it_for_ever() -> None:
    before = children()
    async with ParserProcess(children=1) as parser:
        await parser.parse(FEED, url=URL)
        parsing = asyncio.create_task(parser.parse(SLOW, url=URL))
        killed: set[int] = set()
        while not parsing.done():
            await asyncio.sleep(0.05)
            for child in children() - before - killed:
                os.kill(child, signal.SIGKILL)
                killed.add(child)
        assert isinstance(parsing.exception(), FetchError)
        assert len(killed) <= 2
