"""Claims a second and the whole path with 1, 2 and 4 nodes on PostgreSQL, beside SQLite with 2 senders, in one run.

    python bench/bench_cluster.py [--quick] [--readers N] [--runs N] [--rows N] [--sinks N] [--connections N] [--ours]
                                  [--dry]

A node is `alerts run` with one sender; all have as many connections together, however many they are. The variants take
turns, so that whatever else the machine does hits all of them, and each stops before the next one starts. PostgreSQL
is the tests' own, durable and with autovacuum; where there is none, only SQLite is measured. Before each turn it is
vacuumed and analysed while nothing waits, as in a quiet hour: else its plans would hang on when autovacuum came by.
Nodes, PostgreSQL and sinks share the machine's cores: it shows what sharing costs, not what a second machine brings.
``--quick`` only shows that it runs; without it, the tables go into docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import ledgers
import report
import uvloop
from cast import World
from installation import Installation, Run, subscribe_many
from ledgers import Ledger
from postgresql_server import PostgresqlServer
from sinks import RunningSink, sinks

from alerts.services.fan_out import fan_out
from alerts.storage.deliveries import claim_due
from alerts.storage.engine import Database

PAGE = report.DOCS / "scaling.md"
CLAIM = 256  # rows
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
_EARLIER = NOW - timedelta(days=30)
_SEND = (
    "UPDATE deliveries SET state = 'sent', finished_at = due_at, claim = NULL, worker_id = NULL, lease_until = NULL"
    " WHERE state <> 'sent'"
)
_LINED_UP_WITHIN_S, _CLAIMED_WITHIN_S = 60.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    readers: int = 20_000
    warm: int = 1_000  # readers of an article that does not count: it opens files, compiles, warms up
    runs: int = 3
    rows: int = 50_000  # that are claimed
    nodes: tuple[int, ...] = (1, 2, 4)  # on PostgreSQL; and processes that claim
    of_a_node: int = 1  # senders
    on_sqlite: int = 2  # likewise
    claimers: tuple[int, ...] = (1, 2)  # on SQLite


FULL = Sizes()
# A process takes seconds to start, so here the main ones send.
QUICK = Sizes(readers=200, warm=0, runs=1, rows=1_000, nodes=(2,), of_a_node=0, on_sqlite=0, claimers=(1,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Who takes a turn."""

    name: str
    url: str
    nodes: int = 1  # or processes that claim
    server: int | None = None  # the process above all of PostgreSQL's


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What one process claimed, and when; by the machine's monotonic clock."""

    rows: int
    began: float
    ended: float


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    reader.add_argument("--readers", type=int, default=FULL.readers)
    reader.add_argument("--runs", type=int, default=FULL.runs, help="turns of each variant")
    reader.add_argument("--rows", type=int, default=FULL.rows, help="deliveries to claim")
    reader.add_argument("--sinks", type=int, default=2)
    reader.add_argument("--connections", type=int, default=32, help="of all nodes together, to all sinks")
    reader.add_argument("--ours", action="store_true", help="our own sink, also where Postfix's is there")
    reader.add_argument("--dry", action="store_true", help="print only")
    asked = reader.parse_args()
    if asked.connections % (asked.sinks * max(FULL.nodes)):
        reader.error(f"connections must divide evenly among {asked.sinks} sinks and {max(FULL.nodes)} nodes")
    sizes = QUICK if asked.quick else Sizes(readers=asked.readers, runs=asked.runs, rows=asked.rows)
    folder = Path(tempfile.mkdtemp(prefix="alerts-bench-"))
    with ledgers.postgresql() as server:
        claims = _measure_claims(folder, server, sizes)
        with sinks(asked.sinks, ours=asked.ours) as running:
            path = asyncio.run(_measure_path(folder, server, running, sizes, connections=asked.connections))
        text = "\n\n".join([f"{report.machine()}. {_served_by(server)}", path, claims])
    shutil.rmtree(folder)  # what failed stays, to be looked at
    print(text)
    if server is not None and not (asked.quick or asked.dry):
        report.keep("cluster", text, page=PAGE)


def _served_by(server: PostgresqlServer | None) -> str:
    if server is None:
        return "There was no PostgreSQL."
    (buffers,) = server.admin.execute("SHOW shared_buffers").fetchone() or ("",)
    version = server.admin.info.server_version // 10_000
    return (
        f"PostgreSQL {version} with fsync, autovacuum and {buffers} of buffers, on the same cores; analysed before "
        "each turn, while nothing waited."
    )


