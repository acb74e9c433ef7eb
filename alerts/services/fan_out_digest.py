"""Fan out a digest: turn its run into deliveries, one key range of subscribers a transaction, as alerts are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.core.model import Lane
from alerts.queue import Enlist, Job, Step
from alerts.storage import digest_runs
from alerts.storage.engine import Database

RANGE = 5_000  # subscribers a transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestFannedOut:
    """What one range gave; ``finished`` when the run owes nobody else, or nothing can be done about it now."""

    created: int
    finished: bool


async def unfinished_digests(db: Database, *, limit: int = 100) -> list[int]:
    """Name the runs that still owe deliveries."""
    async with db.reading() as tx:
        return await digest_runs.unfinished_runs(tx, limit=limit)


async def fan_out_digest(
    db: Database, run_id: int, *, now: datetime, size: int = RANGE, enlist: Enlist | None = None
) -> DigestFannedOut:
    """Write the deliveries of the next ``size`` subscribers and move the cursor past them, in one transaction.

    A run whose articles are not all matched, or not all decided about, waits for that: a later call goes on. Running it
    again, anywhere, at any time, owes nobody twice: unique (run, subscriber).
    """
    async with db.transaction() as tx:
        held = await digest_runs.lock_run(tx, run_id)
        if held is None or await digest_runs.waits_for_articles(tx, held[0]):
            return DigestFannedOut(created=0, finished=True)
        flood_id, after = held
        up_to = await digest_runs.run_range_end(tx, flood_id, after=after, size=size)
        if up_to is None:
            await digest_runs.finish_run(tx, run_id, now=now)
            return DigestFannedOut(created=0, finished=True)
        created = await digest_runs.owe_digests(tx, run_id, flood_id, after=after, up_to=up_to, now=now)
        await digest_runs.move_run(tx, run_id, cursor=up_to)
        if created and enlist is not None:
            await enlist(tx, Job(Step.DELIVER, Lane.DIGEST))
        return DigestFannedOut(created=created, finished=False)
