"""Fan-outs: an article that owes mails becomes deliveries, a key range of subscribers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import DeliveryKind, DeliveryState, Frequency, Lane, SubscriptionState
from alerts.storage.engine import insert
from alerts.storage.schema import articles, deliveries, fan_outs, matches, subscribers, subscriptions
from alerts.storage.stories import told_before

#: Only a first row a subscriber and article is written, whatever ran before.
_COLUMNS = ["kind", "lane", "subscriber_id", "article_id", "state", "due_at", "dated_at"]


async def unfinished(tx: AsyncConnection, *, limit: int) -> list[int]:
    """Name the articles whose fan-out is not finished, the oldest first."""
    statement = (
        select(fan_outs.c.article_id)
        .where(fan_outs.c.finished_at.is_(None))
        .order_by(fan_outs.c.article_id)
        .limit(limit)
    )
    return list((await tx.scalars(statement)).all())


async def lock_cursor(tx: AsyncConnection, article_id: int) -> int | None:
    """Hold an article's fan-out for this transaction and return how far it came; None when it is finished or held."""
    statement = (
        select(fan_outs.c.cursor)
        .where(fan_outs.c.article_id == article_id, fan_outs.c.finished_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    cursor: int | None = await tx.scalar(statement)
    return cursor


async def range_end(tx: AsyncConnection, article_id: int, *, after: int, size: int) -> int | None:
    """Find the key of the last of the next ``size`` subscribers who want this article; None when there are none."""
    return await next_readers(tx, await _channels(tx, article_id), after=after, size=size)


async def next_readers(tx: AsyncConnection, channel_ids: Sequence[int], *, after: int, size: int) -> int | None:
    """Find the key of the last of the next ``size`` subscribers to some channels; None when there are none.

    Each channel is walked on its own index range, so the cost is that of the rows returned.
    """
    wanted = [
        select(subscriptions.c.subscriber_id)
        .where(
            subscriptions.c.channel_id == channel_id,
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscriptions.c.subscriber_id > after,
        )
        .order_by(subscriptions.c.subscriber_id)
        .limit(size)
        .subquery()
        for channel_id in channel_ids
    ]
    if not wanted:
        return None
    keys = select(wanted[0].c.subscriber_id)
    merged = keys.union(*(select(one.c.subscriber_id) for one in wanted[1:])).subquery() if wanted[1:] else wanted[0]
    first = select(merged.c.subscriber_id).order_by(merged.c.subscriber_id).limit(size).subquery()
    end: int | None = await tx.scalar(select(func.max(first.c.subscriber_id)))
    return end


async def _channels(tx: AsyncConnection, article_id: int) -> list[int]:
    return list((await tx.scalars(select(matches.c.channel_id).where(matches.c.article_id == article_id))).all())


async def owe_alerts(tx: AsyncConnection, article_id: int, *, after: int, up_to: int, now: datetime) -> int:
    """Write a delivery for each subscriber in (after, up_to] who wants this article at once; return how many are new.

    Who subscribed after the article was matched gets nothing: a new subscription starts now. Nor does who pauses, nor
    whom another source's article told the story already.
    """
    told = await _told(tx, article_id, after=after, up_to=up_to)
    wanting = (
        select(
            literal(DeliveryKind.ALERT.value),
            literal(int(Lane.IMMEDIATE)),
            subscriptions.c.subscriber_id,
            literal(article_id),
            literal(DeliveryState.PENDING.value),
            literal(now, deliveries.c.due_at.type),
            literal(now, deliveries.c.dated_at.type),
        )
        .distinct()
        .select_from(subscriptions)
        .join(articles, articles.c.id == article_id)
        .where(
            subscriptions.c.channel_id.in_(await _channels(tx, article_id)),
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscriptions.c.frequency == Frequency.IMMEDIATE,
            subscriptions.c.subscriber_id > after,
            subscriptions.c.subscriber_id <= up_to,
            subscriptions.c.activated_at <= articles.c.matched_at,
            subscriptions.c.subscriber_id.not_in(pausing(now)),
            *([subscriptions.c.subscriber_id.not_in(told)] if told is not None else []),
        )
    )
    statement = insert(tx, deliveries).from_select(_COLUMNS, wanting).on_conflict_do_nothing()
    return (await tx.execute(statement, execution_options={"preserve_rowcount": True})).rowcount


def pausing(now: datetime) -> Select[tuple[int]]:
    """Ask for those who get no alerts now, by their own wish."""
    return select(subscribers.c.id).where(
        subscribers.c.paused_until_at.is_not(None), subscribers.c.paused_until_at > now
    )


async def _told(tx: AsyncConnection, article_id: int, *, after: int, up_to: int) -> Select[tuple[int]] | None:
    """Ask which subscribers another article of the same story was for before; None where there is none."""
    told = await told_before(tx, article_id)
    if not told:
        return None
    return (
        select(subscriptions.c.subscriber_id)
        .join(matches, matches.c.channel_id == subscriptions.c.channel_id)
        .where(
            matches.c.article_id.in_(told),
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscriptions.c.frequency == Frequency.IMMEDIATE,
            subscriptions.c.activated_at <= matches.c.matched_at,
            subscriptions.c.subscriber_id > after,
            subscriptions.c.subscriber_id <= up_to,
        )
    )


async def move_cursor(tx: AsyncConnection, article_id: int, *, cursor: int) -> None:
    """Remember that the subscribers up to ``cursor`` have their deliveries."""
    await tx.execute(update(fan_outs).where(fan_outs.c.article_id == article_id).values(cursor=cursor))


async def finish(tx: AsyncConnection, article_id: int, *, now: datetime) -> None:
    """Mark an article's fan-out as finished."""
    await tx.execute(update(fan_outs).where(fan_outs.c.article_id == article_id).values(finished_at=now))
