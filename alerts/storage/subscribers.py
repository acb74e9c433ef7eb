"""Rows of ``subscribers``: one a person, known by the key of the address.

Whoever changes what a person subscribes to locks the person's row first; so two requests about one person follow
each other on PostgreSQL, as all writers do on SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, exists, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import Address
from alerts.core.model import Subscriber, SubscriberState
from alerts.core.people import Person
from alerts.storage.engine import insert
from alerts.storage.schema import confirmations, subscribers, subscriptions


def _subscriber(row: Row[Any]) -> Subscriber:
    it = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Subscriber(
        id=it["id"],
        email=it["email"],
        state=SubscriberState(it["state"]),
        name=it["name"],
        language=it["language"],
        time_zone=it["time_zone"],
        created_at=it["created_at"],
        confirmed_at=it["confirmed_at"],
        paused_until_at=it["paused_until_at"],
    )


async def _one(tx: AsyncConnection, statement: Select[Any]) -> Subscriber | None:
    row = (await tx.execute(statement)).one_or_none()
    return _subscriber(row) if row else None


async def subscriber_by_id(tx: AsyncConnection, subscriber_id: int) -> Subscriber | None:
    """Find a subscriber."""
    return await _one(tx, select(subscribers).where(subscribers.c.id == subscriber_id))


async def subscriber_by_key(tx: AsyncConnection, key: str) -> Subscriber | None:
    """Find the subscriber whose address has this key (``core.addresses.normalise(…).key``)."""
    return await _one(tx, select(subscribers).where(subscribers.c.email_key == key))


async def lock_subscriber(tx: AsyncConnection, subscriber_id: int) -> Subscriber | None:
    """Find a subscriber and hold the row until the transaction ends."""
    return await _one(tx, select(subscribers).where(subscribers.c.id == subscriber_id).with_for_update())


async def lock_subscribers(tx: AsyncConnection, keys: Collection[str]) -> dict[str, Subscriber]:
    """Find the subscribers with these keys, by key, and hold their rows until the transaction ends."""
    statement = (
        select(subscribers)
        .where(subscribers.c.email_key.in_(keys))
        .order_by(subscribers.c.id)  # everybody locks in one order, so that nobody waits in a ring
        .with_for_update()
    )
    return {row.email_key: _subscriber(row) for row in (await tx.execute(statement)).all()}


async def lock_with_address(
    tx: AsyncConnection, subscriber_id: int, key: str
) -> tuple[Subscriber | None, Subscriber | None]:
    """Find a subscriber, and who else has the address with this key; hold both rows, in everybody's order."""
    statement = (
        select(subscribers)
        .where(or_(subscribers.c.id == subscriber_id, subscribers.c.email_key == key))
        .order_by(subscribers.c.id)
        .with_for_update()
    )
    found = [_subscriber(row) for row in (await tx.execute(statement)).all()]
    own = next((one for one in found if one.id == subscriber_id), None)
    return own, next((one for one in found if one.id != subscriber_id), None)


async def find_or_add(
    tx: AsyncConnection, people: Sequence[Person], *, suppressed: Collection[str], now: datetime
) -> dict[str, Subscriber]:
    """Lock the subscribers that these people are, by key; add who is missing, as suppressed where the key is."""
    found = await lock_subscribers(tx, [one.address.key for one in people])
    missing = {one.address.key: one for one in people if one.address.key not in found}
    if not missing:
        return found
    rows = [_new_row(missing[key], suppressed=key in suppressed, now=now) for key in sorted(missing)]
    await tx.execute(insert(tx, subscribers).on_conflict_do_nothing(), rows)
    return found | await lock_subscribers(tx, missing)


def _new_row(person: Person, *, suppressed: bool, now: datetime) -> dict[str, object]:
    return {
        "email": person.address.email,
        "email_key": person.address.key,
        "domain": person.address.domain_ascii,
        "state": SubscriberState.SUPPRESSED if suppressed else SubscriberState.PENDING,
        "name": person.name,
        "language": person.language,
        "time_zone": person.time_zone,
        "created_at": now,
    }


