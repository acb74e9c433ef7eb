"""Outcomes on their way to disk: in groups, a transaction each, never lost for a database that is away."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from alerts.core.deliveries import Outcome
from alerts.core.domains import Breaker
from alerts.core.errors import StorageError
from alerts.core.model import Delivery
from alerts.services.deliver.means import Means
from alerts.storage import breakers, deliveries, suppressions
from alerts.storage.deliveries import Written
from alerts.storage.engine import Database
from alerts.storage.letters import left_since

_log = structlog.get_logger(__name__)

RETRY_WRITE_S = 0.5
_TRIES_A_LINE = 20  # a line in the log every ten seconds says as much as twenty
_GATHER_S = 0.002  # how long a result waits for others to be committed with it, at most
_CLOCKS_APART = timedelta(seconds=5)  # how far two machines' clocks may differ; looking back further costs little


#: An outcome, and what to call once it is on disk.
_Waiting = tuple[Written, Callable[[], None]]


class Outcomes:
    """The outcomes of a run that are not yet on disk; ``left`` names who ended a subscription meanwhile."""

    def __init__(self, db: Database, means: Means, *, expected: Callable[[], int]) -> None:
        self.left: set[int] = set()
        self._expected = expected  # how many results connections will bring soon
        self._db = db
        self._means = means
        self._looked_at = means.clock()
        self._unwritten: list[_Waiting] = []
        self._enough = 1  # how many make a group
        self._stirred = asyncio.Event()  # there are enough, or it is time to end
        self._closing = False

    async def write(self) -> None:
        """Write outcomes in groups, one transaction at a time, until it is closed.

        While the database cannot be written nothing is acknowledged, so every connection waits, and then goes on.
        """
        while not (self._closing and not self._unwritten):
            await self._stirred.wait()
            await self._gather()
            if self._unwritten:
                await self._write_group(self._take())

    def _take(self) -> list[_Waiting]:
        taken, self._unwritten = self._unwritten, []
        self._enough = 1
        self._stirred.clear()
        return taken

    async def _gather(self) -> None:
        """Wait a moment until half of what connections are about to tell is here: a commit costs the same for all."""
        enough = (len(self._unwritten) + self._expected()) // 2
        if self._closing or len(self._unwritten) >= enough:
            return
        self._enough = enough
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_S):
                await self._stirred.wait()

    def close(self) -> None:
        """Write what is left and end."""
        self._closing = True
        self._stirred.set()

    def queue(self, delivery: Delivery, decided: Outcome, then: Callable[[], None], *, relay: str | None) -> None:
        """Queue an outcome for the next group; ``then``, which must not raise, is called once it is on disk."""
        self._unwritten.append((Written(delivery.id, delivery.claim or "", decided, relay), then))
        if len(self._unwritten) >= self._enough:
            self._stirred.set()

    async def _write_group(self, group: list[_Waiting]) -> None:
        changed = self._means.domains.untold()
        for tries in itertools.count():
            try:
                kept = await self._write(group, changed)
                break
            except StorageError as error:
                if tries % _TRIES_A_LINE == 0:
                    _log.error("outcomes_wait_for_database", waiting=len(group), reason=str(error))
            except Exception:  # noqa: BLE001 - a bug of ours; that a mail was sent must be on disk whatever else is not
                _log.exception("outcomes_not_written", waiting=len(group), next="without what the servers said")
                group = [(_bare(one), then) for one, then in group]
            await asyncio.sleep(RETRY_WRITE_S)
        self._means.domains.told(changed)
        if kept not in {len(group), -1}:
            _log.warning("claims_lost", written=kept, of=len(group))
        for _, then in group:
            then()

    async def _write(self, group: list[_Waiting], changed: Mapping[str, Breaker | None]) -> int:
        """Write a group with all that follows from it, in one transaction; return how many claims still held."""
        now = self._means.clock()
        since = min(self._looked_at, now) - _CLOCKS_APART  # the earlier: the clock may have been set back
        bad = [one.delivery_id for one, _ in group if one.outcome.suppress]
        if bad or changed:
            async with self._db.transaction() as tx:
                kept = await deliveries.record_outcomes(tx, [one for one, _ in group], now=now)
                if bad:
                    await suppressions.suppress_recipients(tx, delivery_ids=bad, now=now)
                if changed:
                    await breakers.keep_breakers(tx, changed)
                left = await left_since(tx, since)
            self._look(left, now)
            return kept
        async with self._db.prepared() as quick:
            if not self._means.domains.untold() and not any(one.outcome.suppress for one, _ in self._unwritten):
                group += self._take()  # what came while we waited for our turn to write
            kept = await deliveries.record_outcomes(quick, [one for one, _ in group], now=now)
            left = await left_since(quick, since)
        self._look(left, now)
        return kept

    def _look(self, left: set[int], now: datetime) -> None:
        """Keep who left; only now, for who left while nothing could be written must still be found."""
        self.left |= left
        self._looked_at = now


def _bare(one: Written) -> Written:
    return one._replace(outcome=one.outcome._replace(reply=None, suppress=False))
