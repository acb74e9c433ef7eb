"""Outcomes on their way to disk: in groups, a transaction each, never lost for a database that is away."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from alerts.core.deliveries import Outcome
from alerts.core.errors import StorageError
from alerts.services.deliver.means import Means
from alerts.storage import breakers, deliveries, suppressions
from alerts.storage.deliveries import Written
from alerts.storage.engine import Database
from alerts.storage.letters import left_since

_log = structlog.get_logger(__name__)

RETRY_WRITE_S = 0.5
_TRIES_A_LINE = 20  # a line in the log every ten seconds says as much as twenty
_GATHER_S = 0.001  # how long a result waits for others to be committed with it
_CLOCKS_APART = timedelta(seconds=5)  # how far two machines' clocks may differ; looking back further costs little


class Outcomes:
    """The outcomes of a run that are not yet on disk; ``left`` names who ended a subscription meanwhile."""

    def __init__(self, db: Database, means: Means, *, expected: Callable[[], int]) -> None:
        self.left: set[int] = set()
        self.expected = expected  # how many results connections will bring soon
        self._db = db
        self._means = means
        self._looked_at = means.clock()
        self._unwritten: list[tuple[Written, asyncio.Future[None]]] = []
        self._written = asyncio.Event()
        self._closing = False

    async def write(self) -> None:
        """Write outcomes in groups, one transaction at a time, until it is closed.

        While the database cannot be written nothing is acknowledged, so every connection waits, and then goes on.
        """
        while not (self._closing and not self._unwritten):
            await self._written.wait()
            await self._gather()
            self._written.clear()
            group, self._unwritten = self._unwritten, []
            if group:
                await self._write_group(group)

    async def _gather(self) -> None:
        """Let the results of other connections come in for a moment: a commit costs the same for all of them."""
        if len(self._unwritten) < self.expected():
            await asyncio.sleep(_GATHER_S)

    def close(self) -> None:
        """Write what is left and end."""
        self._closing = True
        self._written.set()

    def queue(self, delivery_id: int, claim: str, decided: Outcome, *, relay: str | None) -> asyncio.Future[None]:
        """Queue an outcome for the next group; what comes back is done once it is on disk."""
        written = Written(delivery_id=delivery_id, claim=claim, outcome=decided, relay=relay, at=self._means.clock())
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((written, on_disk))
        self._written.set()
        return on_disk

    async def _write_group(self, group: Sequence[tuple[Written, asyncio.Future[None]]]) -> None:
        rows = [written for written, _ in group]
        changed = self._means.domains.untold()
        for tries in itertools.count():
            bad = [written.delivery_id for written in rows if written.outcome.suppress]
            try:
                async with self._db.transaction() as tx:
                    kept = await deliveries.record_outcomes(tx, rows)
                    if bad:
                        await suppressions.suppress_recipients(tx, delivery_ids=bad, now=self._means.clock())
                    if changed:
                        await breakers.keep_breakers(tx, changed)
                    self.left |= await left_since(tx, self._looked_at - _CLOCKS_APART)
                    self._looked_at = self._means.clock()
                break
            except StorageError as error:
                if tries % _TRIES_A_LINE == 0:
                    _log.error("outcomes_wait_for_database", waiting=len(rows), reason=str(error))
            except Exception:  # noqa: BLE001 - a bug of ours; that a mail was sent must be on disk whatever else is not
                _log.exception("outcomes_not_written", waiting=len(rows), next="without what the servers said")
                rows = [_bare(one) for one in rows]
            await asyncio.sleep(RETRY_WRITE_S)
        self._means.domains.told(changed)
        if kept not in {len(rows), -1}:
            _log.warning("claims_lost", written=kept, of=len(rows))
        for _, on_disk in group:
            if not on_disk.done():
                on_disk.set_result(None)


def _bare(one: Written) -> Written:
    return replace(one, outcome=replace(one.outcome, reply=None, suppress=False))
