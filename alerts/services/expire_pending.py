"""Expire pending: requests that nobody confirmed end after 48 h, and are gone within 7 days (C1).

With them goes what forms left behind against bots once it counts no more: budgets and spent proofs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.subscriptions import PURGE_AFTER
from alerts.storage import budgets, confirmations, owed, spent_proofs, subscribers, subscriptions
from alerts.storage.engine import Database

_BATCH = 1_000  # rows a transaction, so that nobody waits long for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What one round ended and removed."""

    ended: int  # subscriptions
    purged: int  # people who never confirmed anything


async def expire_pending(db: Database, *, now: datetime) -> Expired:
    """End what was not confirmed in time and remove what is older; to be called hourly: it looks at every row."""
    asked_before = now - PURGE_AFTER

    async def purge_people(tx: AsyncConnection) -> int:
        await subscribers.never_confirmed(tx, added_before=asked_before, limit=_BATCH)  # holds their rows …
        ids = await subscribers.never_confirmed(tx, added_before=asked_before, limit=_BATCH)  # … and is still true now
        await owed.cancel_all(tx, ids, now=now)
        await owed.forget_replies(tx, ids)
        await subscribers.erase(tx, ids)
        return len(ids)

    ended = await _all(db, lambda tx: subscriptions.expire(tx, now=now, limit=_BATCH))
    await _all(db, lambda tx: confirmations.purge(tx, asked_before=asked_before, limit=_BATCH))
    await _all(db, lambda tx: subscriptions.purge_expired(tx, asked_before=asked_before, limit=_BATCH))
    await _all(db, lambda tx: budgets.purge(tx, now=now, limit=_BATCH))
    await _all(db, lambda tx: spent_proofs.purge(tx, now=now, limit=_BATCH))
    return Expired(ended=ended, purged=await _all(db, purge_people))


async def _all(db: Database, batch: Callable[[AsyncConnection], Awaitable[int]]) -> int:
    """Run a batch, a transaction each, until one is not full; return how many rows they changed together."""
    total, last = 0, _BATCH
    while last == _BATCH:
        async with db.transaction() as tx:
            last = await batch(tx)
        total += last
    return total
