"""What one person was mailed, or is to be, as they may ask to see it: until finished deliveries become counts."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import DeliveryKind, DeliveryState
from alerts.storage.schema import articles, deliveries


class MailedDelivery(NamedTuple):
    """A mail as its reader knows it; without what servers said about it."""

    kind: DeliveryKind
    state: DeliveryState
    title: str | None  # of the article, where it is about one
    url: str | None
    dated_at: datetime
    finished_at: datetime | None


async def mailed_to(tx: AsyncConnection, subscriber_id: int) -> list[MailedDelivery]:
    """List the mails to a person, the oldest first."""
    it = deliveries.c
    statement = (
        select(it.kind, it.state, articles.c.title, articles.c.url, it.dated_at, it.finished_at)
        .select_from(deliveries.outerjoin(articles, articles.c.id == it.article_id))
        .where(it.subscriber_id == subscriber_id)
        .order_by(it.id)
    )
    return [
        MailedDelivery(DeliveryKind(kind), DeliveryState(state), *rest)
        for kind, state, *rest in (await tx.execute(statement)).all()
    ]
