"""Decide a flood: say what is held and whom it would reach, then release it, release it as one digest, or drop it.

The decision is one transaction, and of two operators the first decides. What it makes of the articles is done some at a
time, so that 50,000 of them keep no sender and no page waiting; killed in its midst, the next round of maintenance goes
on with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import InputError, NotFoundError
from alerts.core.model import FloodDecision, Source
from alerts.storage import channels, digest_runs, floods, sources, subscriptions
from alerts.storage.engine import Database
from alerts.storage.floods import Flood

RANGE = 1_000  # articles changed in one transaction: a few hundredths of a second

_EXACT = 200  # sets of channels whose readers are counted one by one; beyond that a reader may count twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a flood holds, and what its release would cause."""

    source: Source
    flood: Flood
    channels: tuple[tuple[str, int], ...]  # slugs, and how many articles answer each; the most first
    mails: int  # released as usual, at most
    digests: int  # released as digest: one a subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of a flood; ``articles`` is 0 where somebody had decided the same before."""

    decision: FloodDecision
    decided_at: datetime
    articles: int


async def held_sources(db: Database) -> dict[int, Flood]:
    """Find the floods that wait for a decision, by source."""
    async with db.reading() as tx:
        return await floods.undecided(tx)


async def find_flood(db: Database, name: str) -> tuple[Source, Flood | None]:
    """Find a source and its newest flood, decided or not; raise NotFoundError when there is no such source."""
    async with db.reading() as tx:
        source = await _source(tx, name)
        return source, await floods.last_flood(tx, source.id)


async def reach_of_flood(db: Database, name: str, *, now: datetime) -> Reach:
    """Count what a source's undecided flood holds and whom it would reach.

    Raise NotFoundError when there is no such source, InputError when nothing of it is held.
    """
    async with db.reading() as tx:
        source = await _source(tx, name)
        flood = (await floods.undecided(tx, [source.id])).get(source.id)
        if flood is None:
            raise InputError(await _nothing_held(tx, source))
        reached = await floods.channels_reached(tx, flood.id)
        slugs = {one.id: one.slug for one in await channels.channels_by_ids(tx, _all_of(reached))}
        answering: Counter[str] = Counter()
        for count, ids, _ in reached:
            answering.update({slugs[key]: count for key in ids if key in slugs})
        return Reach(
            source=source,
            flood=flood,
            channels=tuple(answering.most_common()),
            mails=await _count_mails(tx, reached, now=now),
            digests=await _count_readers(tx, reached, now=now),
        )


async def decide_flood(
    db: Database,
    flood_id: int,
    decision: FloodDecision,
    *,
    now: datetime,
    size: int = RANGE,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Decided:
    """Release a flood, release it as a digest, or drop it; doing the same again changes nothing, or goes on with it.

    Mails go to those who subscribed before the articles were matched and still do. ``size`` articles are changed in a
    transaction; ``on_progress`` hears after each how many are done. Raise InputError when it was decided otherwise
    meanwhile, NotFoundError when there is no such flood.
    """
    async with db.transaction() as tx:
        flood = await floods.flood_by_id(tx, flood_id)
        if flood is None:
            raise NotFoundError(f"there is no flood {flood_id}")
        is_first = await floods.decide(tx, flood, decision, now=now)
        if is_first and decision is FloodDecision.DIGEST:
            await digest_runs.owe_digest_of_flood(tx, flood, now=now)
        after = await floods.flood_by_id(tx, flood_id) or flood
    if after.decision is not decision or after.decided_at is None:
        raise InputError(f"meanwhile it was decided otherwise: {after.decision}, {_at(after.decided_at)}")
    await _apply(db, flood_id, now=now, size=size, on_progress=on_progress)
    return Decided(decision=decision, decided_at=after.decided_at, articles=after.articles if is_first else 0)


async def go_on_deciding(db: Database, *, now: datetime) -> int:
    """Finish what somebody decided and did not live to finish; return how many articles were left."""
    async with db.reading() as tx:
        unfinished = await floods.unfinished_decisions(tx)
    return sum([await _apply(db, flood_id, now=now) for flood_id in unfinished])


async def _apply(
    db: Database,
    flood_id: int,
    *,
    now: datetime,
    size: int = RANGE,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> int:
    """Do what was decided with every article of a flood, ``size`` a transaction; return how many it were."""
    began, done = monotonic(), 0
    while True:
        # The time of each range, for what is told first is read off it (decision 42).
        at = now + timedelta(seconds=monotonic() - began)
        async with db.transaction() as tx:
            changed = await floods.apply_decision(tx, flood_id, limit=size, now=at)
        if not changed:
            return done
        done += changed
        on_progress(done)


async def _source(tx: AsyncConnection, name: str) -> Source:
    source = await sources.source_by_name(tx, name)
    if source is None:
        raise NotFoundError(f"there is no source named {name}; `alerts sources list` names them")
    return source


async def _nothing_held(tx: AsyncConnection, source: Source) -> str:
    last = await floods.last_flood(tx, source.id)
    if last is None or last.decision is None:
        return f"nothing of {source.name} is held"
    return (
        f"nothing of {source.name} is held; its last flood ({last.articles} articles since {_at(last.began_at)}) "
        f"was decided {_at(last.decided_at)}: {last.decision.value}"
    )


def _at(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def _all_of(reached: list[tuple[int, frozenset[int], datetime | None]]) -> list[int]:
    return sorted(frozenset().union(*(ids for _, ids, _ in reached)))


async def _count_mails(
    tx: AsyncConnection, reached: list[tuple[int, frozenset[int], datetime | None]], *, now: datetime
) -> int:
    """Count the mails of a release, readers of several channels once an article; at most, beyond ``_EXACT`` sets."""
    mails = 0
    for place, (count, ids, last) in enumerate(sorted(reached, key=lambda one: -one[0])):
        groups = [ids] if place < _EXACT else [frozenset({key}) for key in ids]
        for group in groups:
            mails += count * await subscriptions.count_readers(tx, group, subscribed_by=last or now, now=now)
    return mails


async def _count_readers(
    tx: AsyncConnection, reached: list[tuple[int, frozenset[int], datetime | None]], *, now: datetime
) -> int:
    """Count who would get a digest."""
    last_at = max((last for _, _, last in reached if last), default=now)
    return await subscriptions.count_readers(tx, _all_of(reached), subscribed_by=last_at, now=now)
