"""Rows of ``suppressions``: addresses that are never mailed again, kept as keyed hashes so that they survive erasure.

Only the person's own new confirmation lifts one (C5).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.model import EndReason, Subscriber
from alerts.core.subscriptions import Event
from alerts.core.tokens import Secrets, hash_address
from alerts.storage import confirmations, owed, subscribers, subscriptions
from alerts.storage.engine import insert
from alerts.storage.schema import deliveries, suppressions
from alerts.storage.schema import subscribers as subscriber_rows
from alerts.storage.secrets import load_secrets


async def suppressed_among(tx: AsyncConnection, keys: Collection[str], *, secrets: Secrets) -> set[str]:
    """Return those of these address keys that are suppressed."""
    by_hash = {hash_address(secrets, key): key for key in keys}
    found = await tx.scalars(select(suppressions.c.email_hash).where(suppressions.c.email_hash.in_(by_hash)))
    return {by_hash[email_hash] for email_hash in found.all()}


async def suppress(
    tx: AsyncConnection, people: Sequence[Subscriber], event: Event, *, secrets: Secrets, now: datetime
) -> None:
    """Never mail these people again: end what they subscribe to, cancel what waits, remember the hash.

    ``event`` is BOUNCED or COMPLAINED. The caller holds the subscribers' rows.
    """
    if not people:
        return
    rows = [
        {"email_hash": hash_address(secrets, normalise(one.email).key), "reason": event, "created_at": now}
        for one in people
    ]
    ids = [one.id for one in people]
    await tx.execute(insert(tx, suppressions).on_conflict_do_nothing(), rows)
    await subscribers.mark_suppressed(tx, ids)
    await subscriptions.end(tx, event, subscriber_ids=ids, now=now)
    await confirmations.close(tx, ids, now=now)
    await owed.cancel_all(tx, ids, now=now)


async def suppress_recipients(tx: AsyncConnection, *, delivery_ids: Collection[int], now: datetime) -> None:
    """Suppress whom these deliveries were for, because their addresses do not exist (B3)."""
    wanted = select(deliveries.c.subscriber_id).where(deliveries.c.id.in_(delivery_ids))
    keys = (await tx.scalars(select(subscriber_rows.c.email_key).where(subscriber_rows.c.id.in_(wanted)))).all()
    people = list((await subscribers.lock_subscribers(tx, keys)).values())
    await suppress(tx, people, Event.BOUNCED, secrets=await load_secrets(tx), now=now)


async def reason_of(tx: AsyncConnection, key: str, *, secrets: Secrets) -> EndReason | None:
    """Say why an address is suppressed; None when it is not."""
    statement = select(suppressions.c.reason).where(suppressions.c.email_hash == hash_address(secrets, key))
    reason: str | None = await tx.scalar(statement)
    return EndReason(reason) if reason else None


async def lift(tx: AsyncConnection, key: str, *, secrets: Secrets) -> bool:
    """Forget a suppression, since the person came back by a confirmation; False when there was none."""
    statement = delete(suppressions).where(suppressions.c.email_hash == hash_address(secrets, key))
    return (await tx.execute(statement)).rowcount == 1
