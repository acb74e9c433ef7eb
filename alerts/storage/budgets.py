"""Rows of ``budgeted_mails``: which mails forms caused lately, so that a restart forgets no limit (C3)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import insert
from alerts.storage.schema import budgeted_mails

A_DAY_AN_ADDRESS = 3
AN_HOUR_A_NETWORK = 10
_LOCK = 0x62756467  # of PostgreSQL's advisory locks, this module's own


async def spend(tx: AsyncConnection, *, address_hash: str, network: str, now: datetime, site_limit: int) -> bool:
    """Take one mail from the budgets of an address, a network and the site; False, and none taken, if one is used up.

    One after another: two forms at once would both find the last mail of a budget.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    day, hour, it = now - timedelta(days=1), now - timedelta(hours=1), budgeted_mails.c
    if await _count(tx, it.address_hash == address_hash, it.created_at > day) >= A_DAY_AN_ADDRESS:
        return False
    if await _count(tx, it.network == network, it.created_at > hour) >= AN_HOUR_A_NETWORK:
        return False
    if await _count(tx, it.created_at > hour) >= site_limit:
        return False
    await tx.execute(insert(tx, budgeted_mails).values(address_hash=address_hash, network=network, created_at=now))
    return True


async def _count(tx: AsyncConnection, *conditions: ColumnElement[bool]) -> int:
    return await tx.scalar(select(func.count()).select_from(budgeted_mails).where(*conditions)) or 0
