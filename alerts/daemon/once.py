"""`alerts run --once`: every source now, then all that follows, until nothing is due any more. For cron."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

import structlog

from alerts.app import App
from alerts.core.errors import RelayError
from alerts.core.model import Source
from alerts.daemon.outbox import Outbox
from alerts.daemon.polling import Polling
from alerts.daemon.worker import Worker
from alerts.services.decide_flood import go_on_deciding
from alerts.services.fan_out import fan_out, unfinished
from alerts.services.fan_out_digest import fan_out_digest, unfinished_digests
from alerts.services.maintain import SILENCE, maintain
from alerts.services.match import ChannelCache, match_articles
from alerts.services.retention import retain
from alerts.storage import deliveries

_log = structlog.get_logger(__name__)

_POLLS_AT_ONCE = 16
_LISTENS_S = 2 * SILENCE.total_seconds()
_LOOK_S = 0.2
_MOST_LOOKS = 30  # a file that is written to all the time is left to the next run


@dataclass(slots=True)
class Summary:
    """What one round did."""

    polled: int = 0
    articles_new: int = 0
    matches: int = 0
    deliveries_created: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0

    def as_dict(self) -> dict[str, int]:
        """Give the numbers under the names that scripts rely on."""
        return asdict(self)


async def run_once(app: App, *, say: Callable[[str], None]) -> Summary:
    """Do one round; ``say`` hears how far it is. SIGTERM and Ctrl-C end it where it stands, and nothing is lost."""
    summary = Summary()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = Worker(app.db, app.clock)
    await worker.join()
    beating = asyncio.create_task(worker.keep_beating(), name="heartbeat")
    try:
        await maintain(app.db, now=app.clock())
        await _poll_all(app, worker, summary, say, stop.is_set)
        await _match_all(app, summary)
        await _fan_out_all(app, summary)
        say(f"{summary.matches} matches, {summary.deliveries_created} deliveries")
        async with _catcher(app):
            await _deliver_all(app, worker, summary, stop.is_set)
            if await _take_over(app, worker, stop):
                await _deliver_all(app, worker, summary, stop.is_set)
        await retain(app.db, keep=app.config.retention.deliveries, now=app.clock())
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await worker.leave()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return summary


async def _poll_all(
    app: App, worker: Worker, summary: Summary, say: Callable[[str], None], stopping: Callable[[], bool]
) -> None:
    """Poll every source, many at a time: one that hangs delays nobody else."""
    gate = asyncio.Semaphore(_POLLS_AT_ONCE)

    def progress(done: int, total: int) -> None:
        say(f"{done} of {total} files read")

    async with Polling.open(app, worker=lambda: worker.id, progress=progress) as polling:
        sources = await polling.all()

        async def poll(source: Source) -> None:
            async with gate:
                await _poll(app, polling, source, summary, stopping)
            say(f"{summary.polled} of {len(sources)} sources polled")

        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(poll(source))


async def _poll(app: App, polling: Polling, source: Source, summary: Summary, stopping: Callable[[], bool]) -> None:
    """Poll a source until it has given all: a file that just changed wants a second look."""
    looks = 0
    while not stopping() and looks < _MOST_LOOKS:
        polled = await polling.poll(source.id, once=True)
        summary.articles_new += polled.new
        looks += 1
        if polled.again_at is None:
            break
        await asyncio.sleep(max(0.0, (polled.again_at - app.clock()).total_seconds()))
    summary.polled += 1


async def _match_all(app: App, summary: Summary) -> None:
    cache = ChannelCache()
    more = True
    while more:
        matched = await match_articles(app.db, now=app.clock(), cache=cache, same_story=app.config.matching.same_story)
        summary.matches += matched.matches
        more = matched.more


async def _fan_out_all(app: App, summary: Summary) -> None:
    await go_on_deciding(app.db, now=app.clock())
    while waiting := await unfinished(app.db):
        for article_id in waiting:
            finished = False
            while not finished:
                done = await fan_out(app.db, article_id, now=app.clock())
                summary.deliveries_created += done.created
                finished = done.finished
    for run_id in await unfinished_digests(app.db):
        finished = False
        while not finished:
            digested = await fan_out_digest(app.db, run_id, now=app.clock())
            summary.deliveries_created += digested.created
            finished = digested.finished


async def _take_over(app: App, worker: Worker, stop: asyncio.Event) -> bool:
    """Where others hold mails, listen for as long as it takes to know who is dead; return whether that gave any back.

    Another process on this machine that died was found out at once, by its process.
    """
    async with app.db.reading() as tx:
        held = await deliveries.claim_holders(tx) - {worker.id}
    deadline = time.monotonic() + _LISTENS_S
    while held and worker.heard() is None and not stop.is_set() and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()
    return bool(held) and (await maintain(app.db, now=app.clock(), heard=worker.heard())).rescued > 0


async def _deliver_all(app: App, worker: Worker, summary: Summary, stopping: Callable[[], bool]) -> None:
    """Send until nothing is due, or no relay can be used: then the rest waits for the next run."""
    outbox = Outbox(app, worker, stopping=stopping)
    while not stopping() and outbox.usable() and await outbox.something_due():
        done = await outbox.send_due()
        summary.sent += done.sent
        summary.deferred += done.deferred + done.put_off
        summary.failed += done.failed
    async with app.db.reading() as tx:
        waiting = await deliveries.count_due(tx, now=app.clock())
    if waiting:
        summary.deferred += waiting
        _log.warning("no_relay_can_be_used", relays=[f"{it.name}: {it.health.reason}" for it in outbox.relays])


@contextlib.asynccontextmanager
async def _catcher(app: App) -> AsyncIterator[None]:
    """Run the catcher for this round, unless a daemon beside us runs it already."""
    catcher = app.catcher()
    if catcher is None:
        yield
        return
    try:
        await catcher.start()
    except RelayError as error:
        _log.info("catcher_runs_elsewhere", reason=str(error))
        yield
        return
    try:
        yield
    finally:
        await catcher.stop()
