"""Rows of floods: a source brought far more than its habit, so its new articles are held until the operator decides.

An undecided flood takes up what its source brings as long as the last 24 hours brought more than the limit. A source
that is calm again is mailed as usual, while what was held goes on waiting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.floods import DAYS, WINDOW, Habit, is_flood, limit, never_floods
from alerts.core.model import Disposition, FloodDecision, Source
from alerts.storage.engine import insert
from alerts.storage.schema import articles, fan_outs, floods, matches, sources

_HELD = articles.c.disposition == Disposition.HELD.value
_MAILED = (Disposition.ALERT.value, Disposition.REPEATED.value)  # or would have been, had no other source told it first
_BROUGHT = (*_MAILED, Disposition.HELD.value)
_DECIDED = {
    FloodDecision.RELEASED: Disposition.ALERT,
    FloodDecision.DIGEST: Disposition.DIGEST,
    FloodDecision.DROPPED: Disposition.DROPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A flood that new articles go to."""

    flood_id: int
    most: int  # the limit that was passed
    began: bool  # by this very batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A flood as it stands."""

    id: int
    source_id: int
    began_at: datetime
    most: int
    articles: int  # held in it, or once held
    decision: FloodDecision | None
    decided_at: datetime | None


async def room(tx: AsyncConnection, source: Source, *, now: datetime) -> int | None:
    """Say how many more articles a source may bring now before it is held; None: as many as it likes."""
    most = limit(source.flood, await _habit(tx, source.id, now=now))
    return None if most is None else max(0, most - await _lately(tx, source.id, now=now))


async def hold_flood(tx: AsyncConnection, source: Source, *, coming: int, now: datetime) -> Holding | None:
    """Decide whether ``coming`` new articles are held, and begin the flood if there is none; None: mail them.

    The flood's row stays locked until the commit, so that no decision about it passes these articles by.
    """
    lately = await _lately(tx, source.id, now=now)
    if never_floods(source.flood, lately + coming):
        return None
    most = limit(source.flood, await _habit(tx, source.id, now=now))
    if most is None or not is_flood(lately=lately, coming=coming, most=most):
        return None
    statement = insert(tx, floods).values(source_id=source.id, began_at=now, most=most).on_conflict_do_nothing()
    began = await tx.scalar(statement.returning(floods.c.id))
    if began is not None:
        return Holding(flood_id=began, most=most, began=True)
    open_one = select(floods.c.id, floods.c.most).where(floods.c.source_id == source.id, floods.c.decided_at.is_(None))
    found = (await tx.execute(open_one.with_for_update())).one_or_none()
    if found is None:  # decided between the two statements: the count begins anew
        return None
    return Holding(flood_id=found.id, most=found.most, began=False)


async def count_from(tx: AsyncConnection, source_id: int, *, now: datetime) -> None:
    """Let what a source brought until now count to no flood any more."""
    await tx.execute(update(sources).where(sources.c.id == source_id).values(flood_from_at=now))


async def undecided(tx: AsyncConnection, source_ids: Collection[int] | None = None) -> dict[int, Flood]:
    """Find the floods that wait for a decision, by source; of these sources only, if given."""
    statement = _select().where(floods.c.decided_at.is_(None))
    if source_ids is not None:
        statement = statement.where(floods.c.source_id.in_(source_ids))
    return {row.source_id: _flood(row) for row in (await tx.execute(statement)).all()}


async def flood_by_id(tx: AsyncConnection, flood_id: int) -> Flood | None:
    """Find one flood."""
    row = (await tx.execute(_select().where(floods.c.id == flood_id))).one_or_none()
    return _flood(row) if row else None


async def last_flood(tx: AsyncConnection, source_id: int) -> Flood | None:
    """Find a source's newest flood, decided or not."""
    newest = select(func.max(floods.c.id)).where(floods.c.source_id == source_id).scalar_subquery()
    row = (await tx.execute(_select().where(floods.c.id == newest))).one_or_none()
    return _flood(row) if row else None


async def channels_reached(tx: AsyncConnection, flood_id: int) -> list[tuple[int, frozenset[int], datetime | None]]:
    """List the held articles' sets of channels: how many articles answer each set, and when the last was matched."""
    rows = await tx.execute(
        select(articles.c.id, articles.c.matched_at, matches.c.channel_id)
        .join(matches, matches.c.article_id == articles.c.id)
        .where(articles.c.flood_id == flood_id, _HELD)
    )
    by_article: dict[int, tuple[datetime | None, set[int]]] = {}
    for article_id, matched_at, channel_id in rows:
        by_article.setdefault(article_id, (matched_at, set()))[1].add(channel_id)
    sets: dict[frozenset[int], tuple[int, datetime | None]] = {}
    for matched_at, channel_ids in by_article.values():
        count, last = sets.get(frozenset(channel_ids), (0, None))
        sets[frozenset(channel_ids)] = count + 1, max(filter(None, (last, matched_at)), default=None)
    return [(count, channel_ids, last) for channel_ids, (count, last) in sets.items()]


