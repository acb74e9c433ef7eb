"""Who schedules, on both databases; time is an argument."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from sqlalchemy import text

from alerts.core.errors import DatabaseUnavailableError, LeaseLostError
from alerts.daemon.scheduling import BEAT_S, HOLDS_S, PATIENCE_S, Scheduling
from alerts.daemon.worker import Worker, node_name
from alerts.storage import workers
from alerts.storage.engine import Database
from alerts.storage.leases import SCHEDULING, read_lease


@dataclass
class Nodes:
    """Nodes with one monotonic clock; each has joined."""

    db: Database
    now: datetime
    s: float = 1_000.0
    _made: int = field(default=0)

    async def node(self, *, alone: bool = False) -> Scheduling:
        worker = Worker(self.db, lambda: self.now, node=f"n{self._made}")
        self._made += 1
        await worker.join()
        async with self.db.transaction() as tx:  # as if it ran on a machine of its own, where nobody sees its process
            await tx.execute(text("UPDATE workers SET node = 'elsewhere/?' WHERE id = :id"), {"id": worker.id})
        return Scheduling(self.db, worker, alone=alone, now=lambda: self.s)

    async def pass_time(self, seconds: float, *living: Scheduling) -> None:
        """Let time go by, in beats; who lives looks at every one."""
        end = self.s + seconds
        while self.s < end:
            self.s = min(end, self.s + BEAT_S)
            for node in living:
                await node.look()


@pytest.fixture
def nodes(db: Database, now: datetime) -> Nodes:
    return Nodes(db, now)


async def test_one_node_schedules_and_the_others_stand_by(nodes: Nodes) -> None:
    all_of_them = [await nodes.node() for _ in range(3)]
    for _ in range(3):
        for node in all_of_them:
            await node.look()
        assert [node.holds for node in all_of_them] == [True, False, False]
        nodes.s += BEAT_S


async def test_a_node_that_leaves_in_good_order_is_followed_at_the_next_look(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    await first.leave()
    await second.look()
    assert (first.holds, second.holds) == (False, True)


async def test_a_node_that_falls_silent_is_followed_after_a_while_and_not_before(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    await nodes.pass_time(PATIENCE_S - BEAT_S, second)
    assert (first.holds, second.holds) == (False, False)
    await nodes.pass_time(2 * BEAT_S, second)
    assert (first.holds, second.holds) == (False, True)
    assert PATIENCE_S + 2 * BEAT_S < 60


async def test_a_holder_that_cannot_beat_stops_by_itself_before_anybody_follows(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    await nodes.pass_time(HOLDS_S, second)
    assert (first.holds, second.holds) == (False, False)
    await first.look()
    assert first.holds


async def test_a_frozen_holder_that_wakes_finds_its_epoch_gone_and_writes_nothing(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    await nodes.pass_time(60, second)
    async with nodes.db.reading() as tx:
        taken_over = await read_lease(tx, SCHEDULING)
    with pytest.raises(LeaseLostError):
        async with nodes.db.transaction() as tx:
            await first.fence(tx)
            await tx.execute(text("INSERT INTO facts (name, value) VALUES ('a', 'b')"))
    await first.look()
    assert (first.holds, second.holds) == (False, True)
    async with nodes.db.transaction() as tx:
        await second.fence(tx)
        assert await tx.scalar(text("SELECT count(*) FROM facts WHERE name = 'a'")) == 0
        assert (await read_lease(tx, SCHEDULING)).epoch == taken_over.epoch


async def test_a_node_that_slept_itself_takes_nobody_for_dead(nodes: Nodes) -> None:
    """It saw nothing meanwhile: two machines that were frozen together wake together."""
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    nodes.s += 60
    await second.look()
    assert not second.holds
    await first.look()
    assert first.holds


async def test_a_node_whose_process_is_surely_gone_is_followed_at_once(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    async with nodes.db.transaction() as tx:
        gone = {"node": node_name(), "pid": 2**22 + 1, "id": (await read_lease(tx, SCHEDULING)).holder}
        await tx.execute(text("UPDATE workers SET node = :node, pid = :pid WHERE id = :id"), gone)
    await second.look()
    assert second.holds


async def test_a_living_neighbour_is_not_taken_for_gone(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    async with nodes.db.transaction() as tx:
        here = {"node": node_name(), "pid": os.getpid(), "id": (await read_lease(tx, SCHEDULING)).holder}
        await tx.execute(text("UPDATE workers SET node = :node, pid = :pid WHERE id = :id"), here)
    await second.look()
    assert not second.holds


async def test_who_is_alone_with_the_ledger_takes_over_without_waiting(nodes: Nodes) -> None:
    before = await nodes.node()
    await before.look()
    after = await nodes.node(alone=True)
    await after.look()
    assert after.holds


async def test_a_holder_that_was_buried_and_joined_anew_goes_on_under_its_epoch(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    await nodes.pass_time(4, first, second)
    async with nodes.db.transaction() as tx:
        holder = (await read_lease(tx, SCHEDULING)).holder
        await workers.leave(tx, str(holder))
    await nodes.pass_time(20, first, second)
    assert (first.holds, second.holds) == (True, False)


async def test_a_node_that_is_started_again_on_its_machine_finds_the_lease_free(nodes: Nodes) -> None:
    first = await nodes.node()
    await first.look()
    async with nodes.db.transaction() as tx:
        gone = {"node": node_name(), "pid": 2**22 + 1}
        await tx.execute(text("UPDATE workers SET node = :node, pid = :pid"), gone)
    again = await nodes.node()
    await again.look()
    assert again.holds


async def test_a_holder_that_joined_anew_beats_under_its_new_name(nodes: Nodes) -> None:
    """So that `alerts status` finds it, and others see when its process is gone."""
    first = await nodes.node()
    await first.look()
    old = first._worker.id
    async with nodes.db.transaction() as tx:
        await workers.leave(tx, old)
    await first._worker.beat()
    await first.look()
    async with nodes.db.reading() as tx:
        assert (await read_lease(tx, SCHEDULING)).holder == first._worker.id != old


async def test_a_look_that_fails_for_whatever_reason_is_not_the_last(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.daemon.scheduling.BEAT_S", 0.01)
    node, looks, look = await nodes.node(), 0, Scheduling.look

    async def fails_at_first(self: Scheduling) -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise [ZeroDivisionError, DatabaseUnavailableError][looks - 1]("no")
        await look(self)

    monkeypatch.setattr(Scheduling, "look", fails_at_first)
    keeping = asyncio.create_task(node.keep())
    async with asyncio.timeout(10):
        while not node.holds:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    keeping.cancel()


async def test_two_that_were_each_told_that_they_are_alone_do_not_take_it_from_one_another_for_ever(
    nodes: Nodes,
) -> None:
    """Somebody removed the file that a main process locks, and started another."""
    first, second = await nodes.node(alone=True), await nodes.node(alone=True)
    await first.look()
    await second.look()
    async with nodes.db.reading() as tx:
        epoch = (await read_lease(tx, SCHEDULING)).epoch
    await nodes.pass_time(60, first, second)
    async with nodes.db.reading() as tx:
        assert (await read_lease(tx, SCHEDULING)).epoch == epoch
    assert (first.holds, second.holds) == (False, True)
