"""Retention: what was finished long ago becomes counts, so that a ledger's size follows its readers, not its age.

Articles and matches stay: unsubscribe links in mails of any age are read by them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage import confirmations, delivery_counts
from alerts.storage.engine import Database

BATCH = 2_000  # rows a transaction: some hundredths of a second, which no sender and no page notices
_BATCHES = 50  # a call; then the caller may stop, or come back for more
_BREATH_S = 0.02  # between batches, so that other processes' writers get their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What one call removed; ``more`` when it left some for the next."""

    deliveries: int  # finished ones, now counts
    confirmations: int  # confirmed long ago
    more: bool


async def retain(
    db: Database, *, keep: timedelta | None, now: datetime, size: int = BATCH, batches: int = _BATCHES
) -> Retained:
    """Roll finished deliveries older than ``keep`` into counts and remove as old confirmed requests; None keeps all.

    Bounded: ``batches`` transactions of ``size`` rows at most, each whole by itself.
    """
    if keep is None:
        return Retained(deliveries=0, confirmations=0, more=False)
    before = now - keep

    async def roll_up(tx: AsyncConnection) -> int:
        return await delivery_counts.roll_up(tx, finished_before=before, limit=size)

    async def purge(tx: AsyncConnection) -> int:
        return await confirmations.purge_confirmed(tx, confirmed_before=before, limit=size)

    rolled, more_rolled = await _in_batches(db, roll_up, size=size, batches=batches)
    purged, more_purged = await _in_batches(db, purge, size=size, batches=batches)
    return Retained(deliveries=rolled, confirmations=purged, more=more_rolled or more_purged)


async def _in_batches(
    db: Database, batch: Callable[[AsyncConnection], Awaitable[int]], *, size: int, batches: int
) -> tuple[int, bool]:
    """Run a batch, a transaction each, until one is not full; return the rows of all, and whether some are left."""
    total = 0
    for _ in range(batches):
        async with db.transaction() as tx:
            done = await batch(tx)
        total += done
        if done < size:
            return total, False
        await asyncio.sleep(_BREATH_S)
    return total, True
