"""Rows of ``hub_subscriptions``: at which hubs we hear of a source's news, or want to. At most one a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import SourceState
from alerts.core.websub import HubLinks, SubscriptionState
from alerts.storage.engine import insert
from alerts.storage.schema import hub_subscriptions, sources

_POLLED = (SourceState.OK.value, SourceState.FAILING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSubscription:
    """A source at a hub."""

    id: int
    source_id: int
    hub: str
    topic: str
    token: str = field(repr=False)  # of our callback's address
    secret: str = field(repr=False)  # what the hub signs with
    state: SubscriptionState
    next_at: datetime  # when the hub is asked next
    asked_at: datetime | None
    failures: int
    lease_until: datetime | None
    pushed_at: datetime | None  # since a poll last found what the hub had not told
    reason: str | None


async def offer(
    tx: AsyncConnection, source_id: int, links: HubLinks, *, token: str, secret: str, now: datetime
) -> None:
    """Take over what a feed says of its hub: a new one is asked, one that the feed no longer names is forgotten.

    ``token`` and ``secret`` are for a new subscription; one that is as the feed says keeps its own.
    """
    it = hub_subscriptions.c
    same = and_(it.hub == links.hub, it.topic == links.topic, it.state != SubscriptionState.LEAVING.value)
    if links.are_there:
        await tx.execute(delete(hub_subscriptions).where(it.source_id == source_id, ~same))
        values = {"hub": links.hub, "topic": links.topic, "token": token, "secret": secret}
        wanted = {"state": SubscriptionState.WANTED.value, "next_at": now, "created_at": now}
        statement = insert(tx, hub_subscriptions).values(source_id=source_id, **values, **wanted)
        await tx.execute(statement.on_conflict_do_nothing())
    else:
        await tx.execute(delete(hub_subscriptions).where(it.source_id == source_id))


async def due(tx: AsyncConnection, *, now: datetime, limit: int) -> list[int]:
    """Return the subscriptions about which a hub is to be asked, and those whose source is gone."""
    it = hub_subscriptions.c
    leaving = it.state == SubscriptionState.LEAVING.value
    gone = and_(sources.c.state == SourceState.REMOVED.value, ~leaving)
    turn = and_(it.next_at <= now, or_(sources.c.state.in_(_POLLED), leaving))
    query = select(it.id).join(sources, sources.c.id == it.source_id).where(or_(gone, turn))
    return list((await tx.scalars(query.order_by(it.next_at, it.id).limit(limit))).all())


async def claim(tx: AsyncConnection, subscription_id: int, *, now: datetime, until: datetime) -> HubSubscription | None:
    """Take a subscription for one request to its hub; None when it is not its turn, or somebody else asks."""
    it = hub_subscriptions.c
    gone = select(sources.c.id).where(sources.c.state == SourceState.REMOVED.value)
    await tx.execute(
        update(hub_subscriptions)
        .where(it.id == subscription_id, it.state != SubscriptionState.LEAVING.value, it.source_id.in_(gone))
        .values(state=SubscriptionState.LEAVING.value, next_at=now, failures=0)
    )
    turn = update(hub_subscriptions).where(it.id == subscription_id, it.next_at <= now)
    row = (await tx.execute(turn.values(next_at=until, asked_at=now).returning(*it))).one_or_none()
    return None if row is None else _subscription(row)


async def record_answer(
    tx: AsyncConnection, claimed: HubSubscription, *, next_at: datetime, failures: int, reason: str | None
) -> bool:
    """Record what a hub answered; False, and nothing is written, when it verified our request in the meantime."""
    it = hub_subscriptions.c
    unchanged = and_(it.id == claimed.id, it.next_at == claimed.next_at)
    values = {"next_at": next_at, "failures": failures, "reason": reason}
    return bool((await tx.execute(update(hub_subscriptions).where(unchanged).values(**values))).rowcount)


async def by_token(tx: AsyncConnection, token: str) -> HubSubscription | None:
    """Return the subscription whose callback has this token, or None."""
    row = (await tx.execute(select(hub_subscriptions).where(hub_subscriptions.c.token == token))).one_or_none()
    return None if row is None else _subscription(row)


async def activate(tx: AsyncConnection, subscription_id: int, *, lease_until: datetime, renew_at: datetime) -> None:
    """Record that a hub verified our request."""
    values = {"state": SubscriptionState.ACTIVE.value, "lease_until": lease_until, "next_at": renew_at}
    await _write(tx, subscription_id, {**values, "failures": 0, "reason": None})


async def deny(tx: AsyncConnection, subscription_id: int, *, reason: str, again_at: datetime) -> None:
    """Record that a hub gives us nothing, for now."""
    values = {"state": SubscriptionState.WANTED.value, "lease_until": None, "pushed_at": None}
    await _write(tx, subscription_id, {**values, "reason": reason, "next_at": again_at})


async def forget(tx: AsyncConnection, subscription_id: int) -> None:
    """Remove a subscription."""
    await tx.execute(delete(hub_subscriptions).where(hub_subscriptions.c.id == subscription_id))


async def record_push(tx: AsyncConnection, subscription_id: int, *, now: datetime) -> bool:
    """Record that a hub told us something; False when the subscription is not active any more."""
    it = hub_subscriptions.c
    active = and_(it.id == subscription_id, it.state == SubscriptionState.ACTIVE.value)
    return bool((await tx.execute(update(hub_subscriptions).where(active).values(pushed_at=now))).rowcount)


async def distrust(tx: AsyncConnection, source_id: int) -> None:
    """Record that a poll found what no hub had told: until the next push the source is polled at its own pace."""
    await tx.execute(update(hub_subscriptions).where(hub_subscriptions.c.source_id == source_id).values(pushed_at=None))


async def is_live(tx: AsyncConnection, source_id: int, *, now: datetime, within: timedelta) -> bool:
    """Say whether a hub tells us of this source's news, and did so lately."""
    it = hub_subscriptions.c
    live = and_(it.source_id == source_id, it.state == SubscriptionState.ACTIVE.value, it.lease_until > now)
    return await tx.scalar(select(it.id).where(live, it.pushed_at > now - within)) is not None


async def subscription_of(tx: AsyncConnection, source_id: int) -> HubSubscription | None:
    """Return the subscription of a source, or None."""
    query = select(hub_subscriptions).where(hub_subscriptions.c.source_id == source_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _subscription(row)


async def by_source(tx: AsyncConnection) -> dict[int, HubSubscription]:
    """Return all subscriptions, by source."""
    return {row.source_id: _subscription(row) for row in await tx.execute(select(hub_subscriptions))}


async def _write(tx: AsyncConnection, subscription_id: int, values: Mapping[str, Any]) -> None:
    await tx.execute(update(hub_subscriptions).where(hub_subscriptions.c.id == subscription_id).values(**values))


def _subscription(row: Row[Any]) -> HubSubscription:
    return HubSubscription(
        id=row.id,
        source_id=row.source_id,
        hub=row.hub,
        topic=row.topic,
        token=row.token,
        secret=row.secret,
        state=SubscriptionState(row.state),
        next_at=row.next_at,
        asked_at=row.asked_at,
        failures=row.failures,
        lease_until=row.lease_until,
        pushed_at=row.pushed_at,
        reason=row.reason,
    )
