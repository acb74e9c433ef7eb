"""Where the time of delivering goes: one sender, first measured, then under cProfile; printed, kept nowhere.

    python bench/profile_delivery.py [--readers N] [--connections N] [--lines N]

An article is matched and fanned out beforehand, so that what is measured is claim, load, compose, send, outcome. The
sink is a process of its own and is not measured. The profiler itself makes Python several times
slower, and most so what calls much: read shares, not times.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from installation import Installation
from sinks import sinks

from alerts.app import App
from alerts.config import load_config
from alerts.daemon.outbox import Outbox
from alerts.daemon.polling import Polling
from alerts.daemon.worker import Worker
from alerts.services.fan_out import fan_out
from alerts.services.match import ChannelCache, match_articles


def main() -> None:
    """Measure once without, once with the profiler."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--readers", type=int, default=10_000)
    reader.add_argument("--connections", type=int, default=8)
    reader.add_argument("--lines", type=int, default=45)
    asked = reader.parse_args()
    with tempfile.TemporaryDirectory(prefix="alerts-profile-") as folder, sinks(1, ours=True) as running:
        place = Installation(Path(folder), running, connections=asked.connections, channels={"small": asked.readers})
        asyncio.run(place.prepare())
        profile = cProfile.Profile(time.thread_time)  # of this thread: neither waits nor other processes count
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_deliver(place, None, readers=asked.readers))
            runner.run(_deliver(place, profile, readers=asked.readers))
    statistics = pstats.Stats(profile, stream=sys.stdout)
    statistics.sort_stats("tottime").print_stats(asked.lines)
    statistics.sort_stats("cumulative").print_stats(r"alerts/|sqlalchemy.*execute|inline_sqlite", asked.lines)


async def _deliver(place: Installation, profile: cProfile.Profile | None, *, readers: int) -> None:
    """Publish and fan out, then send all as one sender does."""
    place.publish("small")
    config = load_config(place.config, {})
    async with await App.open(config) as app:
        await _make_due(app)
    async with await App.join(config, inline=True) as app:
        worker = Worker(app.db, app.clock)
        await worker.join()
        beating = asyncio.create_task(worker.keep_beating(), name="heartbeat")
        outbox = Outbox(app, worker, stopping=lambda: False)
        began, used = time.monotonic(), time.process_time()
        if profile is not None:
            profile.enable()
        sent = 0
        while sent < readers:
            sent += (await outbox.send_due()).sent
        if profile is not None:
            profile.disable()
        seconds, used = time.monotonic() - began, time.process_time() - used
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await worker.leave()
    how = "under the profiler" if profile else "plain"
    print(f"{how}: {sent} sent, {sent / seconds:,.0f}/s, {used / sent * 1e6:,.0f} processor µs a mail")


async def _make_due(app: App) -> None:
    async with Polling.open(app) as polling:
        for source in await polling.all():
            await polling.poll(source.id, once=True)
    matched = await match_articles(app.db, now=app.clock(), cache=ChannelCache())
    for article_id in matched.fan_outs:
        while not (await fan_out(app.db, article_id, now=app.clock())).finished:
            pass


if __name__ == "__main__":
    main()
