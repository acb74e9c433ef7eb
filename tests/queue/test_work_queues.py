"""One contract, two queues: in this process, and Procrastinate's over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack

import pytest
from procrastinate.exceptions import UniqueViolation
from procrastinate.manager import JobManager
from sqlalchemy import text
from structlog.testing import capture_logs

from alerts.core.errors import StorageError
from alerts.queue import Handler, Job, LocalQueue, Step, WorkQueue
from alerts.queue.cluster import ClusterQueue
from alerts.storage.engine import Database, after_commit
from alerts.storage.postgresql import conninfo

SOON_S = 10.0


class Bench:
    """A ledger and its queue, and what the handlers were given."""

    def __init__(self, db: Database, make: Callable[[], WorkQueue], stack: AsyncExitStack) -> None:
        self.db = db
        self.done: list[Job] = []
        self._make = make
        self._stack = stack
        self._heard = asyncio.Event()

    async def queue(self, handlers: Mapping[Step, Handler] | None = None) -> WorkQueue:
        """Start a queue, as one node's."""
        queue = self._make()
        await queue.start(handlers if handlers is not None else dict.fromkeys(Step, self.hear))
        self._stack.push_async_callback(queue.stop, grace_s=1.0)
        return queue

    async def hear(self, job: Job) -> None:
        self.done.append(job)
        self._heard.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON_S):
            while not true():
                self._heard.clear()
                await self._heard.wait()


@pytest.fixture
async def bench(db: Database) -> AsyncIterator[Bench]:
    """Give a bench over each kind of ledger, with the queue that goes with it."""
    if db.dialect == "sqlite":
        local = LocalQueue(after_commit)

        def make() -> WorkQueue:
            return local
    else:

        def make() -> WorkQueue:
            return ClusterQueue(conninfo(db.where))

    async with AsyncExitStack() as stack:
        yield Bench(db, make, stack)


async def test_a_job_comes_to_its_handler(bench: Bench) -> None:
    queue = await bench.queue()
    for job in (Job(Step.POLL, 7), Job(Step.MATCH), Job(Step.DELIVER, 0), Job(Step.MAINTAIN)):
        await queue.enqueue(job)
        await bench.until(lambda: job in bench.done)  # noqa: B023 - called at once
    assert len(bench.done) == 4


async def test_a_job_of_a_transaction_comes_with_its_commit(bench: Bench) -> None:
    queue = await bench.queue()
    async with bench.db.transaction() as tx:
        await tx.execute(text("INSERT INTO facts (name, value) VALUES ('a', 'b')"))
        await queue.enlist(tx, Job(Step.FAN_OUT, 3))
        await asyncio.sleep(0.2)
        assert bench.done == []
    await bench.until(lambda: bench.done == [Job(Step.FAN_OUT, 3)])


async def test_a_transaction_that_is_rolled_back_leaves_no_job(bench: Bench) -> None:
    queue = await bench.queue()
    with pytest.raises(LookupError):
        async with bench.db.transaction() as tx:
            await queue.enlist(tx, Job(Step.FAN_OUT, 3))
            await tx.execute(text("INSERT INTO facts (name, value) VALUES ('a', 'b')"))
            raise LookupError
    await queue.enqueue(Job(Step.MATCH))
    await bench.until(lambda: bool(bench.done))
    await asyncio.sleep(0.2)
    assert bench.done == [Job(Step.MATCH)]


