"""The queue of many nodes: Procrastinate on the ledger's own PostgreSQL. Knows jobs, and nothing of what they do.

A job is a row beside the ledger's, written in the ledger's transaction or in one of its own. Nothing depends on it:
the due rows tell what is to do, jobs only who does it now; so no job is ever retried, and a finished one is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate import jobs
from procrastinate.exceptions import AlreadyEnqueued, AppNotOpen, ConnectorException, UniqueViolation
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import DatabaseUnavailableError, StorageError
from alerts.core.model import Lane
from alerts.queue.port import Handler, Job, Step

_log = structlog.get_logger(__name__)

BEAT_S = 3.0  # how often a worker of the engine says that it lives
SILENCE_S = 12.0  # who was silent so long has died; its jobs are handed out anew
_LOOK_S = 1.0  # how often a worker looks for jobs that no notice told it of
_PAUSE_S = 1.0  # before a worker that the database broke off begins anew
_CONNECT_S = 10.0
_BREAK_OFF_S = 20.0  # so long a worker that ends waits for its jobs; nothing new is taken meanwhile
_NAMES: dict[int | None, str] = {lane: f"{lane.name.lower()}s" for lane in Lane}


@dataclass(frozen=True, slots=True)
class _Pool:
    """What one worker of a node takes jobs from: how many at once, and what each of its queues weighs in the choice."""

    slots: int
    weights: Mapping[str, int]


#: Polls wait for other people's servers, so they have slots of their own. Of the rest the heaviest goes first.
_POOLS = (
    _Pool(slots=100, weights={"polls": 0}),
    _Pool(slots=4, weights={_NAMES[Lane.CONFIRMATION]: 50, _NAMES[Lane.IMMEDIATE]: 40, "matches": 30, "fan_outs": 20}),
    _Pool(slots=2, weights={_NAMES[Lane.DIGEST]: 20, "digest_runs": 10, "upkeep": 0}),
)
_WEIGHTS = {queue: weight for pool in _POOLS for queue, weight in pool.weights.items()}
_QUEUES = {
    Step.POLL: "polls",
    Step.MATCH: "matches",
    Step.FAN_OUT: "fan_outs",
    Step.DIGEST: "digest_runs",
    Step.MAINTAIN: "upkeep",
    Step.PURGE: "upkeep",
    Step.ASK_HUB: "polls",
}
#: Steps of which one job runs at a time, wherever: a source is polled by one node. Who delivers claims for itself.
_ALONE = frozenset(Step) - {Step.DELIVER}


def queues_of(step: Step) -> set[str]:
    """Name the queues that hold a step's jobs: a queue a lane for delivering."""
    return {_NAMES[lane] for lane in Lane} if step is Step.DELIVER else {_QUEUES[step]}


