"""One process as the ledger knows it: a worker with a heartbeat. Who falls silent loses its claims."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import __version__
from alerts.core.errors import StorageError
from alerts.core.silence import Silence
from alerts.services.maintain import SILENCE, STUCK, Heard
from alerts.storage import deliveries, leases, workers
from alerts.storage.engine import Database

_log = structlog.get_logger(__name__)

BEAT = timedelta(seconds=2)
_GAP_S = 2 * BEAT.total_seconds()  # without a heartbeat that was taken: the database was away, or this process slept
_MARGIN = timedelta(seconds=3)  # stop sending so long before others may take the claims over


def node_name() -> str:
    """Name this machine so that a process id means something beside it: host, boot, and namespace of process ids."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
        parts.append(str(os.stat("/proc/self/ns/pid").st_ino))  # noqa: PTH116 - the link's target, not the link
    except OSError:
        parts.append("?")  # not Linux: nobody can tell from outside whether a process lives
    return "/".join(parts)


def is_gone(node: str, pid: int) -> bool:
    """Say whether a worker's process surely no longer runs: only for this machine, where that can be seen."""
    if node != node_name() or node.endswith("?"):
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]  # dead, and its parent has not looked yet


async def bury_the_gone(db: Database) -> None:
    """Remove the workers whose processes surely died on this machine: their claims are anybody's then."""
    async with db.transaction() as tx:
        await bury_in(tx)


async def bury_in(tx: AsyncConnection) -> None:
    """Do so within a transaction; what such a worker did for all of them is anybody's then, too."""
    for other in await workers.living(tx):
        if is_gone(other.node, other.pid):
            await leases.release_leases_of(tx, other.id)
            await workers.leave(tx, other.id)


class Worker:
    """One process's standing in the ledger."""

    def __init__(
        self,
        db: Database,
        clock: Callable[[], datetime],
        *,
        node: str = "",
        roles: Collection[str] = (),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """``node``: its name for the operator, else the host's; ``roles``: of a main process.

        ``seconds``: a clock that nobody sets; all that is judged here is judged by it.
        """
        self._seconds = seconds
        self._db = db
        self._node = node or socket.gethostname()
        self._roles = tuple(sorted(roles))
        self._clock = clock
        self._valid_until = 0.0
        self._heard_at = float("-inf")  # when the ledger last took a heartbeat; monotonic
        self._heard_since = 0.0  # since when it has taken every one
        self.nodes_that_send = 1
        self._silence: Silence[str] = Silence(SILENCE.total_seconds())
        self._stuck: Silence[str] = Silence(STUCK.total_seconds())
        self._silent: dict[str, datetime] = {}
        self.after_beat: list[Callable[[], None]] = []  # called once the ledger took a heartbeat
        self.id = ""

    def holds(self) -> bool:
        """Whether claims of this worker are surely still its own (monotonic time: a changed clock means nothing)."""
        return self._seconds() < self._valid_until

    def holds_as(self, worker_id: str) -> bool:
        """Whether claims made under this name are still its own: who was given up has a new name, and new claims."""
        return self.id == worker_id and self.holds()

    def heard(self) -> Heard | None:
        """Say who is silent; None while it may not: the database is away, or they could not say otherwise yet."""
        now = self._seconds()
        if now - self._heard_at > _GAP_S or now - self._heard_since < SILENCE.total_seconds():
            return None
        return Heard(silent=self._silent, claims=self._stuck, at_s=now)

    async def join(self) -> None:
        """Enter the ledger under a new name, and take over from processes that surely died here."""
        now = self._clock()
        began = self._seconds()
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        async with self._db.transaction() as tx:
            await bury_in(tx)
            await workers.register(
                tx,
                workers.Worker(
                    id=self.id,
                    node=node_name(),
                    pid=os.getpid(),
                    name=self._node,
                    roles=self._roles,
                    version=__version__,
                    started_at=now,
                    heartbeat_at=now,
                ),
            )
            known = await workers.living(tx)
        self._extend(began)
        self._listen(known)

    async def beat(self) -> None:
        """Say that this worker lives; join anew where it was given up."""
        began = self._seconds()
        async with self._db.transaction() as tx:
            is_known = await workers.beat(tx, self.id, now=self._clock())
            known = await workers.living(tx)
        if is_known:
            self._extend(began)
            self._listen(known)
            for call in self.after_beat:
                call()
            return
        _log.warning("worker_was_given_up", worker=self.id)
        await self.join()

    async def keep_beating(self) -> None:
        """Beat until cancelled; a database that is away is waited for."""
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            try:
                await self.beat()
            except StorageError as error:
                _log.warning("heartbeat_failed", worker=self.id, reason=str(error))
            except Exception:  # noqa: BLE001 - who beats no more is given up, with all that it claimed
                _log.exception("heartbeat_failed", worker=self.id)

    async def leave(self) -> None:
        """Leave in good order: give everything back. Where the database is away, others find out and take it over."""
        self._valid_until = 0.0
        try:
            async with self._db.transaction() as tx:
                await deliveries.give_back(tx, worker_id=self.id)
                await workers.leave(tx, self.id)
        except StorageError as error:
            _log.warning("left_without_goodbye", worker=self.id, reason=str(error))

    def _listen(self, known: Collection[workers.Worker]) -> None:
        """Take in how many nodes send, and who has said nothing new for long."""
        self.nodes_that_send = max(1, sum("send" in one.roles for one in known))
        beats = {one.id: one.heartbeat_at for one in known}
        silent = self._silence.hear(beats, at_s=self._seconds())
        self._silent = {worker_id: beats[worker_id] for worker_id in silent}

    def _extend(self, began: float) -> None:
        now = self._seconds()
        if now - self._heard_at > _GAP_S:
            self._heard_since = now
        self._heard_at = now
        self._valid_until = began + (SILENCE - _MARGIN).total_seconds()
