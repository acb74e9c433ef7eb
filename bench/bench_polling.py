"""Polling: unchanged feeds a second beside bare aiohttp, what parsing costs, and 20 feeds of 200 that hang.

    python bench/bench_polling.py [--quick]

The web server is our own, one process on the same machine. The two ways of asking take turns. ``--quick`` only shows
that it runs; without it, the tables go into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import aiohttp
import report

from alerts.cli.context import event_loop_factory
from alerts.core.hosts import host_of
from alerts.core.model import FirstPoll, Source, SourceKind, SourceState
from alerts.daemon.polling import Polling
from alerts.queue.local import LocalQueue
from alerts.queue.port import Job, Step
from alerts.services.poll import poll_feed
from alerts.sources.entries import ParsedFeed
from alerts.sources.fetch import Fetched, Fetcher, Limits
from alerts.sources.parser_process import ParserProcess
from alerts.sources.room import Room, Seat
from alerts.storage import sources
from alerts.storage.engine import Database, after_commit
from alerts.storage.shared import SharedTransactions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "servers"))

from website import app_over

from alerts.config import load_config

AT_ONCE = 32
FEEDS, HANGING, TURNS = 1_000, 20, 9
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LAG = 0.01


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    quick = reader.parse_args().quick
    feeds, turns, of = (60, 1, 40) if quick else (FEEDS, TURNS, 200)
    parts = [
        report.machine() + f". Median of {turns}; {AT_ONCE} requests at once.",
        _run(_unchanged(feeds, turns)),
        _run(_parsing(quick=quick)),
        _run(_hanging(of, HANGING if not quick else 4, turns)),
    ]
    text = "\n\n".join(parts)
    print(text)
    if not quick:
        report.keep("polling", text)


def _run(measure: Coroutine[None, None, str]) -> str:
    """Measure as `alerts run` works: on its event loop, and with what it imports out of the garbage collector's sight.

    A look for garbage through all that bench and product import takes 80 ms, which are none of the product's.
    """
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        return runner.run(measure)


def feed(items: int, *, words: int = 40) -> bytes:
    """Write an RSS feed."""
    body = "".join(
        f"<item><title>Story {number} of the day</title><guid isPermaLink='false'>g{number}</guid>"
        f"<link>https://news.example/{number}</link><pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate>"
        f"<description>{' '.join(f'word{number}x{at}' for at in range(words))}</description></item>"
        for number in range(items)
    )
    return f"<rss version='2.0'><channel><title>News</title>{body}</channel></rss>".encode()


def _serve(told: Connection, ports: int) -> None:
    """Be the web server: what knows our validator is unchanged, ``/hang`` never answers."""
    whole = feed(20)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                if asked.startswith(b"GET /hang"):
                    await asyncio.sleep(3600)
                if b'If-None-Match: "1"' in asked:
                    writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
                else:
                    writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % len(whole) + whole)

    async def run() -> None:
        servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(ports)]
        told.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.sleep(3600)

    asyncio.run(run())


@contextlib.contextmanager
def _server(ports: int) -> Iterator[list[int]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, ports), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()


@dataclass(slots=True)
class Lag:
    """How late the event loop is, at worst."""

    worst_s: float = 0.0
    _task: asyncio.Task[None] | None = field(default=None)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.sleep(LAG)
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LAG)
            self.worst_s = max(self.worst_s, time.perf_counter() - began - LAG)


@contextlib.asynccontextmanager
async def _ledger() -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory(prefix="alerts-bench-") as folder:
        db = await Database.open(f"sqlite:///{folder}/alerts.db")
        try:
            yield db
        finally:
            await db.close()


async def _add(db: Database, urls: Sequence[str], *, known: bool) -> list[int]:
    """Write feeds that are due; ``known``: as polls that worked have left them."""
    added = []
    async with db.transaction() as tx:
        for number, url in enumerate(urls):
            wanted = Source(
                id=0,
                name=f"feed {number}",
                kind=SourceKind.FEED,
                location=url,
                every=timedelta(minutes=5),
                first_poll=FirstPoll.SEEN,
                max_age=None,
                allow_private=True,
                state=SourceState.OK,
                reason=None,
                next_poll_at=NOON,
                polled_at=None,
            )
            source = await sources.insert_source(tx, source=wanted, origin="cli", now=NOON)
            assert source is not None
            added.append(source.id)
            if known:
                await sources.claim_source(tx, source.id, claim="x", now=NOON, lease=timedelta(minutes=5))
                await sources.record_success(
                    tx, source.id, claim="x", now=NOON, next_poll_at=NOON, etag='"1"', body_hash="x"
                )
    return added


async def _each(keys: Sequence[int], work: Callable[[int], Awaitable[None]]) -> float:
    """Do all, so many at once; return how many a second."""
    waiting = iter(keys)

    async def worker() -> None:
        for key in waiting:
            await work(key)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return len(keys) / (time.perf_counter() - began)


class _NoParser:
    """Refuses: what is unchanged is not parsed."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        raise SystemExit(f"parsed {url} ({len(body)} bytes, {charset})")