class ClusterQueue:
    """A ``WorkQueue`` that all nodes share."""

    def __init__(self, conninfo: str) -> None:
        """Connect to nothing yet: a process that only enlists uses the ledger's connections."""
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo, min_size=1, max_size=4, timeout=_CONNECT_S, reconnect_timeout=_CONNECT_S
        )
        self._stopping = asyncio.Event()
        self._engine = procrastinate.App(connector=connector)
        self._engine.job_manager = _Jobs(connector, stopping=self._stopping)
        self._handlers: Mapping[Step, Handler] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._workers: set[Worker] = set()
        self._is_open = False
        for step in Step:
            self._engine.task(name=step.value, pass_context=False)(self._doer(step))

    async def enqueue(self, job: Job) -> None:
        """Ask for a job in a transaction of its own; asking again while it waits changes nothing."""
        async with _faults():
            with contextlib.suppress(AlreadyEnqueued):
                await self._defer(job, queueing_lock=_name(job))

    async def enlist(self, tx: AsyncConnection, job: Job, *, unless_waiting: bool = False) -> None:
        """Ask for a job with the transaction's commit, or not at all.

        Only who asks ``unless_waiting`` uses the engine's lock against a second one that waits: any other transaction
        would have to wait for this one to know, and a job that ran before this commit would see nothing of it.
        """
        connection = (await tx.get_raw_connection()).driver_connection
        async with _faults():
            if not unless_waiting:
                await self._defer(job, connection=connection)
                return
            with contextlib.suppress(AlreadyEnqueued):
                async with tx.begin_nested():
                    await self._defer(job, connection=connection, queueing_lock=_name(job))

    async def start(self, handlers: Mapping[Step, Handler]) -> None:
        """Begin to hand out jobs of the steps that have a handler here."""
        self._handlers = handlers
        mine = set().union(*(queues_of(step) for step in handlers))
        async with _faults():
            await self._engine.open_async()
            self._is_open = True
        for pool in _POOLS:
            queues = sorted(mine & pool.weights.keys())
            if queues:
                work = self._keep_working(queues, pool.slots)
                self._keepers.append(asyncio.create_task(work, name=f"work on {', '.join(queues)}"))

    async def tend(self) -> None:
        """Delete the jobs that a dead worker was given: the ticks ask anew for what is still to do."""
        async with _faults():
            manager = self._engine.job_manager
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=SILENCE_S):
                await manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
                _log.info("job_of_the_dead_ended", step=job.task_name, key=job.task_kwargs.get("key"))

    async def stop(self, *, grace_s: float) -> None:
        """Take no more jobs, wait for those that run, at most ``grace_s`` seconds, then cancel them."""
        self._stopping.set()
        for worker in self._workers:
            worker.shutdown_graceful_timeout = grace_s
            worker.stop()  # type: ignore[no-untyped-call]
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=grace_s + 2)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=2)
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(ConnectorException):
                await self._engine.close_async()

    async def _defer(self, job: Job, *, connection: Any = None, queueing_lock: str | None = None) -> None:
        queue = _NAMES[job.key] if job.step is Step.DELIVER else _QUEUES[job.step]
        deferrer = self._engine.configure_task(
            job.step.value,
            queue=queue,
            priority=_WEIGHTS[queue],
            lock=_name(job) if job.step in _ALONE else None,
            queueing_lock=queueing_lock,
            connection=connection,
        )
        await deferrer.defer_async(key=job.key)

    async def _keep_working(self, queues: list[str], slots: int) -> None:
        """Work until the stop; a worker that a lost connection broke off begins anew, under another name.

        What the old name was given is nobody's then: so ``tend`` finds it.
        """
        while not self._stopping.is_set():
            worker = Worker(
                self._engine,
                queues=queues,
                concurrency=slots,
                delete_jobs=jobs.DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                fetch_job_polling_interval=_LOOK_S,
                update_heartbeat_interval=BEAT_S,
                stalled_worker_timeout=SILENCE_S,
                shutdown_graceful_timeout=_BREAK_OFF_S,
            )
            self._workers.add(worker)
            try:
                await worker.run()  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - the engine's own, or the driver's: all of them mean begin anew
                _log.warning("queue_waits_for_database", queues=",".join(queues), reason=_reason(error))
            finally:
                self._workers.discard(worker)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_S):
                    await self._stopping.wait()

    def _doer(self, step: Step) -> Any:
        async def do(key: int | None = None) -> None:
            try:
                await self._handlers[step](Job(step, key))
            except StorageError as error:
                _log.warning("job_failed", step=step.value, key=key, reason=str(error))
            except Exception:  # noqa: BLE001 - the job ends all the same; the next tick asks anew
                _log.exception("job_failed", step=step.value, key=key)

        return do


class _Jobs(JobManager):
    """The engine's own way to its rows, but that a job's end is written even if the database is away for a while.

    Left as it is it would be held for ever by a worker that lives, and whoever wants its lock would wait for it.
    """

    def __init__(self, connector: procrastinate.BaseConnector, *, stopping: asyncio.Event) -> None:
        super().__init__(connector)
        self._stopping = stopping

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Take a job; none, where another node took one with the same lock a moment ago."""
        try:
            return await super().fetch_job(queues, worker_id)
        except UniqueViolation:
            return None

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:  # noqa: FBT001 - theirs
        """Write a job's end; a job that was taken away meanwhile has ended already."""
        while True:
            try:
                await super().finish_job(job, status, delete_job)
            except ConnectorException as error:
                if isinstance(error.__cause__, psycopg.errors.RaiseException):
                    return
                if self._stopping.is_set():
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return


def _name(job: Job) -> str:
    return f"{job.step}:{'' if job.key is None else job.key}"


@asynccontextmanager
async def _faults() -> AsyncIterator[None]:
    """Raise our error in place of the engine's."""
    try:
        yield
    except AppNotOpen as error:  # a poke that comes before the start, or after the stop
        raise DatabaseUnavailableError("the work queue is not open") from error
    except (ConnectorException, psycopg.Error) as error:
        raise DatabaseUnavailableError(f"the work queue is not available now: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Say what the driver said: the engine's own words say only that it did."""
    return " ".join(str(error.__cause__ or error).split()) or type(error).__name__
