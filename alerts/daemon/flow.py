"""The flow, wired: which service does each step, and which step a commit makes worth doing next.

A service never calls the next: the transaction that makes work due asks the queue for it, and the ticks of the node
that schedules find what a lost poke missed. Doing any of it twice is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

import structlog

from alerts.app import App
from alerts.core.errors import LeaseLostError, StorageError
from alerts.core.model import Lane
from alerts.daemon.polling import Polling
from alerts.daemon.roles import Role, steps_of
from alerts.daemon.scheduling import Scheduling
from alerts.queue import Handler, Job, Step, WorkQueue
from alerts.services.bring_forward import bring_forward
from alerts.services.decide_flood import go_on_deciding, held_sources
from alerts.services.expire_pending import expire_pending
from alerts.services.fan_out import fan_out, unfinished
from alerts.services.fan_out_digest import fan_out_digest, unfinished_digests
from alerts.services.maintain import Heard, maintain
from alerts.services.match import ChannelCache, match_articles, something_to_match
from alerts.services.poll import Health
from alerts.services.retention import retain

_log = structlog.get_logger(__name__)

_RANGES_A_TURN = 4  # then the queue's other work gets the writer


class Post(Protocol):
    """What sends: this process itself, or the senders beside it."""

    def look(self) -> None:
        """Look at once whether something is due."""


class Flow:
    """The handlers of the steps, and the ticks that look for what is due; of a node's ``roles`` only."""

    def __init__(
        self,
        app: App,
        queue: WorkQueue,
        *,
        roles: frozenset[Role],
        scheduling: Scheduling,
        polling: Polling,
        post: Post,
        heard: Callable[[], Heard | None],
    ) -> None:
        self._app = app
        self._queue = queue
        self._roles = roles
        self._scheduling = scheduling
        self._polling = polling
        self._post = post
        self._heard = heard
        self._channels = ChannelCache()
        self.ticked_at: datetime | None = None
        self._clock_was_set = False  # while this process runs
        self._asking: set[asyncio.Task[None]] = set()

    def handlers(self) -> Mapping[Step, Handler]:
        """Name the handler of each step that this node does."""
        handlers = {
            Step.POLL: self._poll,
            Step.MATCH: self._match,
            Step.FAN_OUT: self._fan_out,
            Step.DELIVER: self._deliver,
            Step.MAINTAIN: self._maintain,
            Step.PURGE: self._purge,
            Step.DIGEST: self._digest,
            Step.ASK_HUB: self._ask_hub,
        }
        mine = steps_of(self._roles)
        return {step: handler for step, handler in handlers.items() if step in mine}

    async def get_ready(self) -> None:
        """Read the channels where this node matches: of many it takes a while, which no article should wait."""
        if Step.MATCH not in steps_of(self._roles):
            return
        began = time.monotonic()
        try:
            await self._channels.refresh(self._app.db)
        except StorageError as error:
            _log.warning("channels_not_read", reason=str(error))  # the first article reads them
            return
        _log.info("channels_read", seconds=round(time.monotonic() - began, 1))

    async def look_for_due(self) -> None:
        """Ask for every step that has something to do; cheap, once a second."""
        self.ticked_at = self._app.clock()
        self._app.metrics.ticked(self.ticked_at.timestamp())
        if not self._scheduling.holds:
            return
        jobs = [Job(Step.POLL, source_id) for source_id in await self._polling.due()]
        if await something_to_match(self._app.db):
            jobs.append(Job(Step.MATCH))
        jobs += [Job(Step.FAN_OUT, article_id) for article_id in await unfinished(self._app.db)]
        jobs += [Job(Step.DIGEST, run_id) for run_id in await unfinished_digests(self._app.db)]
        jobs += [Job(Step.ASK_HUB, subscription) for subscription in await self._polling.due_hubs()]
        await self._ask_for(*jobs)

    async def look_after(self) -> None:
        """Ask for a round of maintenance."""
        if self._scheduling.holds:
            await self._queue.tend()
            await self._ask_for(Job(Step.MAINTAIN))

    async def look_for_old(self) -> None:
        """Ask for what is done now and then: ending requests that nobody confirmed, counting what is long finished."""
        if self._scheduling.holds:
            await self._ask_for(Job(Step.PURGE))

    async def clock_was_set(self) -> None:
        """Look at once for what a clock that ran ahead has put off, and from now on again and again."""
        self._clock_was_set = True
        await self.look_for_future()

    async def look_again_for_future(self) -> None:
        """Look for what was claimed, or cancelled, when the clock was set, and waits again by now."""
        if self._clock_was_set:
            await self.look_for_future()

    async def look_for_future(self) -> None:
        """Make due what a clock that ran ahead has put off."""
        if not self._scheduling.holds:
            return
        brought = await bring_forward(self._app.db, now=self._app.clock())
        if brought.polls or brought.mails or brought.subscriptions:
            _log.warning("brought_forward", **asdict(brought))

    async def look_at_folders(self) -> None:
        """Ask for a poll of every folder: something moved in one."""
        for source_id in await self._polling.folders():
            await self._queue.enqueue(Job(Step.POLL, source_id))

    async def _ask_for(self, *jobs: Job) -> None:
        """Ask for jobs as the one who schedules; a node that no more does asks for nothing."""
        if not jobs:
            return
        with contextlib.suppress(LeaseLostError):
            async with self._app.db.transaction() as tx:
                await self._scheduling.fence(tx)
                for job in jobs:
                    await self._queue.enlist(tx, job, unless_waiting=True)

    async def _poll(self, job: Job) -> None:
        if job.key is None:
            return
        polled = await self._polling.poll(job.key, enlist=self._queue.enlist)
        self._app.metrics.polled(worked=polled.worked, new=polled.new)
        self._app.metrics.held(polled.held)
        if polled.health is not Health.SAME:
            self._app.metrics.told_of_source(polled.health.name.lower())
        if polled.follows is not None:
            await self._queue.enqueue(Job(Step.POLL, polled.follows))
        if polled.again_at is not None:
            self._enqueue_at(polled.again_at, job)

    async def _ask_hub(self, job: Job) -> None:
        if job.key is not None:
            await self._polling.ask_hub(job.key)

    def _enqueue_at(self, at: datetime, job: Job) -> None:
        """Ask for a job a little later, sooner than the next tick would; lost with the process, found by a tick."""
        delay_s = max(0.0, (at - self._app.clock()).total_seconds())
        asyncio.get_running_loop().call_later(delay_s, self._soon, job)

    def _soon(self, job: Job) -> None:
        task = asyncio.create_task(self._enqueue(job))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _enqueue(self, job: Job) -> None:
        try:
            await self._queue.enqueue(job)
        except StorageError as error:
            _log.warning("poke_lost", step=job.step.value, key=job.key, reason=str(error))

    async def _match(self, job: Job) -> None:
        matched = await match_articles(
            self._app.db,
            now=self._app.clock(),
            cache=self._channels,
            enlist=self._queue.enlist,
            same_story=self._app.config.matching.same_story,
        )
        self._app.metrics.matched(matched.matches)
        for article_id, reason in matched.faults:
            _log.error("match_failed", article=article_id, reason=reason)
        for article_id in matched.set_aside:
            _log.error("article_set_aside", article=article_id, after="3 faults")
        if matched.more:
            await self._queue.enqueue(job)

    async def _fan_out(self, job: Job) -> None:
        if job.key is None:
            return
        for _ in range(_RANGES_A_TURN):
            done = await fan_out(self._app.db, job.key, now=self._app.clock(), enlist=self._queue.enlist)
            self._app.metrics.fanned_out(done.created)
            if done.finished:
                return
        await self._queue.enqueue(job)

    async def _digest(self, job: Job) -> None:
        if job.key is None:
            return
        for _ in range(_RANGES_A_TURN):
            done = await fan_out_digest(self._app.db, job.key, now=self._app.clock(), enlist=self._queue.enlist)
            self._app.metrics.fanned_out(done.created)
            if done.finished:
                return
        await self._queue.enqueue(job)

    async def _deliver(self, _job: Job) -> None:
        self._post.look()

    async def _maintain(self, _job: Job) -> None:
        await go_on_deciding(self._app.db, now=self._app.clock())
        done = await maintain(self._app.db, now=self._app.clock(), heard=self._heard())
        self._app.metrics.rescued(done.rescued + done.polls)
        self._app.metrics.sources_are({state.value: count for state, count in done.sources.items()})
        self._app.metrics.sources_held(len(await held_sources(self._app.db)))
        if done.rescued or done.buried:
            _log.info("claims_rescued", claims=done.rescued, workers=done.buried)
            await self._queue.enqueue(Job(Step.DELIVER, Lane.IMMEDIATE))

    async def _purge(self, job: Job) -> None:
        done = await expire_pending(self._app.db, now=self._app.clock())
        if done.ended or done.purged:
            _log.info("unconfirmed_requests_ended", subscriptions=done.ended, people=done.purged)
        retained = await retain(self._app.db, keep=self._app.config.retention.deliveries, now=self._app.clock())
        if retained.deliveries or retained.confirmations:
            _log.info("old_rows_counted", deliveries=retained.deliveries, confirmations=retained.confirmations)
        if retained.more:
            await self._queue.enqueue(job)
