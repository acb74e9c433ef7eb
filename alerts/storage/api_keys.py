"""Rows of ``api_keys``: who may post articles, and how many of this hour's are left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import insert
from alerts.storage.schema import api_keys

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key, without anything that would open a door."""

    id: int
    source_id: int
    name: str
    articles_an_hour: int
    created_at: datetime
    last_used_at: datetime | None  # for a post
    revoked_at: datetime | None


async def insert_key(
    tx: AsyncConnection, *, name: str, key_hash: str, source_id: int, articles_an_hour: int, now: datetime
) -> ApiKey | None:
    """Add a key; None when a living one is called so."""
    statement = (
        insert(tx, api_keys)
        .values(name=name, key_hash=key_hash, source_id=source_id, articles_an_hour=articles_an_hour, created_at=now)
        .on_conflict_do_nothing()
        .returning(*api_keys.c)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _key(row)


async def key_by_hash(tx: AsyncConnection, key_hash: str) -> ApiKey | None:
    """Return the key, revoked or not, or None."""
    row = (await tx.execute(select(api_keys).where(api_keys.c.key_hash == key_hash))).one_or_none()
    return None if row is None else _key(row)


async def list_keys(tx: AsyncConnection) -> list[ApiKey]:
    """Return every key by name, the newest of a name first."""
    return [_key(row) for row in await tx.execute(select(api_keys).order_by(api_keys.c.name, api_keys.c.id.desc()))]


async def revoke_key(tx: AsyncConnection, name: str, *, now: datetime) -> ApiKey | None:
    """Revoke the living key of this name; None when there is none."""
    living = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
    row = (await tx.execute(living.values(revoked_at=now).returning(*api_keys.c))).one_or_none()
    return None if row is None else _key(row)


async def spend(tx: AsyncConnection, key_id: int, *, articles: int, now: datetime) -> bool:
    """Take so many articles from a living key's hour; False where that is more than is left, or it was revoked.

    Posts with one key go one after another until their transactions end.
    """
    it = api_keys.c
    is_over = or_(it.hour_began_at.is_(None), it.hour_began_at <= now - HOUR)
    statement = (
        update(api_keys)
        .where(
            it.id == key_id,
            it.revoked_at.is_(None),
            or_(is_over, it.articles_in_hour + articles <= it.articles_an_hour),
        )
        .values(
            hour_began_at=case((is_over, literal(now, it.hour_began_at.type)), else_=it.hour_began_at),
            articles_in_hour=case((is_over, articles), else_=it.articles_in_hour + articles),
            last_used_at=now,
        )
    )
    return bool((await tx.execute(statement)).rowcount)


async def hour_ends_at(tx: AsyncConnection, key_id: int) -> datetime | None:
    """Return when a key's budget is whole again; None for a key that never posted."""
    began_at = await tx.scalar(select(api_keys.c.hour_began_at).where(api_keys.c.id == key_id))
    return None if began_at is None else began_at + HOUR


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        source_id=row.source_id,
        name=row.name,
        articles_an_hour=row.articles_an_hour,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