async def decide(tx: AsyncConnection, flood: Flood, decision: FloodDecision, *, now: datetime) -> bool:
    """Write a decision; say whether it is the first. What it makes of the articles is for ``apply_decision``.

    Locked in the order of a poll: the source, then its flood. A poll that took the flood alone still has to store
    articles, which refer to the source: so its key is left free (``key_share``).
    """
    mine = select(sources.c.id).where(sources.c.id == flood.source_id)
    await tx.execute(mine.with_for_update(key_share=True))
    won = await tx.execute(
        update(floods)
        .where(floods.c.id == flood.id, floods.c.decided_at.is_(None))
        .values(decision=decision.value, decided_at=now)
    )
    if not won.rowcount:
        return False
    await count_from(tx, flood.source_id, now=now)
    return True


async def apply_decision(tx: AsyncConnection, flood_id: int, *, limit: int, now: datetime) -> int:
    """Do what was decided with the next ``limit`` held articles, in the order of their ids; return how many. 0: done.

    Those of a released flood owe their fan-outs from here on; one that waits to be matched will by itself. The flood's
    row is held, so that two who do this take turns; the articles are locked in the order of a match.
    """
    decided = select(floods.c.decision).where(floods.c.id == flood_id, floods.c.decided_at.is_not(None))
    decision = await tx.scalar(decided.with_for_update())
    if decision is None:
        return 0
    held = select(articles.c.id).where(articles.c.flood_id == flood_id, _HELD).order_by(articles.c.id).limit(limit)
    ids = list(await tx.scalars(held.with_for_update()))
    if not ids:
        return 0
    changed = update(articles).where(articles.c.id.in_(ids))
    await tx.execute(changed.values(disposition=_DECIDED[FloodDecision(decision)].value))
    if decision == FloodDecision.RELEASED:
        owing = select(articles.c.id, literal(now, fan_outs.c.created_at.type)).where(
            articles.c.id.in_(ids),
            articles.c.matched_at.is_not(None),
            exists().where(matches.c.article_id == articles.c.id),
        )
        await tx.execute(insert(tx, fan_outs).from_select(["article_id", "created_at"], owing).on_conflict_do_nothing())
    return len(ids)


async def unfinished_decisions(tx: AsyncConnection) -> list[int]:
    """Name the decided floods that still hold articles: whoever decided died in the midst, or is at it just now.

    Articles are changed in the order of their ids, so the last one tells.
    """
    last = (
        select(articles.c.disposition)
        .where(articles.c.flood_id == floods.c.id)
        .order_by(articles.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    decided = select(floods.c.id).where(floods.c.decided_at.is_not(None), last == Disposition.HELD.value)
    return list(await tx.scalars(decided.order_by(floods.c.id)))


async def _lately(tx: AsyncConnection, source_id: int, *, now: datetime) -> int:
    """Count what a source brought in the window that ends now, mailed or held, since it last began to count."""
    counted_from = select(sources.c.flood_from_at).where(sources.c.id == source_id)
    since: datetime | None = await tx.scalar(counted_from)
    statement = _brought(source_id, _BROUGHT).where(articles.c.first_seen_at > now - WINDOW)
    if since is not None:
        statement = statement.where(articles.c.first_seen_at > since)
    return await tx.scalar(statement) or 0


async def _habit(tx: AsyncConnection, source_id: int, *, now: datetime) -> Habit:
    """Read a source's habit off what was mailed of it; its first batch is what there was, and tells of no day."""
    first: datetime | None = await tx.scalar(
        select(func.min(articles.c.first_seen_at)).where(articles.c.source_id == source_id)
    )
    if first is None:
        return Habit(days=(), age=timedelta(0))
    mailed = _brought(source_id, _MAILED).where(articles.c.first_seen_at > first)
    days = [
        mailed.where(
            and_(articles.c.first_seen_at > now - (day + 1) * WINDOW, articles.c.first_seen_at <= now - day * WINDOW)
        ).scalar_subquery()
        for day in range(1, DAYS + 1)
    ]
    return Habit(days=tuple((await tx.execute(select(*days))).one()), age=now - first)


def _brought(source_id: int, dispositions: Sequence[str]) -> Select[Any]:
    return (
        select(func.count())
        .select_from(articles)
        .where(articles.c.source_id == source_id, articles.c.disposition.in_(dispositions))
    )


def _select() -> Select[Any]:
    held = select(func.count()).where(articles.c.flood_id == floods.c.id).scalar_subquery()
    return select(floods, held.label("articles"))


def _flood(row: Row[Any]) -> Flood:
    return Flood(
        id=row.id,
        source_id=row.source_id,
        began_at=row.began_at,
        most=row.most,
        articles=row.articles,
        decision=FloodDecision(row.decision) if row.decision else None,
        decided_at=row.decided_at,
    )
