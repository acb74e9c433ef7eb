"""Rows of ``delivery_counts``: finished deliveries as numbers, once their own rows are gone.

A count says how many mails of a kind, about which article, ended how and on which day; never who they were for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Select, delete, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import DeliveryKind, DeliveryState
from alerts.storage.engine import insert
from alerts.storage.schema import articles, deliveries, delivery_counts, fan_outs

NO_ARTICLE = 0


class _Group(NamedTuple):
    """What is counted together; in this order two processes write the same groups."""

    kind: str
    article_id: int
    state: str
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleCounts:
    """What became of the alerts about one article, kept and counted ones together."""

    article_id: int
    title: str
    counts: dict[DeliveryState, int]  # every state has a number


def old_ids(*, finished_before: datetime, limit: int) -> Select[tuple[int]]:
    """Ask which deliveries were finished before a moment, the first finished first; on an index."""
    return (
        select(deliveries.c.id)
        .where(deliveries.c.finished_at < finished_before)
        .order_by(deliveries.c.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # as in ``deliveries.due_ids``
    )


async def roll_up(tx: AsyncConnection, *, finished_before: datetime, limit: int) -> int:
    """Replace up to ``limit`` deliveries that were finished before a moment by their counts; return how many.

    What is counted is what this very statement removed, so no row is counted twice, whoever else does the same.
    """
    # In a CTE: PostgreSQL may run a subquery with a LIMIT once a row, and each time it finds others.
    old = old_ids(finished_before=finished_before, limit=limit).cte("old")
    gone = delete(deliveries).where(deliveries.c.id.in_(select(old.c.id)), deliveries.c.finished_at < finished_before)
    columns = (deliveries.c.kind, deliveries.c.article_id, deliveries.c.state, deliveries.c.finished_at)
    counted: Counter[_Group] = Counter(
        _Group(kind, article_id or NO_ARTICLE, state, finished_at.date())
        for kind, article_id, state, finished_at in (await tx.execute(gone.returning(*columns))).all()
    )
    await _add(tx, counted)
    return counted.total()


async def _add(tx: AsyncConnection, counted: Counter[_Group]) -> None:
    if not counted:
        return
    statement = insert(tx, delivery_counts)
    more = statement.on_conflict_do_update(
        index_elements=list(_Group._fields), set_={"count": delivery_counts.c.count + statement.excluded.count}
    )
    await tx.execute(more, [{**group._asdict(), "count": counted[group]} for group in sorted(counted)])


async def counted_by_state(tx: AsyncConnection) -> dict[DeliveryState, int]:
    """Sum the counts by state; every state has a number."""
    statement = select(delivery_counts.c.state, func.sum(delivery_counts.c.count)).group_by(delivery_counts.c.state)
    found = {DeliveryState(state): int(total) for state, total in (await tx.execute(statement)).all()}
    return {state: found.get(state, 0) for state in DeliveryState}


async def is_counted(tx: AsyncConnection, article_id: int) -> bool:
    """Whether alerts about this article are among the counts, so that who got them is no longer known."""
    of_it = (delivery_counts.c.kind == DeliveryKind.ALERT, delivery_counts.c.article_id == article_id)
    return await tx.scalar(select(literal(1)).where(*of_it).limit(1)) is not None


async def counts_of(tx: AsyncConnection, article_ids: Sequence[int]) -> list[ArticleCounts]:
    """Say what became of the alerts about these articles, the newest article first; one without alerts is left out."""
    kept = (
        select(deliveries.c.article_id, deliveries.c.state, func.count().label("count"))
        .where(deliveries.c.article_id.in_(article_ids))
        .group_by(deliveries.c.article_id, deliveries.c.state)
    )
    counted = select(delivery_counts.c.article_id, delivery_counts.c.state, delivery_counts.c.count).where(
        delivery_counts.c.kind == DeliveryKind.ALERT, delivery_counts.c.article_id.in_(article_ids)
    )
    both = union_all(kept, counted).subquery()
    statement = (
        select(articles.c.id, articles.c.title, both.c.state, func.sum(both.c.count))
        .join(both, both.c.article_id == articles.c.id)
        .group_by(articles.c.id, articles.c.title, both.c.state)
        .order_by(articles.c.id.desc())
    )
    found: dict[int, ArticleCounts] = {}
    for article_id, title, state, count in (await tx.execute(statement)).all():
        nothing = ArticleCounts(article_id=article_id, title=title, counts=dict.fromkeys(DeliveryState, 0))
        found.setdefault(article_id, nothing).counts[DeliveryState(state)] = int(count)
    return list(found.values())


async def mailed_articles(tx: AsyncConnection, *, limit: int) -> list[int]:
    """Name the newest articles that were fanned out, or are being."""
    statement = select(fan_outs.c.article_id).order_by(fan_outs.c.article_id.desc()).limit(limit)
    return list((await tx.scalars(statement)).all())
