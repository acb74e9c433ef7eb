"""The ledger alone, on both databases: how many deliveries are owed, claimed and ended a second, durably.

    python bench/bench_ledger.py [--quick]

No mail is sent. PostgreSQL is the tests' own, with its durability switched on again; it is left out where there is
none. The databases take turns. ``--quick`` only shows that it runs; without it, the table goes into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import ledgers
import report
from cast import World

from alerts.core.deliveries import Outcome
from alerts.core.model import Delivery, DeliveryState
from alerts.services.fan_out import fan_out
from alerts.services.retention import retain
from alerts.storage.deliveries import Written, claim_due, record_outcomes
from alerts.storage.engine import Database
from alerts.storage.letters import load_letters

READERS, TURNS = 20_000, 5
CLAIM, GROUP = 1_000, 16  # a claim of a busy sender; what so many connections end at once
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rows a second."""

    owed: float
    claimed: float
    loaded: float
    ended: float
    counted: float  # and removed


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    quick = reader.parse_args().quick
    readers, turns = (600, 1) if quick else (READERS, TURNS)
    with _urls() as urls:
        found = asyncio.run(_measure(urls, readers, turns))
    head = (
        f"{report.machine()}. Median of {turns}, {readers:,} deliveries each; claims of {CLAIM}, outcomes in groups of "
        f"{GROUP}, one transaction each, durable. One connection."
    )
    rows = [
        [name, *(f"{statistics.median(getattr(it, column) for it in rates):,.0f}" for column in Rates.__annotations__)]
        for name, rates in found.items()
    ]
    names = ["deliveries a second", "owed", "claimed", "loaded", "ended", "counted and removed"]
    text = f"{head}\n\n{report.table(names, rows)}"
    print(text)
    if not quick:
        report.keep("ledger", text)


@contextlib.contextmanager
def _urls() -> Iterator[dict[str, str]]:
    """Give the URLs of an empty database of each kind."""
    with (
        tempfile.TemporaryDirectory(prefix="alerts-bench-") as folder,
        ledgers.postgresql() as server,
        contextlib.ExitStack() as stack,
    ):
        urls = {"SQLite": f"sqlite:///{folder}/alerts.db"}
        if server is not None:
            urls["PostgreSQL"] = stack.enter_context(server.database())
        yield urls


async def _measure(urls: dict[str, str], readers: int, turns: int) -> dict[str, list[Rates]]:
    found: dict[str, list[Rates]] = {name: [] for name in urls}
    async with contextlib.AsyncExitStack() as stack:
        worlds = {name: World(await stack.enter_async_context(_opened(url)), NOW) for name, url in urls.items()}
        places = {name: await _settle(world, readers) for name, world in worlds.items()}
        for number in range(turns):
            for name, world in worlds.items():
                found[name].append(await _turn(world, *places[name], number=number, readers=readers))
    return found


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    db = await Database.open(url, inline=True)  # as a sender opens it; of no meaning on PostgreSQL
    try:
        yield db
    finally:
        await db.close()


async def _settle(world: World, readers: int) -> tuple[int, int]:
    channel = await world.channel()
    for begun in range(0, readers, 5_000):
        await world.readers(min(5_000, readers - begun), (channel,), start=begun + 1)
    return await world.source(), channel


async def _turn(world: World, source: int, channel: int, *, number: int, readers: int) -> Rates:
    """Take one article from its fan-out to its counts."""
    db = world.db
    article = await world.article(source, title=f"Xiaomi {number}", channels=(channel,))
    began = time.perf_counter()
    while not (await fan_out(db, article, now=NOW)).finished:
        pass
    owed = time.perf_counter() - began
    claimed, claiming, loading = await _claim_all(db)
    began = time.perf_counter()
    for first in range(0, len(claimed), GROUP):
        async with db.prepared() as tx:
            await record_outcomes(tx, [_sent(one) for one in claimed[first : first + GROUP]], now=NOW)
    ended = time.perf_counter() - began
    began = time.perf_counter()
    while (await retain(db, keep=timedelta(days=1), now=NOW + timedelta(days=3))).more:
        pass
    counted = time.perf_counter() - began
    if len(claimed) != readers:
        raise SystemExit(f"{len(claimed)} of {readers} deliveries were claimed")
    return Rates(
        owed=readers / owed,
        claimed=readers / claiming,
        loaded=readers / loading,
        ended=readers / ended,
        counted=readers / counted,
    )


async def _claim_all(db: Database) -> tuple[list[Delivery], float, float]:
    """Claim everything due, load what its mails need; say how long each took."""
    all_claimed: list[Delivery] = []
    claiming = loading = 0.0
    while True:
        began = time.perf_counter()
        async with db.prepared() as tx:
            claimed = await claim_due(
                tx,
                worker_id="bench",
                claim=secrets.token_hex(8),
                now=NOW,
                lease_until=NOW + timedelta(minutes=15),
                limit=CLAIM,
            )
        claiming += time.perf_counter() - began
        if not claimed:
            return all_claimed, claiming, loading
        all_claimed += claimed
        began = time.perf_counter()
        async with db.reading() as tx:
            await load_letters(tx, claimed)
        loading += time.perf_counter() - began


def _sent(one: Delivery) -> Written:
    outcome = Outcome(
        state=DeliveryState.SENT, due_at=one.due_at, attempts=1, faults=0, in_doubt=False, reply="250 2.0.0 ok"
    )
    return Written(delivery_id=one.id, claim=one.claim or "", outcome=outcome, relay="smtp://relay.example")


if __name__ == "__main__":
    main()