async def _unchanged(feeds: int, turns: int) -> str:
    """Ask for unchanged feeds: bare aiohttp; our fetcher; the whole poll with its claim and its outcome on disk."""
    rates: dict[str, list[float]] = {"bare aiohttp": [], "our fetcher": [], "the whole poll": []}
    limits = Limits(connections_per_host=AT_ONCE)
    with _server(1) as (port,):
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(feeds)]
        async with _ledger() as db, Fetcher(limits=limits) as fetcher, aiohttp.ClientSession() as session:
            ids, shared, room = await _add(db, urls, known=True), SharedTransactions(db), Room()

            async def bare(number: int) -> None:
                async with session.get(urls[number], headers={"If-None-Match": '"1"'}) as response:
                    await response.read()

            async def fetch(number: int) -> None:
                await fetcher.fetch(urls[number], etag='"1"', allow_private=True)

            async def poll(number: int) -> None:
                polled = await poll_feed(
                    *(db, fetcher, _NoParser(), ids[number]),
                    now=NOON,
                    jitter=0,
                    only_due=False,
                    shared=shared,
                    room=room,
                )
                if not polled.worked or not polled.claimed:
                    raise SystemExit(f"a poll did not work: {polled}")

            await _each(range(feeds), poll)  # what is compiled once belongs to no turn
            async with Lag() as lag:
                for _ in range(turns):
                    for name, work in zip(rates, (bare, fetch, poll), strict=True):
                        rates[name].append(await _each(range(feeds), work))
    bare_rates = rates["bare aiohttp"]
    rows = []
    for name, them in rates.items():
        beside = statistics.median(one / bare for one, bare in zip(them, bare_rates, strict=True))  # turn by turn
        rows.append([name, f"{statistics.median(them):,.0f}", report.spread(them), f"{beside:.2f}"])
    head = ["unchanged feeds", "a second", "spread", "beside bare"]
    return f"{report.table(head, rows)}\n\nThe event loop was late by {lag.worst_s * 1000:,.0f} ms at worst."


async def _parsing(*, quick: bool) -> str:
    """Take feeds of several sizes through the child and into the ledger."""
    rows = []
    sizes = ((20, 40), (50, 400)) if quick else ((20, 40), (50, 400), (2_000, 40), (2_000, 420))
    async with _ledger() as db, ParserProcess(time_limit=timedelta(minutes=2)) as parser:
        urls = [f"https://news.example/{number}" for number in range(len(sizes))]
        ids = await _add(db, urls, known=False)
        await parser.parse(feed(1), url=urls[0])
        for (items, words), source_id, url in zip(sizes, ids, urls, strict=True):
            body = feed(items, words=words)
            async with Lag() as lag:
                began = time.perf_counter()
                parsed = await parser.parse(body, url=url)
                parse_s = time.perf_counter() - began
            async with Fetcher() as fetcher, Lag() as storing:
                began = time.perf_counter()
                await poll_feed(db, _Gives(body, fetcher), _Parsed(parsed), source_id, now=NOON, jitter=0)
                store_s = time.perf_counter() - began
            rows.append(
                [
                    f"{items:,} items, {len(body) / 1024:,.0f} KiB",
                    f"{parse_s * 1000:,.0f} ms",
                    f"{lag.worst_s * 1000:,.0f} ms",
                    f"{store_s * 1000:,.0f} ms",
                    f"{storing.worst_s * 1000:,.0f} ms",
                ]
            )
    return report.table(["a changed feed", "read in a child", "loop late", "hashed and stored", "loop late"], rows)


