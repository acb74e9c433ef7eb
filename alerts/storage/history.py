"""What the last month holds: how many mails each channel made in it, and its articles, to ask other queries about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.history import MONTH, mails_a_month
from alerts.core.model import Article, Disposition
from alerts.storage.articles import select_articles, to_article
from alerts.storage.schema import articles, channels, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The articles of the last 30 days that made a mail, or would have."""

    articles: int
    begun_at: datetime | None  # when the first of them appeared


async def mails_a_month_of(
    tx: AsyncConnection, *, now: datetime, channel_ids: Collection[int] | None = None
) -> dict[int, int | None]:
    """Say about how many mails a month these channels make, or all; None is "too young to say".

    What was there at a source's first poll mailed nobody, but if it says when it was published, it tells as much.
    """
    since = now - MONTH
    counted = (
        select(
            matches.c.channel_id,
            func.count().label("number"),
            func.min(_APPEARED_AT).label("begun_at"),
        )
        .join(articles, articles.c.id == matches.c.article_id)
        .where(matches.c.article_id >= _first_since(since), since <= _APPEARED_AT)
        .group_by(matches.c.channel_id)
    )
    if channel_ids is not None:
        counted = counted.where(matches.c.channel_id.in_(channel_ids))
    found = counted.subquery()
    query = select(channels.c.id, channels.c.created_at, found.c.number, found.c.begun_at).outerjoin(
        found, found.c.channel_id == channels.c.id
    )
    if channel_ids is not None:
        query = query.where(channels.c.id.in_(channel_ids))
    return {
        row.id: mails_a_month(row.number or 0, age=now - min(row.created_at, row.begun_at or row.created_at))
        for row in await tx.execute(query)
    }


async def month_of(tx: AsyncConnection, *, now: datetime) -> Month:
    """Count the articles of the last 30 days."""
    query = select(func.count(), func.min(_APPEARED_AT)).where(*_of_month(now))
    number, begun_at = (await tx.execute(query)).one()
    return Month(articles=number, begun_at=begun_at)


async def articles_of_month(tx: AsyncConnection, *, now: datetime, after: int, limit: int) -> list[Article]:
    """Return some articles of the last 30 days: the first (``after`` is 0), or those next after one of them."""
    # One bound on the key: of two, SQLite begins at the first that is written, and goes over the month for each piece.
    since = now - MONTH
    begin = articles.c.id > after if after else articles.c.id >= _first_since(since)
    query = select_articles().where(begin, since <= _APPEARED_AT).order_by(articles.c.id).limit(limit)
    return [to_article(row) for row in await tx.execute(query)]


_APPEARED_AT: ColumnElement[datetime] = case(
    (articles.c.disposition == Disposition.ALERT.value, articles.c.first_seen_at), else_=articles.c.published_at
)


def _of_month(now: datetime) -> tuple[ColumnElement[bool], ...]:
    since = now - MONTH
    return articles.c.id >= _first_since(since), since <= _APPEARED_AT


def _first_since(since: datetime) -> Any:
    """Return the first article stored since then: keys go up with time, so few rows are looked at, not all.

    A poll stores many at one instant; the first of them is the one with the lowest key.
    """
    by_time = articles.c.first_seen_at, articles.c.id
    return select(articles.c.id).where(articles.c.first_seen_at >= since).order_by(*by_time).limit(1).scalar_subquery()
