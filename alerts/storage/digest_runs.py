"""Digest runs: many articles become one mail a subscriber, a key range of subscribers at a time.

So far only a flood that its operator releases as a digest makes one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import DeliveryKind, DeliveryState, Disposition, Frequency, Lane, SubscriptionState
from alerts.storage.engine import insert
from alerts.storage.fan_outs import next_readers, pausing
from alerts.storage.floods import Flood
from alerts.storage.schema import articles, deliveries, digest_runs, matches, subscriptions

_COLUMNS = ["kind", "lane", "subscriber_id", "digest_run_id", "state", "due_at", "dated_at"]
_IN_DIGEST = articles.c.disposition == Disposition.DIGEST.value


async def owe_digest_of_flood(tx: AsyncConnection, flood: Flood, *, now: datetime) -> None:
    """Write the run that a flood owes; a second time nothing happens."""
    row = {
        "frequency": Frequency.IMMEDIATE,  # those are its readers; the others get their own digests
        "time_zone": "UTC",
        "window_start_at": flood.began_at,
        "window_end_at": now,
        "created_at": now,
        "flood_id": flood.id,
    }
    await tx.execute(insert(tx, digest_runs).values(row).on_conflict_do_nothing())


async def unfinished_runs(tx: AsyncConnection, *, limit: int) -> list[int]:
    """Name the runs that still owe deliveries, the oldest first."""
    statement = select(digest_runs.c.id).where(digest_runs.c.finished_at.is_(None)).order_by(digest_runs.c.id)
    return list((await tx.scalars(statement.limit(limit))).all())


async def lock_run(tx: AsyncConnection, run_id: int) -> tuple[int, int] | None:
    """Hold a run for this transaction; return its flood and how far it came, None when it is finished or held."""
    statement = (
        select(digest_runs.c.flood_id, digest_runs.c.cursor)
        .where(digest_runs.c.id == run_id, digest_runs.c.finished_at.is_(None), digest_runs.c.flood_id.is_not(None))
        .with_for_update(skip_locked=True)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (row.flood_id, row.cursor)


async def waits_for_articles(tx: AsyncConnection, flood_id: int) -> bool:
    """Say whether an article of the flood was not asked about yet, or not reached by the decision about it."""
    unmatched = and_(articles.c.matched_at.is_(None), articles.c.set_aside.is_(None))
    is_held = articles.c.disposition == Disposition.HELD.value
    waiting = select(articles.c.id).where(articles.c.flood_id == flood_id, or_(unmatched, is_held))
    return await tx.scalar(waiting.limit(1)) is not None


async def run_range_end(tx: AsyncConnection, flood_id: int, *, after: int, size: int) -> int | None:
    """Find the key of the last of the next ``size`` subscribers of the flood's channels; None when there are none."""
    reached = (
        select(matches.c.channel_id)
        .join(articles, articles.c.id == matches.c.article_id)
        .where(articles.c.flood_id == flood_id, _IN_DIGEST)
        .distinct()
        .order_by(matches.c.channel_id)
    )
    return await next_readers(tx, list((await tx.scalars(reached)).all()), after=after, size=size)


async def owe_digests(tx: AsyncConnection, run_id: int, flood_id: int, *, after: int, up_to: int, now: datetime) -> int:
    """Write a delivery for each subscriber in (after, up_to] whom an article of the flood is for; return how many.

    As with an alert: for who subscribes to a channel at once since before it matched, and does not pause.
    """
    last = (
        select(matches.c.channel_id, func.max(matches.c.matched_at).label("matched_at"))
        .join(articles, articles.c.id == matches.c.article_id)
        .where(articles.c.flood_id == flood_id, _IN_DIGEST)
        .group_by(matches.c.channel_id)
        .subquery("last")
    )
    wanting = (
        select(
            literal(DeliveryKind.DIGEST.value),
            literal(int(Lane.DIGEST)),
            subscriptions.c.subscriber_id,
            literal(run_id),
            literal(DeliveryState.PENDING.value),
            literal(now, deliveries.c.due_at.type),
            literal(now, deliveries.c.dated_at.type),
        )
        .distinct()
        .select_from(subscriptions)
        .where(
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscriptions.c.frequency == Frequency.IMMEDIATE,
            subscriptions.c.subscriber_id > after,
            subscriptions.c.subscriber_id <= up_to,
            exists().where(
                last.c.channel_id == subscriptions.c.channel_id, last.c.matched_at >= subscriptions.c.activated_at
            ),
            subscriptions.c.subscriber_id.not_in(pausing(now)),
        )
    )
    statement = insert(tx, deliveries).from_select(_COLUMNS, wanting).on_conflict_do_nothing()
    return (await tx.execute(statement, execution_options={"preserve_rowcount": True})).rowcount


async def move_run(tx: AsyncConnection, run_id: int, *, cursor: int) -> None:
    """Remember that the subscribers up to ``cursor`` have their deliveries."""
    await tx.execute(update(digest_runs).where(digest_runs.c.id == run_id).values(cursor=cursor))


async def finish_run(tx: AsyncConnection, run_id: int, *, now: datetime) -> None:
    """Mark a run as finished."""
    await tx.execute(update(digest_runs).where(digest_runs.c.id == run_id).values(finished_at=now))