@dataclass(frozen=True, slots=True)
class _Gives:
    """A fetcher that has the answer already."""

    body: bytes
    real: Fetcher

    async def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        allow_private: bool = False,
        seat: Seat | None = None,
    ) -> Fetched:
        del etag, last_modified, allow_private, seat
        return Fetched(body=self.body, url=url)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A parser that has read it already."""

    feed: ParsedFeed

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        del body, url, charset
        return self.feed


async def _hanging(of: int, hanging: int, turns: int) -> str:
    """Poll feeds on as many servers, all due at once, through the queue: without any that hangs, and with, in turns.

    A round that is not counted comes first: what is imported and compiled once belongs to neither.
    """
    ways = {"none hangs": 0, f"{hanging} of {of} hang": hanging}
    rounds: dict[str, list[tuple[list[float], float]]] = {name: [] for name in ways}
    await _round(of, 0)
    for _ in range(turns):
        for name, bad in ways.items():
            rounds[name].append(await _round(of, bad))
    rows, lasts = [], []
    for name, them in rounds.items():
        parts = [statistics.quantiles(times, n=20) for times, _ in them]
        lasts.append(statistics.median(max(times) for times, _ in them))
        figures = [statistics.median(part[at] for part in parts) for at in (9, 18)]
        figures += [lasts[-1], max(lag for _, lag in them)]
        rows.append([name, *(f"{figure * 1000:,.0f} ms" for figure in figures)])
    table = report.table(["feeds that answer, polled after", "median", "95 %", "the last", "loop late at worst"], rows)
    return (
        f"{table}\n\nWith those that hang the last of the others is done after {lasts[1] / lasts[0]:.2f} of the time."
    )


async def _round(of: int, hanging: int) -> tuple[list[float], float]:
    queue = LocalQueue(after_commit)
    with _server(of) as ports, tempfile.TemporaryDirectory(prefix="alerts-bench-") as folder:
        file = Path(folder) / "config.yaml"
        file.write_text("sources: []\n")
        async with _ledger() as db:
            app = await app_over(db, load_config(file, {}), lambda: NOON)
            paths = ["hang" if number < hanging else "feed" for number in range(of)]
            urls = [f"http://127.0.0.1:{port}/{path}" for port, path in zip(ports, paths, strict=True)]
            if len(set(map(host_of, urls))) != of:
                raise SystemExit("the servers are not distinct")
            ids = await _add(db, urls, known=True)
            answering, ended = set(ids[hanging:]), dict[int, float]()
            done = asyncio.Event()
            async with Polling.open(app) as polling:

                async def poll(job: Job) -> None:
                    await polling.poll(job.key or 0)
                    if job.key in answering:
                        ended[job.key] = time.perf_counter()
                    if len(ended) == len(answering):
                        done.set()

                await queue.start({Step.POLL: poll})
                began = time.perf_counter()
                async with Lag() as lag:
                    while not done.is_set():
                        for source_id in await polling.due():
                            await queue.enqueue(Job(Step.POLL, source_id))
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(done.wait(), timeout=1)
                await queue.stop(grace_s=0)
    return [at - began for at in ended.values()], lag.worst_s


if __name__ == "__main__":
    main()
