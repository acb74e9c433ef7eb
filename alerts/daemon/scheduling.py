"""Who schedules: one node holds the lease and says what is due, the others stand by and watch it.

The lease is a row with an epoch. Whoever takes it over raises the epoch; a holder that slept finds its own gone in
the transaction in which it wanted to write, and writes nothing (the fencing token of Kleppmann, "How to do distributed
locking", 2016). Nobody compares clocks: who stands by takes over once it has seen, by its own clock, no beat for long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import LeaseLostError, StorageError
from alerts.daemon.worker import Worker, bury_in
from alerts.storage.engine import Database
from alerts.storage.leases import (
    SCHEDULING,
    Lease,
    confirm_lease,
    hurry,
    read_lease,
    release_lease,
    renew_lease,
    take_lease,
)

_log = structlog.get_logger(__name__)

BEAT_S = 2.0
PATIENCE_S = 15.0  # without a beat seen for so long, the holder is given up
HOLDS_S = 10.0  # a holder whose last beat began longer ago does nothing until it has beaten again


class Scheduling:
    """A node's part in it; ``keep`` runs for as long as the node may schedule."""

    def __init__(self, db: Database, worker: Worker, *, alone: bool, now: Callable[[], float] = time.monotonic) -> None:
        """``alone``: no other main process works with this ledger, so whoever held the lease has ended.

        Whoever loses it all the same is not alone, and waits as on a ledger of many.
        """
        self._db = db
        self._worker = worker
        self._alone = alone
        self._now = now
        self._epoch: int | None = None
        self._valid_until = float("-inf")
        self._seen: Lease | None = None
        self._seen_at = 0.0  # since when it has looked like that
        self._looked_at = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether this node schedules, as far as it can know without asking."""
        return self._epoch is not None and self._now() < self._valid_until

    async def fence(self, tx: AsyncConnection) -> None:
        """Make sure, in a transaction that is about to write, that this node still schedules; raise LeaseLostError."""
        await hurry(tx)
        if self._epoch is None or not await confirm_lease(tx, SCHEDULING, epoch=self._epoch):
            self._lose()
            raise LeaseLostError("another node schedules by now")

    async def keep(self) -> None:
        """Beat, or watch, until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self.look()
            except StorageError as error:
                self._seen = None  # who could not look has not seen a lease stand still
                _log.warning("scheduling_waits_for_database", reason=str(error))
            except Exception:  # noqa: BLE001 - who looks no more never schedules again
                self._seen = None
                _log.exception("scheduling_failed")
            await asyncio.sleep(BEAT_S)

    async def look(self) -> None:
        """Beat if this node holds the lease, else take it if nobody lives who does."""
        began = self._now()
        async with self._db.transaction() as tx:
            await hurry(tx)
            if self._epoch is not None:
                if await renew_lease(tx, SCHEDULING, epoch=self._epoch, holder=self._worker.id):
                    self._valid_until = began + HOLDS_S
                    return
                self._lose()
            await bury_in(tx)
            seen = await read_lease(tx, SCHEDULING)
            if not self._alone and not self._is_free(seen, began):
                return
            epoch = await take_lease(tx, SCHEDULING, holder=self._worker.id, seen=seen)
        if epoch is not None:
            self._epoch, self._valid_until = epoch, began + HOLDS_S
            _log.info("scheduling_begins", worker=self._worker.id, epoch=epoch)

    async def leave(self) -> None:
        """Give the lease up in good order; where the database is away, others find out."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        try:
            async with self._db.transaction() as tx:
                await release_lease(tx, SCHEDULING, epoch=epoch)
        except StorageError as error:
            _log.warning("scheduling_not_given_up", reason=str(error))

    def _is_free(self, seen: Lease, now: float) -> bool:
        """Say whether nobody holds it who lives: given up, by itself or by who buried it, or long without a beat."""
        slept = now - self._looked_at > 2 * BEAT_S + 1
        self._looked_at = now
        if seen.holder is None:
            return True
        if seen != self._seen or slept:
            self._seen, self._seen_at = seen, now
            return False
        return now - self._seen_at >= PATIENCE_S

    def _lose(self) -> None:
        if self._epoch is not None:
            _log.warning("scheduling_lost", worker=self._worker.id, epoch=self._epoch)
            self._alone = False
        self._epoch, self._seen = None, None
