"""Rows of ``subscriptions``: who gets what. What an event leads to is decided in ``alerts.core.subscriptions``.

The fan-out to a million subscribers walks the index (channel_id, state, subscriber_id), so a state is compared with
``=`` and never computed here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import EndReason, Frequency, Subscription, SubscriptionState
from alerts.core.subscriptions import ENDINGS, Change, Event, states_left_by
from alerts.storage.engine import insert
from alerts.storage.fan_outs import pausing
from alerts.storage.schema import channels, confirmations, subscriptions


def _subscription(row: Row[Any]) -> Subscription:
    it = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Subscription(
        id=it["id"],
        subscriber_id=it["subscriber_id"],
        channel_id=it["channel_id"],
        channel_slug=it["slug"],
        channel_name=it["name"],
        state=SubscriptionState(it["state"]),
        frequency=Frequency(it["frequency"]),
        created_at=it["created_at"],
        activated_at=it["activated_at"],
        ended_at=it["ended_at"],
        end_reason=EndReason(it["end_reason"]) if it["end_reason"] else None,
    )


def _select() -> Select[Any]:
    return select(subscriptions, channels.c.slug, channels.c.name).select_from(subscriptions.join(channels))


async def subscriptions_of(tx: AsyncConnection, subscriber_ids: Collection[int]) -> list[Subscription]:
    """List what these subscribers subscribe to, or did, by subscriber and in the order of the channels."""
    statement = _select().where(subscriptions.c.subscriber_id.in_(subscriber_ids))
    ordered = statement.order_by(subscriptions.c.subscriber_id, channels.c.position, channels.c.id)
    return [_subscription(row) for row in (await tx.execute(ordered)).all()]


async def count_readers(
    tx: AsyncConnection, channel_ids: Collection[int], *, subscribed_by: datetime, now: datetime
) -> int:
    """Count those who get at once what one of these channels answers, each once: subscribed by then, not pausing."""
    statement = select(func.count(subscriptions.c.subscriber_id.distinct())).where(
        subscriptions.c.channel_id.in_(channel_ids),
        subscriptions.c.state == SubscriptionState.ACTIVE,
        subscriptions.c.frequency == Frequency.IMMEDIATE,
        subscriptions.c.activated_at <= subscribed_by,
        subscriptions.c.subscriber_id.not_in(pausing(now)),
    )
    return await tx.scalar(statement) or 0


async def write(tx: AsyncConnection, changes: Sequence[Change], *, now: datetime) -> None:
    """Write decided changes; the caller holds the subscribers' rows, so what they were decided on is still so."""
    if not changes:
        return
    statement = insert(tx, subscriptions)
    new = statement.excluded
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["subscriber_id", "channel_id"],
            set_={
                "state": new.state,
                "frequency": new.frequency,
                "activated_at": func.coalesce(new.activated_at, subscriptions.c.activated_at),
                "ended_at": None,
                "end_reason": None,
            },
        ),
        [_row(change, now) for change in changes],
    )


def _row(change: Change, now: datetime) -> dict[str, object]:
    return {
        "subscriber_id": change.subscriber_id,
        "channel_id": change.channel_id,
        "state": change.state,
        "frequency": change.frequency,
        "created_at": now,
        "activated_at": now if change.starts else None,
    }


async def confirm(tx: AsyncConnection, *, subscriber_id: int, channel_ids: Collection[int], now: datetime) -> int:
    """Make what a person confirmed active, from now on; what is active stays as it is. Return how many became so."""
    statement = update(subscriptions).where(
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.channel_id.in_(channel_ids),
        subscriptions.c.state.in_(states_left_by(Event.CONFIRMED)),
    )
    values = {"state": SubscriptionState.ACTIVE, "activated_at": now, "ended_at": None, "end_reason": None}
    return (await tx.execute(statement.values(values))).rowcount


