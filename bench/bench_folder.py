"""A seed folder of 50,000 files, on both ledgers: what its first look and its first read cost, and the polls after.

    python bench/bench_folder.py [--quick]

Each poll is one that the daemon makes, in a process of its own, so that its memory is its own. Opened files are counted
by Python's audit hook. PostgreSQL is the tests' own, with its durability switched on again; it is left out where there
is none. ``--quick`` only shows that it runs; without it, the table goes into docs/performance.md.
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
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ledgers
import report

from alerts.config import SourceConfig
from alerts.core.looks import LOOKS_APART
from alerts.core.model import FirstPoll, SourceKind
from alerts.services.read_folder import read_folder
from alerts.services.sources import list_sources, sync_sources
from alerts.storage.engine import Database

FILES, CHANGED = 50_000, 10
_HEAD = ("seconds", "of processor time", "longest hold of the loop, ms", "files opened", "MiB")


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    reader.add_argument("--poll", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.poll:
        print(json.dumps(asyncio.run(_poll(Path(asked.poll[0]), asked.poll[1]))))
        return
    files = 300 if asked.quick else FILES
    with _urls() as (place, urls):
        rows = _measure(place / "seeds", urls, files)
    text = (
        f"{report.machine()}. Files of 600 bytes in 100 folders.\n\n{report.table([f'{files:,} files', *_HEAD], rows)}"
    )
    print(text)
    if not asked.quick:
        report.keep("folder", text)


@contextlib.contextmanager
def _urls() -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a place and the URLs of an empty database of each kind."""
    with (
        tempfile.TemporaryDirectory(prefix="alerts-bench-") as folder,
        ledgers.postgresql() as server,
        contextlib.ExitStack() as stack,
    ):
        urls = {"SQLite": f"sqlite:///{folder}/alerts.db"}
        if server is not None:
            urls["PostgreSQL"] = stack.enter_context(server.database())
        yield Path(folder), urls


def _measure(seeds: Path, urls: dict[str, str], files: int) -> list[list[str]]:
    for number in range(files):
        _write(seeds / f"{number % 100}" / f"{number}.md", f"about {number}")
    rows = []
    for name in ("first look", "first read", "nothing changed", f"{CHANGED} changed, first look", "… and read"):
        if name.startswith(f"{CHANGED} "):
            for number in range(CHANGED):
                _write(seeds / f"{number}" / f"{number}.md", f"again about {number}")
        time.sleep(LOOKS_APART.total_seconds())
        rows += [[f"{name}, {ledger}", *_poll_apart(seeds, url)] for ledger, url in urls.items()]
    return rows


def _write(file: Path, title: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# Story {title}\n\n{'A sentence that says little of it. ' * 16}\n")


def _poll_apart(seeds: Path, url: str) -> list[str]:
    done = subprocess.run([sys.executable, __file__, "--poll", seeds, url], check=True, stdout=subprocess.PIPE)
    one = json.loads(done.stdout)
    return [
        f"{one['seconds']:.2f}",
        f"{one['processor']:.2f}",
        f"{one['lag'] * 1000:,.0f}",
        f"{one['opened']:,}",
        f"{one['memory']:,}",
    ]


async def _poll(seeds: Path, url: str) -> dict[str, float]:
    """Poll the folder once; say what it cost."""
    opened = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal opened
        opened += event == "open" and str(arguments[0]).endswith(".md")

    db = await Database.open(url)
    now = datetime.now(UTC)
    await sync_sources(db, [_source(seeds)], now=now)
    (source,) = await list_sources(db)
    sys.addaudithook(count)
    gc.freeze()  # as the program does with what it imports
    watch = asyncio.create_task(_lag())
    began, worked = time.perf_counter(), time.process_time()
    polled = await read_folder(db, source, now=now, site_time_zone=UTC)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    await asyncio.sleep(0.01)
    watch.cancel()
    lag = await watch
    await db.close()
    if not polled.worked:
        raise SystemExit(polled.reason)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": seconds, "processor": processor, "lag": lag, "opened": opened, "memory": memory}


async def _lag() -> float:
    """Return, when told to end, the longest time for which the event loop did nothing else."""
    longest = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - before - 0.005)
    except asyncio.CancelledError:
        return longest


def _source(seeds: Path) -> SourceConfig:
    return SourceConfig(
        kind=SourceKind.FOLDER,
        location=str(seeds),
        name="seeds",
        every=timedelta(seconds=5),
        first_poll=FirstPoll.SEEN,
        max_age=None,
        allow_private=False,
    )


if __name__ == "__main__":
    main()
