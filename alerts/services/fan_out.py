"""Fan out: turn a matched article into deliveries, one key range of subscribers a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.core.model import Lane
from alerts.queue import Enlist, Job, Step
from alerts.storage import fan_outs
from alerts.storage.engine import Database

RANGE = (
    5_000  # subscribers a transaction: long enough to be fast, short enough that senders and pages never wait for it
)
FIRST_RANGE = 500  # … and the first one shorter still, so that the first mail leaves at once


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """What one range gave; ``finished`` when the article owes nobody else."""

    created: int
    finished: bool


async def unfinished(db: Database, *, limit: int = 100) -> list[int]:
    """Name the articles that still owe deliveries."""
    async with db.reading() as tx:
        return await fan_outs.unfinished(tx, limit=limit)


async def fan_out(
    db: Database, article_id: int, *, now: datetime, size: int = RANGE, enlist: Enlist | None = None
) -> FannedOut:
    """Write the deliveries of the next ``size`` subscribers and move the cursor past them, in one transaction.

    ``enlist`` asks in it for their delivering.
    Running it again, anywhere, at any time, owes nobody twice: unique (subscriber, article).
    """
    async with db.transaction() as tx:
        after = await fan_outs.lock_cursor(tx, article_id)
        if after is None:
            return FannedOut(created=0, finished=True)
        up_to = await fan_outs.range_end(tx, article_id, after=after, size=size if after else min(size, FIRST_RANGE))
        if up_to is None:
            await fan_outs.finish(tx, article_id, now=now)
            return FannedOut(created=0, finished=True)
        created = await fan_outs.owe_alerts(tx, article_id, after=after, up_to=up_to, now=now)
        await fan_outs.move_cursor(tx, article_id, cursor=up_to)
        if created and enlist is not None:
            await enlist(tx, Job(Step.DELIVER, Lane.IMMEDIATE))
        return FannedOut(created=created, finished=False)
