"""Two rows of one person become one: what the one has goes over to the other. Which row stays is decided elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.leaving import Former
from alerts.core.model import SubscriptionState
from alerts.storage import fan_outs, owed
from alerts.storage.schema import confirmations, deliveries, merged_subscriptions, subscriptions

_FAN_OUTS = 1_000  # that may be unfinished at once


async def move_everything(tx: AsyncConnection, *, giver: int, taker: int, now: datetime) -> None:
    """Give a person's subscriptions, requests and mails to another row of theirs; the caller holds both rows.

    What is active with either is active afterwards, and no article is mailed twice. The links in the giver's mails go
    on ending what the giver followed.
    """
    await _remember(tx, giver, taker)
    await _move_subscriptions(tx, giver, taker)
    requests = update(confirmations).where(confirmations.c.subscriber_id == giver)
    await tx.execute(requests.values(subscriber_id=taker))
    await _move_deliveries(tx, giver, taker)
    await owed.cancel_all(tx, [giver], now=now)
    await owed.forget_replies(tx, [giver])
    # A fan-out walks up the keys: it may have passed the one row already, and not come to the other yet.
    for article_id in await fan_outs.unfinished(tx, limit=_FAN_OUTS):
        await fan_outs.owe_alerts(tx, article_id, after=taker - 1, up_to=taker, now=now)


async def former(tx: AsyncConnection, former_id: int) -> Former | None:
    """Find what became of a row that was merged into another; None for any other number."""
    it = merged_subscriptions.c
    rows = (
        await tx.execute(select(it.subscriber_id, it.channel_id, it.created_at).where(it.former_id == former_id))
    ).all()
    if not rows:
        return None
    return Former(subscriber_id=rows[0].subscriber_id, since={row.channel_id: row.created_at for row in rows})


async def formerly_followed(tx: AsyncConnection, subscriber_id: int) -> list[tuple[int, datetime]]:
    """List the channels that a person followed by addresses that they gave up, and since when each."""
    it = merged_subscriptions.c
    statement = select(it.channel_id, it.created_at).where(it.subscriber_id == subscriber_id)
    return [
        (row.channel_id, row.created_at) for row in await tx.execute(statement.order_by(it.created_at, it.channel_id))
    ]


async def _remember(tx: AsyncConnection, giver: int, taker: int) -> None:
    """Write what the giver's mails may have named, and where that goes to; of givers to the giver likewise."""
    earlier = update(merged_subscriptions).where(merged_subscriptions.c.subscriber_id == giver)
    await tx.execute(earlier.values(subscriber_id=taker))
    followed = select(
        subscriptions.c.subscriber_id,
        subscriptions.c.channel_id,
        bindparam("taker", taker, type_=subscriptions.c.subscriber_id.type),
        subscriptions.c.created_at,
    ).where(subscriptions.c.subscriber_id == giver, subscriptions.c.activated_at.is_not(None))
    columns = ["former_id", "channel_id", "subscriber_id", "created_at"]
    await tx.execute(insert(merged_subscriptions).from_select(columns, followed))


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
