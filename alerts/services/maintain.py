"""Maintain: bury silent workers and take their claims back; end what came too late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.core.deliveries import LIFETIMES
from alerts.core.model import SourceState
from alerts.storage import deliveries, polls, workers
from alerts.storage.engine import Database

SILENCE = timedelta(seconds=8)  # a worker not heard of for so long is dead, or must stop: see services.deliver
_AGES = timedelta(days=1)  # a lease that lapsed so long ago lapsed before any outage
_BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What one round mended."""

    buried: int
    rescued: int
    expired: int
    polls: int  # claims on sources, taken back
    sources: Mapping[SourceState, int]  # how many do how


async def rescue(db: Database, *, now: datetime, judging: bool = True) -> tuple[int, int]:
    """Bury workers that fell silent and return their claims to pending; return (buried, rescued).

    ``judging=False`` is for who was cut off from the database a moment ago: then the others were too, and what they
    have in flight is not theirs to repeat. Only the claims of workers that are known to be gone are taken back.
    """
    async with db.transaction() as tx:
        buried = await workers.bury(tx, silent_since=now - SILENCE) if judging else []
        alive = {worker.id for worker in await workers.living(tx)}
        orphaned = await deliveries.claim_holders(tx) - alive
        lapsed = now if judging else now - _AGES
        rescued = await deliveries.rescue(tx, dead=sorted(orphaned), now=lapsed)
    return len(buried), rescued


async def expire(db: Database, *, now: datetime) -> int:
    """End the deliveries that outlived their use; return how many."""
    total = 0
    for kind, lifetime in LIFETIMES.items():
        more = True
        while more:
            async with db.transaction() as tx:
                ended = await deliveries.expire(tx, kind=kind, dated_before=now - lifetime, now=now, limit=_BATCH)
            total += ended
            more = ended == _BATCH
    return total


async def maintain(db: Database, *, now: datetime, judging: bool = True) -> Maintained:
    """Do one round of all of it; ``judging`` as for ``rescue``."""
    buried, rescued = await rescue(db, now=now, judging=judging)
    async with db.transaction() as tx:
        living = {worker.id for worker in await workers.living(tx)}
        released = await polls.release_of_dead(tx, living=living)
        counted = await polls.count_by_state(tx)
    return Maintained(
        buried=buried, rescued=rescued, expired=await expire(db, now=now), polls=released, sources=counted
    )