@contextlib.contextmanager
def _variants(
    server: PostgresqlServer | None, sqlite: Sequence[Variant], counts: Sequence[int], *, of: str
) -> Iterator[list[Variant]]:
    """Add those on PostgreSQL, a database each, to those on SQLite."""
    with contextlib.ExitStack() as stack:
        found = list(sqlite)
        if server is not None:
            pid = ledgers.server_pid(server)
            for count in counts:
                url = stack.enter_context(server.database())
                found.append(Variant(name=f"PostgreSQL, {_several(count, of)}", url=url, nodes=count, server=pid))
        yield found


# The whole path


async def _measure_path(
    folder: Path, server: PostgresqlServer | None, running: Sequence[RunningSink], sizes: Sizes, *, connections: int
) -> str:
    """Take the turns and lay out what they gave."""
    folder /= "path"
    sqlite = Variant(
        name=f"SQLite, {_several(sizes.on_sqlite, 'sender')}",
        url=f"sqlite:///{folder}/0/var/alerts.db",
    )
    found: dict[Variant, list[Run]] = {}
    with _variants(server, [sqlite], sizes.nodes, of="node") as variants:
        places = {
            variant: Installation(
                folder / str(number),
                running,
                connections=connections // (len(running) * variant.nodes),
                channels={"all": sizes.readers, **({"some": sizes.warm} if sizes.warm else {})},
                senders=sizes.of_a_node if variant.server else sizes.on_sqlite,
                nodes=variant.nodes,
                url=variant.url,
                server=variant.server,
            )
            for number, variant in enumerate(variants)
        }
        for place in places.values():
            await place.prepare()
        for _ in range(sizes.runs):
            for variant, place in places.items():
                async with place:
                    if sizes.warm:
                        await place.deliver("some")
                    place.rest()
                    run = await place.deliver("all")
                found.setdefault(variant, []).append(run)
                print(f"  {variant.name}: {run.rate:,.0f}/s", flush=True)
        for variant, place in places.items():
            for line in place.complaints():
                print(f"  {variant.name}: {line}", file=sys.stderr)
    head = (
        f"{len(running)} sinks ({running[0].name}) on the same cores, {connections} connections in all, "
        f"{sizes.readers:,} readers, median of {sizes.runs}."
    )
    names = ["whole path", "connections", "mails/s", "spread", "processor µs a mail", "… of PostgreSQL"]
    rows = [_path_row(variant, runs, found[variants[0]], connections) for variant, runs in found.items()]
    return f"{head}\n\n{report.table([*names, 'busiest, idlest node', '÷ SQLite'], rows)}"


def _path_row(variant: Variant, runs: Sequence[Run], beside: Sequence[Run], connections: int) -> list[str]:
    rates = [run.rate for run in runs]
    return [
        variant.name,
        f"{variant.nodes} × {connections // variant.nodes}",
        f"{statistics.median(rates):,.0f}",
        report.spread(rates),
        f"{statistics.median(run.cpu_s / run.readers for run in runs) * 1e6:,.0f}",
        f"{statistics.median(run.server_cpu_s / run.readers for run in runs) * 1e6:,.0f}" if variant.server else "",
        _busiest_and_idlest([run.shares for run in runs]),
        _ratio(rates, [run.rate for run in beside]),
    ]


# Claims alone


