"""Two rows of one person become one: what the one has goes over to the other. Which row stays is decided elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import SubscriptionState
from alerts.storage import fan_outs, owed
from alerts.storage.schema import confirmations, deliveries, subscriptions

_FAN_OUTS = 1_000  # that may be unfinished at once


async def move_everything(tx: AsyncConnection, *, giver: int, taker: int, now: datetime) -> None:
    """Give a person's subscriptions, requests and mails to another row of theirs; the caller holds both rows.

    What is active with either is active afterwards, and no article is mailed twice.
    """
    await _move_subscriptions(tx, giver, taker)
    requests = update(confirmations).where(confirmations.c.subscriber_id == giver)
    await tx.execute(requests.values(subscriber_id=taker))
    await _move_deliveries(tx, giver, taker)
    await owed.cancel_all(tx, [giver], now=now)
    await owed.forget_replies(tx, [giver])
    # A fan-out walks up the keys: it may have passed the one row already, and not come to the other yet.
    for article_id in await fan_outs.unfinished(tx, limit=_FAN_OUTS):
        await fan_outs.owe_alerts(tx, article_id, after=taker - 1, up_to=taker, now=now)


async def _move_subscriptions(tx: AsyncConnection, giver: int, taker: int) -> None:
    """Move what the taker has not; of two to one channel the active one stays, else the taker's."""
    given = select(subscriptions.c.channel_id).where(
        subscriptions.c.subscriber_id == giver, subscriptions.c.state == SubscriptionState.ACTIVE
    )
    weaker = delete(subscriptions).where(
        subscriptions.c.subscriber_id == taker,
        subscriptions.c.state != SubscriptionState.ACTIVE,
        subscriptions.c.channel_id.in_(given),
    )
    await tx.execute(weaker)
    taken = select(subscriptions.c.channel_id).where(subscriptions.c.subscriber_id == taker)
    moved = update(subscriptions).where(
        subscriptions.c.subscriber_id == giver, subscriptions.c.channel_id.not_in(taken)
    )
    await tx.execute(moved.values(subscriber_id=taker))


async def _move_deliveries(tx: AsyncConnection, giver: int, taker: int) -> None:
    other = deliveries.alias()
    has_it = exists().where(other.c.subscriber_id == taker, other.c.article_id == deliveries.c.article_id)
    moved = update(deliveries).where(deliveries.c.subscriber_id == giver, ~has_it)
    await tx.execute(moved.values(subscriber_id=taker))
