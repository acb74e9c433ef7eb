"""Deliveries as the people's side sees them: a confirmation is owed, what nobody wants any more is dropped.

Claiming and sending them is ``alerts.storage.deliveries``; a claimed one is left alone here (U3).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import exists, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.deliveries import LANES, LIFETIMES
from alerts.core.model import DeliveryKind, DeliveryState, Frequency, SubscriptionState
from alerts.storage.engine import insert
from alerts.storage.schema import deliveries, matches, subscriptions


async def owe_confirmation(tx: AsyncConnection, *, subscriber_id: int, confirmation_id: int, now: datetime) -> None:
    """Write the delivery of a confirmation, due now; a second time nothing happens."""
    await owe_confirmations(tx, [(subscriber_id, confirmation_id)], now=now)


async def owe_confirmations(
    tx: AsyncConnection,
    asked: Sequence[tuple[int, int]],
    *,
    now: datetime,
    kind: DeliveryKind = DeliveryKind.CONFIRMATION,
) -> None:
    """Write what confirmations given as (subscriber id, confirmation id) owe, due now: one mail of a kind for each."""
    rows = [
        {**_due(kind, subscriber_id, now), "confirmation_id": confirmation_id}
        for subscriber_id, confirmation_id in asked
    ]
    if rows:
        await tx.execute(insert(tx, deliveries).on_conflict_do_nothing(), rows)


async def owe_manage_link(tx: AsyncConnection, *, subscriber_id: int, now: datetime) -> None:
    """Write the delivery of a link to the preferences, due now."""
    await tx.execute(insert(tx, deliveries).values(_due(DeliveryKind.MANAGE_LINK, subscriber_id, now)))


async def owe_test(tx: AsyncConnection, *, subscriber_id: int, now: datetime) -> int:
    """Write the delivery of a test mail, due now; return its id."""
    row = _due(DeliveryKind.TEST, subscriber_id, now)
    return int((await tx.execute(insert(tx, deliveries).values(row).returning(deliveries.c.id))).scalar_one())


def _due(kind: DeliveryKind, subscriber_id: int, now: datetime) -> dict[str, object]:
    return {
        "kind": kind,
        "lane": int(LANES[kind]),
        "subscriber_id": subscriber_id,
        "state": DeliveryState.PENDING,
        "due_at": now,
        "dated_at": now,
    }


async def cancel_unwanted_alerts(tx: AsyncConnection, subscriber_id: int, *, now: datetime) -> int:
    """Cancel the pending alerts of which this person wants no channel any more; return how many.

    An alert is still wanted while a channel that its article matched is subscribed to, at once, since before the match.
    """
    still_wanted = exists().where(
        matches.c.article_id == deliveries.c.article_id,
        subscriptions.c.channel_id == matches.c.channel_id,
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.state == SubscriptionState.ACTIVE,
        subscriptions.c.frequency == Frequency.IMMEDIATE,
        subscriptions.c.activated_at <= matches.c.matched_at,
    )
    statement = update(deliveries).where(
        deliveries.c.subscriber_id == subscriber_id,
        deliveries.c.kind == DeliveryKind.ALERT,
        deliveries.c.state == DeliveryState.PENDING,
        ~still_wanted,
    )
    return (await tx.execute(statement.values(state=DeliveryState.CANCELLED, finished_at=now))).rowcount


async def cancel_alerts(tx: AsyncConnection, subscriber_id: int, *, now: datetime) -> int:
    """Cancel the alerts that wait to be sent to this person, whatever they are about; return how many."""
    statement = update(deliveries).where(
        deliveries.c.subscriber_id == subscriber_id,
        deliveries.c.kind == DeliveryKind.ALERT,
        deliveries.c.state == DeliveryState.PENDING,
    )
    return (await tx.execute(statement.values(state=DeliveryState.CANCELLED, finished_at=now))).rowcount


async def owe_again(tx: AsyncConnection, subscriber_id: int, *, cancelled_since: datetime, now: datetime) -> int:
    """Make alerts wait again that were cancelled since a moment and are still worth sending; return how many.

    Those that the person does not want for another reason are cancelled anew when their turn comes.
    """
    statement = update(deliveries).where(
        deliveries.c.subscriber_id == subscriber_id,
        deliveries.c.kind == DeliveryKind.ALERT,
        deliveries.c.state == DeliveryState.CANCELLED,
        deliveries.c.finished_at >= cancelled_since,
        deliveries.c.dated_at > now - LIFETIMES[DeliveryKind.ALERT],
    )
    return (await tx.execute(statement.values(state=DeliveryState.PENDING, finished_at=None))).rowcount


async def cancel_all(tx: AsyncConnection, subscriber_ids: Collection[int], *, now: datetime) -> int:
    """Cancel everything that waits to be sent to these people; return how many."""
    statement = update(deliveries).where(
        deliveries.c.subscriber_id.in_(subscriber_ids), deliveries.c.state == DeliveryState.PENDING
    )
    return (await tx.execute(statement.values(state=DeliveryState.CANCELLED, finished_at=now))).rowcount


async def forget_replies(tx: AsyncConnection, subscriber_ids: Collection[int]) -> None:
    """Drop what servers said about these people's mails where it may quote the address."""
    statement = update(deliveries).where(
        deliveries.c.subscriber_id.in_(subscriber_ids), deliveries.c.reply.contains("@")
    )
    await tx.execute(statement.values(reply=None))
