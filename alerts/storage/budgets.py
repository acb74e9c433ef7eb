"""Rows of ``budgeted_mails``: what forms caused lately, so that a restart forgets no limit (C3).

A row stands for a request that may cause a mail, whether or not it did: were only mails counted, a stranger could tell
from what is left of his own budget whether an address is known here (C2).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.budgets import A_NETWORK, AN_ADDRESS, REMEMBERED, Budget, site_budget
from alerts.storage.engine import insert
from alerts.storage.schema import budgeted_mails

_LOCK = 0x62756467  # among PostgreSQL's advisory locks: this module's own


async def spend(tx: AsyncConnection, *, address_hash: str, network: str, now: datetime, site_limit: int) -> bool:
    """Take one mail from the budgets of an address, a network and the site; take none where one is used up.

    Those who ask go one after another until their transactions end: two at once would both find the last mail of a
    budget. So ask before you lock anybody's row, or two may wait for each other. SQLite's writers do so anyway.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    it = budgeted_mails.c
    of_site = site_budget(site_limit)
    spent = select(
        _spent(AN_ADDRESS, now, it.address_hash == address_hash),
        _spent(A_NETWORK, now, it.network == network),
        _spent(of_site, now),
    )
    of = (AN_ADDRESS, A_NETWORK, of_site)
    if any(mails >= budget.mails for mails, budget in zip((await tx.execute(spent)).one(), of, strict=True)):
        return False
    await tx.execute(insert(tx, budgeted_mails).values(address_hash=address_hash, network=network, created_at=now))
    return True


def _spent(budget: Budget, now: datetime, *whose: ColumnElement[bool]) -> ScalarSelect[int]:
    """Count what was spent within the budget's window."""
    counted = select(func.count()).select_from(budgeted_mails)
    return counted.where(*whose, budgeted_mails.c.created_at > now - budget.within).scalar_subquery()


async def purge(tx: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Remove what counts in no budget any more; return how many."""
    old = select(budgeted_mails.c.id).where(budgeted_mails.c.created_at <= now - REMEMBERED).limit(limit)
    return (await tx.execute(delete(budgeted_mails).where(budgeted_mails.c.id.in_(old)))).rowcount
