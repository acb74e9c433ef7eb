"""What goes over very many articles at once: the release of a flood of 50,000, a back-test over 100,000 of a month.

    python bench/long_lists.py [--quick]

It is run by hand. *A writer waited*: how long another connection of the same ledger was kept from writing at worst, as
a page or a sender would be. Each part is a process of its own, so that its memory is its own. PostgreSQL is the tests'
own, with its durability switched on again; it is left out where there is none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ledgers
import report
from cast import World
from sqlalchemy import update

from alerts.core.edits import Edit
from alerts.core.model import FloodDecision
from alerts.services.back_test import back_test
from alerts.services.decide_flood import decide_flood, reach_of_flood
from alerts.services.match import ChannelCache, match_articles
from alerts.storage import schema
from alerts.storage.engine import Database

HELD, MONTH, CHANNELS = 50_000, 100_000, 20
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BODY = "\n\n".join(["A sentence that says little of it, and another one. " * 5] * 8)  # 2,000 characters


def main() -> None:
    """Measure and print."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers")
    reader.add_argument("--part", nargs=2, metavar=("NAME", "URL"), help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.part:
        print(json.dumps(asyncio.run(_part(PARTS[asked.part[0]], asked.part[1]))))
        return
    held, month = (300, 400) if asked.quick else (HELD, MONTH)
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="alerts-bench-") as folder,
        ledgers.postgresql() as server,
        contextlib.ExitStack() as stack,
    ):
        for name, fill, count in (("flood", "held", held), ("month", "month", month)):
            urls = {"SQLite": f"sqlite:///{folder}/{name}.db"}
            if server is not None:
                urls["PostgreSQL"] = stack.enter_context(server.database())
            for ledger, url in urls.items():
                asyncio.run(_fill(url, fill, count))
                rows += [_row(f"{part}, {ledger}", part, url) for part in PARTS if part.split()[0] == name]
    names = [f"{held:,} held, {month:,} of a month", "seconds", "longest hold of the loop, ms", "a writer waited, ms"]
    print(f"{report.machine()}.\n\n{report.table([*names, 'MiB'], rows)}")


def _row(name: str, part: str, url: str) -> list[str]:
    done = subprocess.run([sys.executable, __file__, "--part", part, url], check=True, stdout=subprocess.PIPE)
    one = json.loads(done.stdout)
    return [name, f"{one['seconds']:.1f}", f"{one['lag']:,.0f}", f"{one['waited']:,.0f}", f"{one['memory']:,}"]


async def _part(work: Callable[[Database], Awaitable[object]], url: str) -> dict[str, float]:
    """Do one part; say what it cost."""
    db, beside = await Database.open(url), await Database.open(url)
    gc.collect()
    gc.freeze()  # as the program does with what it imports
    watches = [asyncio.create_task(_lag()), asyncio.create_task(_waits(beside))]
    await asyncio.sleep(0.1)
    began = time.perf_counter()
    await work(db)
    seconds = time.perf_counter() - began
    await asyncio.sleep(0.05)
    for one in watches:
        one.cancel()
    lag, waited = await asyncio.gather(*watches)
    await db.close()
    await beside.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": seconds, "lag": lag * 1000, "waited": waited * 1000, "memory": memory}


async def _lag() -> float:
    """Return, when told to end, the longest time for which the event loop did nothing else."""
    longest = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - before - 0.005)
    return longest


async def _waits(db: Database) -> float:
    """Return, when told to end, how long a small transaction of somebody else took at worst."""
    longest = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            before = time.perf_counter()
            async with db.transaction() as tx:
                await tx.execute(update(schema.facts).where(schema.facts.c.name == "bench").values(value="1"))
            longest = max(longest, time.perf_counter() - before)
            await asyncio.sleep(0.02)
    return longest


async def _fill(url: str, kind: str, count: int) -> None:
    """Write so many articles: held in one flood and matched, or of the last month."""
    db = await Database.open(url)
    world = World(db, NOW)
    channels = [await world.channel(f"channel-{number}", f'"subject {number}"') for number in range(CHANNELS)]
    await world.readers(50, tuple(channels))
    source = await world.source()
    async with db.transaction() as tx:
        if kind == "held":
            await tx.execute(schema.floods.insert().values(source_id=source, began_at=NOW, most=50))
    for start in range(0, count, 1_000):
        rows = [_article(source, number, kind, count) for number in range(start, min(count, start + 1_000))]
        async with db.transaction() as tx:
            await tx.execute(schema.articles.insert(), rows)
            if kind == "held":
                await tx.execute(schema.matches.insert(), [_match(one["id"], channels) for one in rows])
    await db.close()
    with ledgers.Ledger(url) as ledger:
        ledger.rest("articles", "matches")


def _article(source: int, number: int, kind: str, count: int) -> dict[str, Any]:
    age = timedelta(0) if kind == "held" else timedelta(days=29) * (1 - number / count)
    title = f"Report {number} on subject {number % CHANNELS}"
    return {
        "id": number + 1,
        "source_id": source,
        "item_id": str(number),
        "url": f"https://daily.example/{number}",
        "title": title,
        "summary": [],
        "body": f"{title}\n\n{BODY}",
        "tags": [],
        "tickers": [],
        "content_hash": str(number),
        "disposition": "held" if kind == "held" else "alert",
        "first_seen_at": NOW - age,
        "matched_at": NOW - age,
        "flood_id": 1 if kind == "held" else None,
    }


def _match(article_id: int, channels: list[int]) -> dict[str, Any]:
    return {
        "article_id": article_id,
        "channel_id": channels[article_id % CHANNELS],
        "score": 900,
        "hits": [],
        "matched_at": NOW,
    }


async def _reach(db: Database) -> object:
    return await reach_of_flood(db, "seeds", now=NOW + timedelta(minutes=1))


async def _release(db: Database) -> object:
    return await decide_flood(db, 1, FloodDecision.RELEASED, now=NOW + timedelta(minutes=1))


async def _back_test(db: Database) -> object:
    edits = [Edit(slug="channel-1", old='"subject 1"', new='"subject 1" OR "subject 2"')]
    return await back_test(db, edits, now=NOW)


async def _learn(db: Database) -> object:
    """Match 200 articles with all that is learnt of their lines."""
    async with db.transaction() as tx:
        some = schema.articles.c.id <= 200
        await tx.execute(update(schema.articles).where(some).values(matched_at=None))
    cache = ChannelCache()
    while (await match_articles(db, now=NOW, cache=cache)).more:
        pass
    return None


PARTS: dict[str, Callable[[Database], Awaitable[object]]] = {
    "flood shown": _reach,
    "flood released": _release,
    "month back-tested": _back_test,
    "month learnt from": _learn,
}


if __name__ == "__main__":
    main()
