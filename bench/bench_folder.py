"""A seed folder of 50,000 files: what its first read costs, a poll that finds nothing changed, and one that finds ten.

    python bench/bench_folder.py [--quick]

Each poll is a process of its own, so that its memory is its own. Opened files are counted by Python's audit hook.
``--quick`` only shows that it runs; without it, the table goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import report

from alerts.config import SourceConfig
from alerts.core.model import FirstPoll, SourceKind
from alerts.services.read_folder import read_folder
from alerts.services.sources import list_sources, sync_sources
from alerts.storage.engine import Database

FILES, CHANGED = 50_000, 10
_POLLS = ("first read", "nothing changed", f"{CHANGED} changed")


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    reader.add_argument("--poll", type=Path, help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.poll:
        print(json.dumps(asyncio.run(_poll(asked.poll))))
        return
    files = 300 if asked.quick else FILES
    with tempfile.TemporaryDirectory(prefix="alerts-bench-") as place:
        rows = _measure(Path(place), files)
    names = [f"{files:,} files", "seconds", "of processor time", "longest hold of the loop, ms", "files opened", "MiB"]
    text = f"{report.machine()}. SQLite; files of 600 bytes in 100 folders.\n\n{report.table(names, rows)}"
    print(text)
    if not asked.quick:
        report.keep("folder", text)


def _measure(place: Path, files: int) -> list[list[str]]:
    seeds = place / "seeds"
    for number in range(files):
        _write(seeds / f"{number % 100}" / f"{number}.md", f"about {number}")
    rows = []
    for name in _POLLS:
        if name == _POLLS[2]:
            for number in range(CHANGED):
                _write(seeds / f"{number}" / f"{number}.md", f"again about {number}")
            time.sleep(1.2)  # a file that just changed is looked at twice
        done = subprocess.run([sys.executable, __file__, "--poll", str(place)], check=True, stdout=subprocess.PIPE)
        one = json.loads(done.stdout)
        rows.append(
            [
                name,
                f"{one['seconds']:.2f}",
                f"{one['processor']:.2f}",
                f"{one['lag'] * 1000:,.0f}",
                f"{one['opened']:,}",
                f"{one['memory']:,}",
            ]
        )
    return rows


def _write(file: Path, title: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# Story {title}\n\n{'A sentence that says little of it. ' * 16}\n")


async def _poll(place: Path) -> dict[str, float]:
    """Poll the folder once; say what it cost."""
    opened = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal opened
        opened += event == "open" and str(arguments[0]).endswith(".md")

    db = await Database.open(f"sqlite:///{place / 'alerts.db'}")
    now = datetime.now(UTC)
    await sync_sources(db, [_source(place / "seeds")], now=now)
    (source,) = await list_sources(db)
    sys.addaudithook(count)
    watch = asyncio.create_task(_lag())
    began, worked = time.perf_counter(), time.process_time()
    polled = await read_folder(db, source, now=now, site_time_zone=UTC, once=True)
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
