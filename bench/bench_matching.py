"""Matching an article against 100 to 100,000 channels, beside a regex for each; and what a million of them weigh.

    python bench/bench_matching.py [--quick]

The channels are rows of a SQLite ledger and are read from there as a node reads them. Each article is laid out, put to
the percolator, and the channels it names are evaluated. ``--quick`` only shows that it runs; without it, the table goes
into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

import ledgers  # noqa: F401 - it shows the way to the tests' servers
import report
from cast import World

from alerts.core.model import Article, Disposition, Item
from alerts.core.query import Prepared, prepare
from alerts.services.channels import add_channel
from alerts.services.match import ChannelCache, match_articles
from alerts.sources.folder import look_at, read_file
from alerts.sources.formats import read_items
from alerts.storage.engine import Database

SEEDS = Path(__file__).parents[1] / "seeds"
SIZES, MILLION = (100, 10_000, 100_000), 1_000_000
QUICK_SIZES, QUICK_MILLION = (50, 200), 2_000
ROUNDS = 5
REGEXES = 10_000  # compiled at most; the time of more is that of these, multiplied
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SYLLABLES = re.findall("..", "kalomitevobasoladerupiguxizufegohy")
REAL = ("Xiaomi", "Tesla", "NIO", "BYD", "Li Auto", "Zeekr", "Leapmotor", "battery")  # in the articles
FORMS = (
    "about:{0}",
    "tag:{0} OR about:{0}",
    "title:{0} NOT {1}",
    "{0}",
    "{0} NEAR/5 {1}",
    'lang:en about:{0} NOT title:(rumour OR "spy shots")',
    "case:{0} OR title:{1}",
)


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="a few of each; nothing is written")
    reader.add_argument("--weigh", metavar="LEDGER", help="read this ledger's channels and say what that weighs")
    options = reader.parse_args()
    if options.weigh:
        asyncio.run(_weigh(Path(options.weigh)))
        return
    sizes, million = (QUICK_SIZES, QUICK_MILLION) if options.quick else (SIZES, MILLION)
    articles = [*_articles()]
    with tempfile.TemporaryDirectory() as folder:
        laid_out = min(_time(_lay_out, articles) for _ in range(ROUNDS))
        rows = [asyncio.run(_measure(Path(folder) / f"{size}.db", size, articles)) for size in sizes]
        weight = _weighed(Path(folder) / "million.db", million)
    columns = [
        "channels",
        "a start to its first article matched, s",
        "ms an article",
        "candidates",
        "a regex each, ms",
        "ratio",
        "one added, ms",
    ]
    length = statistics.mean(report.characters(it.item) for it in articles)
    about = f"{len(articles)} articles of {length:,.0f} characters on average"
    head = f"{report.machine()}. {about}, the best of {ROUNDS} rounds."
    share = (
        f"Laying an article out is {laid_out:.2f} ms of that, {laid_out / length * 1e6:.0f} µs a thousand characters."
    )
    text = f"{head}\n\n{report.table(columns, rows)}\n\n{share}\n\n{million:,} channels: {weight}"
    print(text)
    if not options.quick:
        report.keep("matching", text)


async def _measure(path: Path, size: int, articles: Sequence[Article]) -> list[str]:
    """Return the row of a ledger with so many channels."""
    async with _Ledger(path, size) as db:
        cache = ChannelCache()
        started = await _start(db, cache)
        ours = min(_time(cache.ask, articles) for _ in range(ROUNDS))
        named = statistics.mean(len(cache.percolator.candidates(_lay_out(article))) for article in articles)
        regex = _time_regexes(size, articles)
        added = await _add(db, cache)
    return [
        f"{size:,}",
        f"{started:.2f}",
        f"{ours:.2f}",
        f"{named:.1f}",
        f"{regex:,.2f}",
        f"{regex / ours:,.0f} ×",
        f"{added:,.0f}",
    ]


def _time(work: Callable[[Article], object], articles: Sequence[Article]) -> float:
    """Return the milliseconds that an article takes."""
    began = perf_counter()
    for article in articles:
        work(article)
    return (perf_counter() - began) * 1000 / len(articles)


def _lay_out(article: Article) -> Prepared:
    return prepare(article.item, source_name=article.source_name)


def _time_regexes(size: int, articles: Sequence[Article]) -> float:
    """Return the milliseconds that an article takes when each channel's name is searched for by a regex of its own."""
    compiled = [re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE) for name, _ in _names(min(size, REGEXES))]
    texts = [f"{it.item.title}\n{it.item.body}" for it in articles]
    began = perf_counter()
    for text in texts:
        for one in compiled:
            one.search(text)
    return (perf_counter() - began) * 1000 / len(texts) * size / len(compiled)