def _measure_claims(folder: Path, server: PostgresqlServer | None, sizes: Sizes) -> str:
    """Take the turns and lay out what they gave."""
    folder /= "claims"
    sqlite = [
        Variant(name=f"SQLite, {_several(count, 'process')}", url=f"sqlite:///{folder}/alerts{count}.db", nodes=count)
        for count in sizes.claimers
    ]
    found: dict[Variant, list[list[Claimed]]] = {}
    with _variants(server, sqlite, sizes.nodes, of="process") as variants:
        for variant in variants:
            asyncio.run(_settle(variant.url, sizes.rows))
        for number in range(sizes.runs):
            for variant in variants:
                asyncio.run(_owe(variant.url, f"Xiaomi {number}"))
                claimed = _claim_together(variant)
                if sum(one.rows for one in claimed) != sizes.rows:
                    raise SystemExit(f"{variant.name} claimed {claimed}, not {sizes.rows} rows")
                found.setdefault(variant, []).append(claimed)
                print(f"  {variant.name}: {_rate(claimed):,.0f} claims/s", flush=True)
    beside = [_rate(one) for one in found[variants[0]]]
    rows = []
    for variant, runs in found.items():
        rates = [_rate(one) for one in runs]
        shares = _busiest_and_idlest([[one.rows for one in claimed] for claimed in runs])
        rows.append(
            [variant.name, f"{statistics.median(rates):,.0f}", report.spread(rates), shares, _ratio(rates, beside)]
        )
    head = f"Claims alone: {sizes.rows:,} rows, {CLAIM} a claim, a durable transaction each, median of {sizes.runs}."
    names = ["claims", "rows/s", "spread", "busiest, idlest process", "÷ SQLite with 1"]
    return f"{head}\n\n{report.table(names, rows)}"


async def _settle(url: str, readers: int) -> None:
    db = await Database.open(url)
    try:
        world = World(db, NOW)
        await world.channel("all")
        await world.source()
    finally:
        await db.close()
    with Ledger(url) as ledger:
        subscribe_many(ledger, "all", readers)
    await _owe(url, "Long ago")


async def _owe(url: str, title: str) -> None:
    """Write an article's deliveries, all pending, after a quiet hour in which all before them were sent."""
    with Ledger(url) as ledger:
        ledger.do(_SEND)
        ledger.rest("deliveries")
    db = await Database.open(url)
    try:
        article = await World(db, NOW).article(1, title=title, channels=(1,))
        while not (await fan_out(db, article, now=NOW)).finished:
            pass
    finally:
        await db.close()


def _claim_together(variant: Variant) -> list[Claimed]:
    """Let as many processes claim until nothing is left."""
    context = multiprocessing.get_context("fork")  # what each would import takes seconds
    lined_up, told = context.Barrier(variant.nodes), context.Queue()
    processes = [
        context.Process(target=_claimer, args=(variant.url, lined_up, told), daemon=True) for _ in range(variant.nodes)
    ]
    try:
        for process in processes:
            process.start()
        return [told.get(timeout=_CLAIMED_WITHIN_S) for _ in processes]
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _claimer(url: str, lined_up: Barrier, told: Queue[Claimed]) -> None:
    """Claim in a process of its own, on the loop that senders have."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told.put(runner.run(_claim_all(url, lined_up)))


async def _claim_all(url: str, lined_up: Barrier) -> Claimed:
    db = await Database.open(url, inline=True)
    try:
        await _claim(db, now=_EARLIER)  # nothing is due yet: it connects, and compiles the statement
        lined_up.wait(_LINED_UP_WITHIN_S)
        rows, began = 0, time.monotonic()
        ended = began
        while claimed := await _claim(db, now=NOW):
            rows, ended = rows + claimed, time.monotonic()
        return Claimed(rows=rows, began=began, ended=ended)
    finally:
        await db.close()


async def _claim(db: Database, *, now: datetime) -> int:
    async with db.prepared() as tx:
        claimed = await claim_due(
            tx,
            worker_id="bench",
            claim=secrets.token_hex(8),
            now=now,
            lease_until=now + timedelta(minutes=15),
            limit=CLAIM,
        )
    return len(claimed)


def _rate(claimed: Sequence[Claimed]) -> float:
    """Rows a second of all processes together, from the first one's start to the last one's last claim."""
    return sum(one.rows for one in claimed) / (max(one.ended for one in claimed) - min(one.began for one in claimed))


# What both say


def _several(count: int, of: str) -> str:
    return f"{count} {of}{'' if count == 1 else 'es' if of.endswith('s') else 's'}"


def _busiest_and_idlest(runs: Sequence[Sequence[int]]) -> str:
    """Say what part of the work they did, in the middle run of each; nothing of one that did it all."""
    if len(runs[0]) == 1:
        return ""
    ends = [statistics.median(end(shares) / sum(shares) for shares in runs) for end in (max, min)]
    return ", ".join(f"{end:.0%}" for end in ends)


def _ratio(rates: Sequence[float], beside: Sequence[float]) -> str:
    """Say how many times as fast, in the middle turn."""
    return f"{statistics.median(rate / other for rate, other in zip(rates, beside, strict=True)):.2f} ×"


if __name__ == "__main__":
    main()
