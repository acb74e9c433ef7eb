"""Maintain: bury silent workers and take their claims back; end what came too late.

Nobody is judged by what a clock on the wall says: it may be set, and other machines have others. Whoever maintains
has listened, and judges by how long it has heard nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.core.deliveries import LIFETIMES
from alerts.core.model import SourceState
from alerts.core.silence import Silence
from alerts.storage import deliveries, polls, workers
from alerts.storage.engine import Database

SILENCE = timedelta(seconds=8)  # a worker not heard of for so long is dead, or must stop: see services.deliver
STUCK = timedelta(minutes=15)  # a claim seen past its lease for so long is nobody's, though its worker lives
_BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a process knows by listening, at ``at_s`` of a clock that never goes back."""

    silent: Mapping[str, datetime]  # the workers not heard of for ``SILENCE``, with their last heartbeats
    claims: Silence[str]  # since when it has seen claims past their leases; kept from round to round
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What one round mended."""

    buried: int
    rescued: int
    expired: int
    polls: int  # claims on sources, taken back
    sources: Mapping[SourceState, int]  # how many do how


async def rescue(db: Database, *, now: datetime, heard: Heard | None = None) -> tuple[int, int]:
    """Bury workers that fell silent and return their claims to pending; return (buried, rescued).

    None for ``heard`` is for who was cut off from the database a moment ago: then the others were too, and what they
    have in flight is not theirs to repeat. Only the claims of workers that are known to be gone are taken back.
    """
    async with db.transaction() as tx:
        buried, stuck = 0, set[str]()
        if heard is not None:
            buried = await workers.bury(tx, heard.silent)
            lapsed = await deliveries.lapsed_claims(tx, now=now)
            stuck = heard.claims.hear(dict.fromkeys(lapsed), at_s=heard.at_s)
        alive = {worker.id for worker in await workers.living(tx)}
        orphaned = await deliveries.claim_holders(tx) - alive
        rescued = await deliveries.rescue(tx, dead=sorted(orphaned), claims=sorted(stuck))
    return buried, rescued


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


async def maintain(db: Database, *, now: datetime, heard: Heard | None = None) -> Maintained:
    """Do one round of all of it; ``heard`` as for ``rescue``."""
    buried, rescued = await rescue(db, now=now, heard=heard)
    async with db.transaction() as tx:
        living = {worker.id for worker in await workers.living(tx)}
        released = await polls.release_of_dead(tx, living=living)
        counted = await polls.count_by_state(tx)
    return Maintained(
        buried=buried, rescued=rescued, expired=await expire(db, now=now), polls=released, sources=counted
    )
