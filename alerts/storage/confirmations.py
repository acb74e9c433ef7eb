"""Rows of ``confirmations``: requests that wait for the person's own word. Tokens are here as hashes only (C1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Confirmation
from alerts.core.subscriptions import CONFIRMATION_LIFETIME
from alerts.core.tokens import Secrets, confirmation_token, hash_token
from alerts.storage.schema import confirmations


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request on its way to its row."""

    subscriber_id: int
    channel_ids: tuple[int, ...]
    salt: bytes
    email: str | None = None  # the address that the person wants instead


def _confirmation(row: Row[Any]) -> Confirmation:
    it = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Confirmation(
        id=it["id"],
        subscriber_id=it["subscriber_id"],
        channel_ids=tuple(it["channel_ids"]),
        salt=bytes(it["salt"]),
        created_at=it["created_at"],
        expires_at=it["expires_at"],
        confirmed_at=it["confirmed_at"],
        email=it["email"],
        former_email=it["former_email"],
    )


_SET_HASH = (
    update(confirmations).where(confirmations.c.id == bindparam("b_id")).values(token_hash=bindparam("b_token_hash"))
)


async def add(tx: AsyncConnection, asked: Sequence[Asked], *, secrets: Secrets, now: datetime) -> list[int]:
    """Write requests and the hashes of their tokens; return their ids, in order.

    The token is made from the id, so the hash follows in a second step. Until then its place holds the salt, which no
    token hashes to, and by which the ids are found: thousands in one statement, where RETURNING would go one by one.
    """
    if not asked:
        return []
    await tx.execute(insert(confirmations), [_row(one, now) for one in asked])
    placed = select(confirmations.c.token_hash, confirmations.c.id)
    found = await tx.execute(placed.where(confirmations.c.token_hash.in_([one.salt.hex() for one in asked])))
    by_salt = dict(found.all())
    ids = [by_salt[one.salt.hex()] for one in asked]
    tokens = [confirmation_token(secrets, key, one.salt) for key, one in zip(ids, asked, strict=True)]
    hashed = [{"b_id": key, "b_token_hash": hash_token(token)} for key, token in zip(ids, tokens, strict=True)]
    await tx.execute(_SET_HASH, hashed)
    return ids


def _row(one: Asked, now: datetime) -> dict[str, object]:
    return {
        "subscriber_id": one.subscriber_id,
        "channel_ids": list(one.channel_ids),
        "salt": one.salt,
        "token_hash": one.salt.hex(),
        "created_at": now,
        "expires_at": now + CONFIRMATION_LIFETIME,
        "email": one.email,
    }


async def confirmation_by_token(tx: AsyncConnection, token: str) -> Confirmation | None:
    """Find the request that a token confirms."""
    statement = select(confirmations).where(confirmations.c.token_hash == hash_token(token))
    row = (await tx.execute(statement)).one_or_none()
    return _confirmation(row) if row else None


async def mark_confirmed(tx: AsyncConnection, confirmation_id: int, *, now: datetime) -> bool:
    """Mark a request as confirmed; False when it was before."""
    statement = update(confirmations).where(
        confirmations.c.id == confirmation_id, confirmations.c.confirmed_at.is_(None)
    )
    return (await tx.execute(statement.values(confirmed_at=now))).rowcount == 1


async def count_since(tx: AsyncConnection, subscriber_ids: Collection[int], *, since: datetime) -> dict[int, int]:
    """Count the requests for channels of these subscribers since a moment, by subscriber, where there are any."""
    statement = (
        select(confirmations.c.subscriber_id, func.count())
        .where(
            confirmations.c.subscriber_id.in_(subscriber_ids),
            confirmations.c.created_at > since,
            confirmations.c.email.is_(None),  # those went to other addresses
        )
        .group_by(confirmations.c.subscriber_id)
    )
    return dict((await tx.execute(statement)).all())


async def close(tx: AsyncConnection, subscriber_ids: Collection[int], *, now: datetime) -> int:
    """Let the open requests of these people expire now; return how many."""
    statement = update(confirmations).where(
        confirmations.c.subscriber_id.in_(subscriber_ids),
        confirmations.c.confirmed_at.is_(None),
        confirmations.c.expires_at > now,
    )
    return (await tx.execute(statement.values(expires_at=now))).rowcount


async def close_address_changes(tx: AsyncConnection, subscriber_id: int, *, now: datetime) -> int:
    """Let a person's open wishes for another address expire now: only the last one counts; return how many."""
    statement = update(confirmations).where(
        confirmations.c.subscriber_id == subscriber_id,
        confirmations.c.email.is_not(None),
        confirmations.c.confirmed_at.is_(None),
        confirmations.c.expires_at > now,
    )
    return (await tx.execute(statement.values(expires_at=now))).rowcount


async def keep_former_address(tx: AsyncConnection, confirmation_id: int, former_email: str) -> None:
    """Note which address the new one took the place of: its owner is told there."""
    statement = update(confirmations).where(confirmations.c.id == confirmation_id)
    await tx.execute(statement.values(former_email=former_email))


async def confirmations_of(tx: AsyncConnection, subscriber_id: int) -> list[Confirmation]:
    """List a person's requests, the oldest first."""
    statement = select(confirmations).where(confirmations.c.subscriber_id == subscriber_id)
    return [_confirmation(row) for row in (await tx.execute(statement.order_by(confirmations.c.id))).all()]


async def purge(tx: AsyncConnection, *, asked_before: datetime, limit: int) -> int:
    """Remove requests from before a moment that nobody confirmed; return how many."""
    old = (
        select(confirmations.c.id)
        .where(confirmations.c.confirmed_at.is_(None), confirmations.c.created_at < asked_before)
        .limit(limit)
    )
    return (await tx.execute(delete(confirmations).where(confirmations.c.id.in_(old)))).rowcount


async def purge_confirmed(tx: AsyncConnection, *, confirmed_before: datetime, limit: int) -> int:
    """Remove requests that were confirmed before a moment; return how many. Their links are unknown from then on."""
    old = select(confirmations.c.id).where(confirmations.c.confirmed_at < confirmed_before).limit(limit)
    return (await tx.execute(delete(confirmations).where(confirmations.c.id.in_(old)))).rowcount