async def test_asking_again_while_a_job_waits_changes_nothing_and_while_it_runs_it_runs_once_more(bench: Bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    running, most = 0, 0

    async def slow(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        begun.set()
        await go.wait()
        running -= 1
        await bench.hear(job)

    queue = await bench.queue({Step.POLL: slow})
    await queue.enqueue(Job(Step.POLL, 1))
    async with asyncio.timeout(SOON_S):
        await begun.wait()
    for _ in range(3):
        await queue.enqueue(Job(Step.POLL, 1))
    await asyncio.sleep(0.3)
    go.set()
    await bench.until(lambda: len(bench.done) == 2)
    await asyncio.sleep(0.3)
    assert (len(bench.done), most) == (2, 1)


async def test_asking_in_transactions_again_and_again_is_one_job_while_it_waits(bench: Bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> None:
        begun.set()
        await go.wait()
        await bench.hear(job)

    queue = await bench.queue({Step.MATCH: slow})
    await queue.enqueue(Job(Step.MATCH))
    async with asyncio.timeout(SOON_S):
        await begun.wait()
    for number in range(3):
        async with bench.db.transaction() as tx:
            await queue.enlist(tx, Job(Step.MATCH), unless_waiting=True)
            await tx.execute(text(f"INSERT INTO facts (name, value) VALUES ('n{number}', 'x')"))  # noqa: S608 - a number
    go.set()
    await bench.until(lambda: len(bench.done) == 2)
    await asyncio.sleep(0.3)
    assert len(bench.done) == 2
    async with bench.db.reading() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM facts WHERE value = 'x'")) == 3


async def test_many_sources_are_polled_at_once(bench: Bench) -> None:
    together = asyncio.Barrier(8)

    async def wait_for_the_others(job: Job) -> None:
        await together.wait()
        await bench.hear(job)

    queue = await bench.queue({Step.POLL: wait_for_the_others})
    for number in range(8):
        await queue.enqueue(Job(Step.POLL, number))
    await bench.until(lambda: len(bench.done) == 8)


@pytest.mark.parametrize("error", [StorageError("gone"), ZeroDivisionError()])
async def test_a_job_that_fails_takes_no_other_along_and_is_not_tried_again(bench: Bench, error: Exception) -> None:
    tries = 0

    async def fail(_job: Job) -> None:
        nonlocal tries
        tries += 1
        raise error

    queue = await bench.queue({Step.MATCH: fail, Step.PURGE: bench.hear})
    await queue.enqueue(Job(Step.MATCH))
    await queue.enqueue(Job(Step.PURGE))
    await bench.until(lambda: bool(bench.done))
    await asyncio.sleep(1.2)
    assert tries == 1


async def test_a_stop_lets_a_job_finish_and_breaks_off_what_takes_too_long(bench: Bench) -> None:
    begun = asyncio.Barrier(3)

    async def short(job: Job) -> None:
        await begun.wait()
        await asyncio.sleep(0.2)
        await bench.hear(job)

    async def long(job: Job) -> None:
        await begun.wait()
        await asyncio.sleep(60)
        await bench.hear(job)

    queue = await bench.queue({Step.POLL: short, Step.MATCH: long})
    await queue.enqueue(Job(Step.POLL, 1))
    await queue.enqueue(Job(Step.MATCH))
    async with asyncio.timeout(SOON_S):
        await begun.wait()
        await queue.stop(grace_s=1.0)
    assert bench.done == [Job(Step.POLL, 1)]
    await queue.enqueue(Job(Step.POLL, 2)) if bench.db.dialect == "sqlite" else None
    await asyncio.sleep(0.2)
    assert bench.done == [Job(Step.POLL, 1)]


# --- several nodes: PostgreSQL only ----------------------------------------------------------------------------------


@pytest.fixture
async def cluster(postgresql_ledger_url: str) -> AsyncIterator[Bench]:
    db = await Database.open(postgresql_ledger_url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.close)
        yield Bench(db, lambda: ClusterQueue(conninfo(db.where)), stack)


async def count_jobs(db: Database) -> int:
    async with db.reading() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM procrastinate_jobs")) or 0)


async def test_a_node_takes_only_jobs_of_the_steps_that_it_does(cluster: Bench) -> None:
    asker = await cluster.queue({Step.POLL: cluster.hear})
    await asker.enqueue(Job(Step.MATCH))
    await asker.enqueue(Job(Step.POLL, 1))
    await cluster.until(lambda: bool(cluster.done))
    await asyncio.sleep(1.2)
    assert cluster.done == [Job(Step.POLL, 1)]
    await cluster.queue({Step.MATCH: cluster.hear})
    await cluster.until(lambda: Job(Step.MATCH) in cluster.done)


async def test_one_source_is_polled_by_one_node_at_a_time(cluster: Bench) -> None:
    running, most = 0, 0

    async def slow(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.2)
        running -= 1
        await cluster.hear(job)

    queues = [await cluster.queue({Step.POLL: slow}) for _ in range(3)]
    for queue in queues * 2:
        async with cluster.db.transaction() as tx:
            await queue.enlist(tx, Job(Step.POLL, 1))
    await cluster.until(lambda: len(cluster.done) == 6)
    assert most == 1


async def test_finished_jobs_are_deleted(cluster: Bench) -> None:
    queue = await cluster.queue()
    for number in range(20):
        await queue.enqueue(Job(Step.POLL, number))
    await cluster.until(lambda: len(cluster.done) == 20)
    async with asyncio.timeout(SOON_S):
        while await count_jobs(cluster.db):  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)


async def test_the_job_of_a_dead_node_is_ended_so_that_others_get_its_lock(cluster: Bench) -> None:
    queue = await cluster.queue({Step.MATCH: cluster.hear})
    async with cluster.db.transaction() as tx:
        dead = await tx.scalar(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '13 s') RETURNING id")
        )
        values = "('matches', 'match', 'match:', 'doing', :worker)"
        held = f"INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id) VALUES {values}"  # noqa: S608 - a constant
        await tx.execute(text(held), {"worker": dead})
    await queue.enqueue(Job(Step.MATCH))
    await asyncio.sleep(1.5)
    assert cluster.done == []
    await queue.tend()
    await cluster.until(lambda: cluster.done == [Job(Step.MATCH)])


async def test_a_lock_that_another_node_took_a_moment_ago_breaks_nothing_off(
    cluster: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions of different length commit their jobs out of order, and two nodes may look in between."""
    fetch, refused = JobManager.fetch_job, 0

    async def refuses_once(self: JobManager, queues: Iterable[str] | None, worker_id: int) -> object:
        nonlocal refused
        refused += 1
        if refused == 1:
            raise UniqueViolation(constraint_name="procrastinate_jobs_lock_idx_v1", queueing_lock=None)
        return await fetch(self, queues, worker_id)

    monkeypatch.setattr(JobManager, "fetch_job", refuses_once)
    with capture_logs() as logs:
        queue = await cluster.queue({Step.MATCH: cluster.hear})
        await queue.enqueue(Job(Step.MATCH))
        await cluster.until(lambda: cluster.done == [Job(Step.MATCH)])
    assert [it["event"] for it in logs] == []


async def test_a_queue_goes_on_after_its_connections_are_cut(cluster: Bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> None:
        begun.set()
        await go.wait()
        await cluster.hear(job)

    queue = await cluster.queue({Step.MATCH: slow})
    await queue.enqueue(Job(Step.MATCH))
    async with asyncio.timeout(SOON_S):
        await begun.wait()
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    cut = f"SELECT pg_terminate_backend(pid) {others}"
    async with cluster.db.transaction() as tx:
        await tx.execute(text(cut))
    go.set()
    await cluster.until(lambda: len(cluster.done) == 1)
    async with asyncio.timeout(2 * SOON_S):
        while True:
            try:
                await queue.enqueue(Job(Step.MATCH))
                break
            except StorageError:
                await asyncio.sleep(0.1)
        await cluster.until(lambda: len(cluster.done) == 2)
        while await count_jobs(cluster.db):  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)


async def test_a_poke_that_comes_after_the_stop_is_lost_in_our_own_words(postgresql_ledger_url: str) -> None:
    queue = ClusterQueue(conninfo(postgresql_ledger_url))
    with pytest.raises(StorageError, match="not open"):
        await queue.enqueue(Job(Step.POLL, 1))
    await queue.start({})
    await queue.stop(grace_s=1.0)
    with pytest.raises(StorageError, match="not open"):
        await queue.enqueue(Job(Step.POLL, 1))
