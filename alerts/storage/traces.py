"""What became of one article for one subscriber: a look back for `explain`; nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import DeliveryKind, DeliveryState, Lane
from alerts.storage.delivery_counts import is_counted
from alerts.storage.schema import articles, deliveries, digest_runs, fan_outs, matches, repeats, subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an article came."""

    matched_at: datetime | None
    set_aside: str | None  # the reason
    owes: bool  # it has a fan-out
    fanned_out_at: datetime | None
    repeats: bool  # another source told its story in a channel that it answers
    counted: bool  # deliveries of it are no longer kept, but counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The delivery of an article to a subscriber."""

    delivery_id: int
    state: DeliveryState
    due_at: datetime
    finished_at: datetime | None
    attempts: int
    reply: str | None
    in_digest: bool  # the digest of a flood that the article was held in
    lane: Lane
    dated_at: datetime  # when it first became due
    faults: int
    in_doubt: bool  # a connection dropped after the final dot
    worker: str | None  # who claimed it
    lease_until: datetime | None
    relay: str | None  # that gave the reply


async def progress_of(tx: AsyncConnection, article_id: int) -> Progress | None:
    """Return how far an article came, or None if there is no such article."""
    query = (
        select(
            articles.c.matched_at,
            articles.c.set_aside,
            fan_outs.c.article_id.is_not(None).label("owes"),
            fan_outs.c.finished_at.label("fanned_out_at"),
            exists().where(repeats.c.article_id == articles.c.id).label("repeats"),
        )
        .outerjoin(fan_outs, fan_outs.c.article_id == articles.c.id)
        .where(articles.c.id == article_id)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else Progress(**row._asdict(), counted=await is_counted(tx, article_id))


async def trace_of(tx: AsyncConnection, *, article_id: int, subscriber_id: int) -> Trace | None:
    """Return the delivery of this article to this subscriber, or None if none was owed."""
    query = select(deliveries).where(deliveries.c.article_id == article_id, deliveries.c.subscriber_id == subscriber_id)
    row = (await tx.execute(query)).one_or_none() or await _digest_of(tx, article_id, subscriber_id)
    return None if row is None else _to_trace(row)


async def confirmation_of(tx: AsyncConnection, subscriber_id: int) -> Trace | None:
    """Return the last mail that asked this subscriber for a confirmation, or None if there is none (any more)."""
    asks = (deliveries.c.subscriber_id == subscriber_id) & (deliveries.c.kind == DeliveryKind.CONFIRMATION.value)
    row = (await tx.execute(select(deliveries).where(asks).order_by(deliveries.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else _to_trace(row)


def _to_trace(row: Row[Any]) -> Trace:
    return Trace(
        delivery_id=row.id,
        state=DeliveryState(row.state),
        due_at=row.due_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
        reply=row.reply,
        in_digest=row.article_id is None,
        lane=Lane(row.lane),
        dated_at=row.dated_at,
        faults=row.faults,
        in_doubt=row.in_doubt,
        worker=row.worker_id if row.state == DeliveryState.CLAIMED.value else None,
        lease_until=row.lease_until if row.state == DeliveryState.CLAIMED.value else None,
        relay=row.relay,
    )


async def _digest_of(tx: AsyncConnection, article_id: int, subscriber_id: int) -> Row[Any] | None:
    """Find the digest by which this article went to this subscriber: they follow a channel that it matched."""
    query = (
        select(deliveries)
        .join(digest_runs, digest_runs.c.id == deliveries.c.digest_run_id)
        .join(articles, articles.c.flood_id == digest_runs.c.flood_id)
        .join(matches, matches.c.article_id == articles.c.id)
        .join(subscriptions, subscriptions.c.channel_id == matches.c.channel_id)
        .where(articles.c.id == article_id, deliveries.c.subscriber_id == subscriber_id)
        .where(subscriptions.c.subscriber_id == subscriber_id, subscriptions.c.created_at <= matches.c.matched_at)
        .limit(1)
    )
    return (await tx.execute(query)).one_or_none()