async def end(
    tx: AsyncConnection,
    event: Event,
    *,
    subscriber_ids: Collection[int],
    channel_ids: Collection[int] | None = None,
    now: datetime,
) -> int:
    """End the subscriptions of these people (to these channels, or all); return how many it ended.

    ``event`` says why. What has ended before keeps its own time and reason.
    """
    statement = update(subscriptions).where(
        subscriptions.c.subscriber_id.in_(subscriber_ids), subscriptions.c.state.in_(states_left_by(event))
    )
    if channel_ids is not None:
        statement = statement.where(subscriptions.c.channel_id.in_(channel_ids))
    values = {"state": SubscriptionState.ENDED, "ended_at": now, "end_reason": ENDINGS[event]}
    return (await tx.execute(statement.values(values))).rowcount


async def take_back(tx: AsyncConnection, *, subscriber_id: int, ended_at: datetime) -> int:
    """Undo what a person ended at one moment, as if it had not been; return how many. What never was active stays."""
    statement = update(subscriptions).where(
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.ended_at == ended_at,
        subscriptions.c.end_reason == EndReason.UNSUBSCRIBED,
        subscriptions.c.activated_at.is_not(None),
        subscriptions.c.state.in_(states_left_by(Event.UNDONE)),
    )
    values = {"state": SubscriptionState.ACTIVE, "ended_at": None, "end_reason": None}
    return (await tx.execute(statement.values(values))).rowcount


async def set_frequency(
    tx: AsyncConnection, *, subscriber_id: int, channel_ids: Collection[int], frequency: Frequency
) -> int:
    """Change how often a person hears from these channels, where the subscription has not ended; return how many."""
    statement = update(subscriptions).where(
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.channel_id.in_(channel_ids),
        subscriptions.c.state != SubscriptionState.ENDED,
    )
    return (await tx.execute(statement.values(frequency=frequency))).rowcount


async def expire(tx: AsyncConnection, *, now: datetime, limit: int) -> int:
    """End pending subscriptions whose person has no open confirmation any more; return how many."""
    open_one = exists().where(
        confirmations.c.subscriber_id == subscriptions.c.subscriber_id,
        confirmations.c.confirmed_at.is_(None),
        confirmations.c.expires_at > now,
    )
    due = (
        select(subscriptions.c.id)
        .where(subscriptions.c.state.in_(states_left_by(Event.EXPIRED)), ~open_one)
        .limit(limit)
    )
    values = {"state": SubscriptionState.ENDED, "ended_at": now, "end_reason": ENDINGS[Event.EXPIRED]}
    return (await tx.execute(update(subscriptions).where(subscriptions.c.id.in_(due)).values(values))).rowcount


async def purge_expired(tx: AsyncConnection, *, asked_before: datetime, limit: int) -> int:
    """Remove expired subscriptions from before a moment that nobody ever confirmed; return how many."""
    old = (
        select(subscriptions.c.id)
        .where(
            subscriptions.c.state == SubscriptionState.ENDED,
            subscriptions.c.end_reason == EndReason.EXPIRED,
            subscriptions.c.activated_at.is_(None),
            subscriptions.c.created_at < asked_before,
        )
        .limit(limit)
    )
    return (await tx.execute(delete(subscriptions).where(subscriptions.c.id.in_(old)))).rowcount


async def any_begun_after(tx: AsyncConnection, moment: datetime) -> bool:
    """Say whether a subscription says that it began after a moment."""
    return bool(await tx.scalar(select(exists().where(_begun_after(moment)))))


async def begin_now(tx: AsyncConnection, *, begun_after: datetime, now: datetime) -> int:
    """Let those subscriptions begin now; return how many."""
    return (await tx.execute(update(subscriptions).where(_begun_after(begun_after)).values(activated_at=now))).rowcount


def _begun_after(moment: datetime) -> ColumnElement[bool]:
    return and_(subscriptions.c.state == SubscriptionState.ACTIVE, subscriptions.c.activated_at > moment)
