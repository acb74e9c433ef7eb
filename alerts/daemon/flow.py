"""The flow, wired: which service does each step, and which step a commit makes worth doing next.

A service never calls the next; here the commit that makes work due pokes the queue, and the clock's ticks find what
a lost poke missed. Doing any of it twice is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from alerts.app import App
from alerts.daemon.polling import Polling
from alerts.queue import Handler, Job, Step, WorkQueue
from alerts.services.deliver import Delivered
from alerts.services.expire_pending import expire_pending
from alerts.services.fan_out import fan_out, unfinished
from alerts.services.maintain import maintain
from alerts.services.match import ChannelCache, match_articles
from alerts.services.retention import retain

_log = structlog.get_logger(__name__)

_RANGES_A_TURN = 4  # then the queue's other work gets the writer


class Post(Protocol):
    """What sends: this process itself, or the senders beside it."""

    async def something_to_send(self) -> bool:
        """Whether to ask for a run now."""

    async def send_due(self) -> Delivered:
        """Send what is due, or see to it that others do."""


class Flow:
    """The handlers of the steps, and the ticks that look for what is due."""

    def __init__(self, app: App, queue: WorkQueue, *, polling: Polling, post: Post, judges: Callable[[], bool]) -> None:
        self._app = app
        self._queue = queue
        self._polling = polling
        self._post = post
        self._judges = judges
        self._channels = ChannelCache()
        self.ticked_at: datetime | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def handlers(self) -> Mapping[Step, Handler]:
        """Name the handler of each step."""
        return {
            Step.POLL: self._poll,
            Step.MATCH: self._match,
            Step.FAN_OUT: self._fan_out,
            Step.DELIVER: self._deliver,
            Step.MAINTAIN: self._maintain,
            Step.PURGE: self._purge,
        }

    async def look_for_due(self) -> None:
        """Ask for every step that may have something to do; cheap, once a second."""
        self.ticked_at = self._app.clock()
        self._app.metrics.ticked(self.ticked_at.timestamp())
        for source_id in await self._polling.due():
            await self._queue.enqueue(Job(Step.POLL, source_id))
        await self._queue.enqueue(Job(Step.MATCH))
        for article_id in await unfinished(self._app.db):
            await self._queue.enqueue(Job(Step.FAN_OUT, article_id))
        await self.look_for_mail()

    async def look_for_mail(self) -> None:
        """Ask for a run of delivering when something is due and a relay can take it."""
        if await self._post.something_to_send():
            await self._queue.enqueue(Job(Step.DELIVER))

    async def look_after(self) -> None:
        """Ask for a round of maintenance."""
        await self._queue.enqueue(Job(Step.MAINTAIN))

    async def look_for_old(self) -> None:
        """Ask for what is done now and then: ending requests that nobody confirmed, counting what is long finished."""
        await self._queue.enqueue(Job(Step.PURGE))

    async def look_at_folders(self) -> None:
        """Ask for a poll of every folder: something moved in one."""
        for source_id in await self._polling.folders():
            await self._queue.enqueue(Job(Step.POLL, source_id))

    async def _poll(self, job: Job) -> None:
        if job.key is None:
            return
        polled = await self._polling.poll(job.key)
        self._app.metrics.polled(worked=polled.worked, new=polled.new)
        if polled.new:
            await self._queue.enqueue(Job(Step.MATCH))
        if polled.again_at is not None:
            self._enqueue_at(polled.again_at, job)

    def _enqueue_at(self, at: datetime, job: Job) -> None:
        """Ask for a job a little later, sooner than the next tick would; lost with the process, found by a tick."""
        delay_s = max(0.0, (at - self._app.clock()).total_seconds())
        asyncio.get_running_loop().call_later(delay_s, self._soon, job)

    def _soon(self, job: Job) -> None:
        task = asyncio.create_task(self._queue.enqueue(job))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _match(self, _job: Job) -> None:
        matched = await match_articles(self._app.db, now=self._app.clock(), cache=self._channels)
        self._app.metrics.matched(matched.matches)
        for article_id, reason in matched.faults:
            _log.error("match_failed", article=article_id, reason=reason)
        for article_id in matched.set_aside:
            _log.error("article_set_aside", article=article_id, after="3 faults")
        for article_id in matched.fan_outs:
            await self._queue.enqueue(Job(Step.FAN_OUT, article_id))
        if matched.more:
            await self._queue.enqueue(Job(Step.MATCH))

    async def _fan_out(self, job: Job) -> None:
        if job.key is None:
            return
        for _ in range(_RANGES_A_TURN):
            done = await fan_out(self._app.db, job.key, now=self._app.clock())
            self._app.metrics.fanned_out(done.created)
            if done.created:
                await self._queue.enqueue(Job(Step.DELIVER))
            if done.finished:
                return
        await self._queue.enqueue(job)

    async def _deliver(self, _job: Job) -> None:
        done = await self._post.send_due()
        if done.sent or done.failed:
            _log.info("delivered", sent=done.sent, deferred=done.deferred, failed=done.failed, cancelled=done.cancelled)

    async def _maintain(self, _job: Job) -> None:
        done = await maintain(self._app.db, now=self._app.clock(), judging=self._judges())
        self._app.metrics.rescued(done.rescued)
        if done.rescued or done.buried:
            _log.info("claims_rescued", claims=done.rescued, workers=done.buried)
            await self._queue.enqueue(Job(Step.DELIVER))

    async def _purge(self, _job: Job) -> None:
        done = await expire_pending(self._app.db, now=self._app.clock())
        if done.ended or done.purged:
            _log.info("unconfirmed_requests_ended", subscriptions=done.ended, people=done.purged)
        retained = await retain(self._app.db, keep=self._app.config.retention.deliveries, now=self._app.clock())
        if retained.deliveries or retained.confirmations:
            _log.info("old_rows_counted", deliveries=retained.deliveries, confirmations=retained.confirmations)
        if retained.more:
            await self._queue.enqueue(Job(Step.PURGE))