async def _start(db: Database, cache: ChannelCache) -> float:
    """Return the seconds from a start to the end of the round that matches an article which waits for it."""
    world = World(db, NOW)
    await world.article(await world.source(), title="Nobody's news")
    began = perf_counter()
    done = await match_articles(db, now=NOW, cache=cache)
    if done.articles != 1:
        sys.exit(f"{done.articles} articles were matched at the start")
    return perf_counter() - began


async def _add(db: Database, cache: ChannelCache) -> float:
    """Return the milliseconds from adding a channel to the match of an article that waits for it."""
    world = World(db, NOW)
    await world.article(await world.source("quokkas"), title="Quokkamobil opens a plant")
    began = perf_counter()
    await add_channel(db, slug="quokka", name="Quokka", query="title:Quokkamobil", now=NOW)
    done = await match_articles(db, now=NOW, cache=cache)
    took = (perf_counter() - began) * 1000
    if done.matches != 1:
        sys.exit(f"the channel that was added matched {done.matches} articles")
    return took


def _weighed(path: Path, size: int) -> str:
    """Say what so many channels weigh, in a process that does nothing else."""

    async def make() -> None:
        async with _Ledger(path, size):
            pass

    asyncio.run(make())
    command = [sys.executable, __file__, "--weigh", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def _weigh(path: Path) -> None:
    db = await Database.open(f"sqlite:///{path}")
    articles, cache = [*_articles()], ChannelCache()
    before = _rss_mib()
    late: list[float] = []
    clock = asyncio.create_task(_look_at_the_clock(late))
    began, used = perf_counter(), process_time()
    await cache.refresh(db)
    read_s, processor_s = perf_counter() - began, process_time() - used
    clock.cancel()
    per_article = min(_time(cache.ask, articles) for _ in range(ROUNDS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print(
        f"{_rss_mib() - before:,.0f} MiB more resident memory than without, {peak:,.0f} MiB at the most (goal 300 MiB);"
        f" {per_article:.2f} ms an article; {read_s:,.0f} s to read them all, once, of which {processor_s:,.0f} s of"
        f" processor time; the event loop was late by {max(late):,.0f} ms at worst meanwhile (goal 250 ms)."
    )
    await db.close()


async def _look_at_the_clock(late: list[float]) -> None:
    """Note by how many milliseconds the event loop is late, every few of them."""
    while True:
        due = perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late.append((perf_counter() - due) * 1000)


class _Ledger:
    """A ledger with so many channels, written past the product for the sake of time."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    async def __aenter__(self) -> Database:
        self._db = await Database.open(f"sqlite:///{self._path}")
        columns = "slug, name, query, origin, state, created_at, changed_at, revision"
        with contextlib.closing(sqlite3.connect(self._path)) as ledger, ledger:
            statement = f"INSERT INTO channels ({columns}) VALUES (?, ?, ?, 'cli', 'active', ?, ?, 1)"
            ledger.executemany(statement, _rows(self._size))
            ledger.execute("INSERT INTO revisions VALUES ('channels', 1)")
        return self._db

    async def __aexit__(self, *_: object) -> None:
        await self._db.close()


def _rows(size: int) -> Iterator[tuple[object, ...]]:
    at = NOW.replace(tzinfo=None).isoformat(" ")
    for number, (name, other) in enumerate(_names(size)):
        quoted = [f'"{one}"' if " " in one else one for one in (name, other)]
        yield f"c{number}", name, FORMS[number % len(FORMS)].format(*quoted), at, at


def _names(size: int) -> Iterator[tuple[str, str]]:
    """Give two names for each channel: a few that the articles hold, and for the rest such as nobody has."""
    draw = random.Random(1)

    def made() -> str:
        words = ["".join(draw.choices(SYLLABLES, k=draw.randint(2, 4))).title() for _ in range(draw.choice((1, 1, 2)))]
        return " ".join(words) + str(draw.randint(1, 99)) * draw.randint(0, 1)

    for number in range(size):
        yield (REAL[number] if number < len(REAL) else made()), made()


def _articles() -> Iterator[Article]:
    for number, path in enumerate(sorted(SEEDS.iterdir())):
        item = read_items(path.name, read_file(look_at(path)), time_zone=UTC).items[0].item
        yield _article(number, item)
        # A long read: the same, five times over.
        yield _article(-number, Item(item_id=path.name, title=item.title, body="\n\n".join([item.body] * 5)))


def _article(number: int, item: Item) -> Article:
    return Article(
        id=number,
        source_id=1,
        source_name="seeds",
        item=item,
        content_hash="",
        first_seen_at=NOW,
        disposition=Disposition.ALERT,
    )


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
