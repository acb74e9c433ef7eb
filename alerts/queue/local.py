"""The queue of one process: an asyncio worker pool a step. Nothing is stored; the due rows are the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import StorageError
from alerts.queue.port import Handler, Job, Step

_log = structlog.get_logger(__name__)

#: How many jobs of a step run at once. Polls wait for other people's servers; the rest is one writer's work.
#: So many that feeds that hang, each for as long as a fetch may take, leave room for the others.
WORKERS: Mapping[Step, int] = {Step.POLL: 100}


class LocalQueue:
    """A ``WorkQueue`` in this process. A job asked for while it waits is one job; while it runs, it runs once more."""

    def __init__(self, after_commit: Callable[[AsyncConnection, Callable[[], None]], None]) -> None:
        """``after_commit`` has something called once a transaction is committed."""
        self._after_commit = after_commit
        self._waiting: dict[Step, dict[Job, None]] = {step: {} for step in Step}  # an ordered set a step
        self._running: set[Job] = set()
        self._again: set[Job] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: Mapping[Step, Handler] = {}
        self._stopping = False

    async def enqueue(self, job: Job) -> None:
        """Ask for a job: at once if a worker is free."""
        self._add(job)

    async def enlist(self, tx: AsyncConnection, job: Job, *, unless_waiting: bool = False) -> None:  # noqa: ARG002 - it never waits twice
        """Ask for a job once the transaction is committed."""
        self._after_commit(tx, partial(self._add, job))

    async def start(self, handlers: Mapping[Step, Handler]) -> None:
        """Begin to hand out jobs of the steps that have a handler here."""
        self._handlers = handlers
        for step in Step:
            self._fill(step)

    async def tend(self) -> None:
        """Do nothing: whoever died here took all of it along, and the ticks ask anew."""

    async def stop(self, *, grace_s: float) -> None:
        """Take no more jobs, wait for those that run, at most ``grace_s`` seconds, then cancel them."""
        self._stopping = True
        for waiting in self._waiting.values():
            waiting.clear()
        self._again.clear()
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _add(self, job: Job) -> None:
        if self._stopping or (self._handlers and job.step not in self._handlers):
            return  # nobody here does that, or not any more
        if job in self._running:
            self._again.add(job)
            return
        self._waiting[job.step][job] = None
        self._fill(job.step)

    def _fill(self, step: Step) -> None:
        """Start as many waiting jobs as the step has workers."""
        if step not in self._handlers:
            return
        running = sum(job.step is step for job in self._running)
        while self._waiting[step] and running < WORKERS.get(step, 1):
            job = next(iter(self._waiting[step]))
            del self._waiting[step][job]
            self._running.add(job)
            running += 1
            task = asyncio.create_task(self._run(job), name=f"{job.step}:{job.key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        try:
            await self._handlers[job.step](job)
        except StorageError as error:
            _log.warning("job_failed", step=job.step.value, key=job.key, reason=str(error))
        except Exception:  # noqa: BLE001 - a job that fails must not take the others along; the next tick tries again
            _log.exception("job_failed", step=job.step.value, key=job.key)
        finally:
            self._running.discard(job)
            if job in self._again:
                self._again.discard(job)
                self._add(job)
            self._fill(job.step)
