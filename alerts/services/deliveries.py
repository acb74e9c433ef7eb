"""Deliveries for the operator: look at them, count them by article, try them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts.core.model import Delivery, DeliveryState
from alerts.storage import deliveries, delivery_counts
from alerts.storage.delivery_counts import ArticleCounts
from alerts.storage.engine import Database
from alerts.storage.letters import addresses_of


async def list_with_addresses(
    db: Database, *, state: DeliveryState | None, limit: int
) -> list[tuple[Delivery, str | None]]:
    """List the newest deliveries with the addresses they go to (None: forgotten)."""
    async with db.reading() as tx:
        found = await deliveries.list_deliveries(tx, state=state, limit=limit)
        addresses = await addresses_of(tx, {one.subscriber_id for one in found})
    return [(one, addresses.get(one.subscriber_id)) for one in found]


async def show(db: Database, delivery_id: int) -> tuple[Delivery, str | None] | None:
    """Find one delivery and its address."""
    async with db.reading() as tx:
        found = await deliveries.delivery_by_id(tx, delivery_id)
        if found is None:
            return None
        addresses = await addresses_of(tx, [found.subscriber_id])
    return found, addresses.get(found.subscriber_id)


async def count_by_article(db: Database, *, limit: int) -> list[ArticleCounts]:
    """Say what became of the alerts about the newest articles, kept and counted ones together."""
    async with db.reading() as tx:
        return await delivery_counts.counts_of(tx, await delivery_counts.mailed_articles(tx, limit=limit))


async def retry(db: Database, *, ids: Sequence[int] | None, now: datetime) -> int:
    """Make failed deliveries due again; return how many."""
    async with db.transaction() as tx:
        return await deliveries.retry(tx, ids=ids, now=now)