_DESCRIBE = (
    update(subscribers)
    .where(subscribers.c.id == bindparam("b_id"))
    .values(
        {name: func.coalesce(bindparam(f"b_{name}"), subscribers.c[name]) for name in ("name", "language", "time_zone")}
    )
)


async def describe(tx: AsyncConnection, known: Sequence[tuple[int, Person]]) -> None:
    """Write what is known of these subscribers; what is not known now stays as it was."""
    rows = [
        {"b_id": key, "b_name": one.name, "b_language": one.language, "b_time_zone": one.time_zone}
        for key, one in known
        if one.name or one.language or one.time_zone
    ]
    if rows:
        await tx.execute(_DESCRIBE, rows)


_CONFIRM = (
    update(subscribers)
    .where(subscribers.c.id == bindparam("b_id"))
    .values(state=SubscriberState.ACTIVE, confirmed_at=func.coalesce(subscribers.c.confirmed_at, bindparam("b_now")))
)


async def mark_confirmed(tx: AsyncConnection, subscriber_ids: Collection[int], *, now: datetime) -> None:
    """Mark subscribers as confirmed; the first time stays on record."""
    if subscriber_ids:
        await tx.execute(_CONFIRM, [{"b_id": key, "b_now": now} for key in sorted(subscriber_ids)])


async def set_address(tx: AsyncConnection, subscriber_id: int, address: Address) -> None:
    """Let a subscriber have another address; nobody else may have it."""
    values = {"email": address.email, "email_key": address.key, "domain": address.domain_ascii}
    await tx.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(values))


async def set_language(tx: AsyncConnection, subscriber_id: int, language: str | None) -> None:
    """Write in which language a subscriber wants to read us; None leaves that to the browser and the site."""
    await tx.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(language=language))


async def set_pause(tx: AsyncConnection, subscriber_id: int, until: datetime | None) -> None:
    """Write until when a subscriber wants no alerts; None ends a pause."""
    await tx.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(paused_until_at=until))


async def mark_suppressed(tx: AsyncConnection, subscriber_ids: Collection[int]) -> None:
    """Mark subscribers as never to be mailed again."""
    statement = update(subscribers).where(subscribers.c.id.in_(subscriber_ids))
    await tx.execute(statement.values(state=SubscriberState.SUPPRESSED))


async def erase(tx: AsyncConnection, subscriber_ids: Collection[int]) -> None:
    """Remove subscribers with their subscriptions and confirmations (the foreign keys see to those)."""
    await tx.execute(delete(subscribers).where(subscribers.c.id.in_(subscriber_ids)))


async def never_confirmed(tx: AsyncConnection, *, added_before: datetime, limit: int) -> list[int]:
    """Name the subscribers from before a moment who never confirmed and have nothing left to wait for."""
    waiting = exists().where(confirmations.c.subscriber_id == subscribers.c.id)
    subscribed = exists().where(subscriptions.c.subscriber_id == subscribers.c.id)
    statement = (
        select(subscribers.c.id)
        .where(
            subscribers.c.state == SubscriberState.PENDING,
            subscribers.c.created_at < added_before,
            ~waiting,
            ~subscribed,
        )
        .order_by(subscribers.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # who is being subscribed right now is no case for this
    )
    return list((await tx.scalars(statement)).all())


async def list_subscribers(tx: AsyncConnection, *, after: int = 0, limit: int) -> list[Subscriber]:
    """List subscribers in the order of their ids, from ``after`` on: a page at a time for any number of them."""
    statement = select(subscribers).where(subscribers.c.id > after).order_by(subscribers.c.id).limit(limit)
    return [_subscriber(row) for row in (await tx.execute(statement)).all()]


async def have_counted(tx: AsyncConnection) -> None:
    """Let PostgreSQL count people and subscriptions now, after many came at once: it plans by what it has counted."""
    if tx.dialect.name == "postgresql":
        await tx.execute(text("ANALYZE subscribers, subscriptions"))
