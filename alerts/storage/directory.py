"""What the public pages ask: the channels with their newest articles, and why an article is in a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Channel, Hit
from alerts.storage.articles import select_articles, to_article
from alerts.storage.channels import active_channels, channels_by_ids
from alerts.storage.matches import matches_of
from alerts.storage.schema import articles, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """As much of an article as a list shows."""

    article_id: int
    title: str
    url: str | None
    language: str | None
    published_at: datetime | None
    first_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A channel in the directory."""

    channel: Channel
    articles: int
    newest: tuple[Headline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedArticle:
    """An article in a channel, and why it is there."""

    article: Article
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedChannel:
    """A channel that an article is in, and why."""

    channel: Channel
    hits: tuple[Hit, ...]


async def directory(tx: AsyncConnection, *, newest: int) -> list[Listing]:
    """Return the active channels in the operator's order, each with its count and its newest articles."""
    counted = select(matches.c.channel_id, func.count()).group_by(matches.c.channel_id)
    counts: dict[int, int] = dict((await tx.execute(counted)).all())
    return [
        Listing(
            channel=channel,
            articles=counts.get(channel.id, 0),
            newest=await _headlines(tx, channel.id, newest) if channel.id in counts else (),
        )
        for channel in await active_channels(tx)
    ]


async def count_articles_of(tx: AsyncConnection, channel_id: int) -> int:
    """Count a channel's articles."""
    counted = select(func.count()).select_from(matches).where(matches.c.channel_id == channel_id)
    return await tx.scalar(counted) or 0


async def articles_of(
    tx: AsyncConnection, channel_id: int, *, limit: int, before: int | None = None
) -> list[MatchedArticle]:
    """Return a channel's articles, newest first, those older than the article ``before`` if it is given."""
    query = select_articles().add_columns(matches.c.hits).join(matches, matches.c.article_id == articles.c.id)
    query = query.where(matches.c.channel_id == channel_id)
    if before is not None:
        query = query.where(matches.c.article_id < before)
    rows = await tx.execute(query.order_by(matches.c.article_id.desc()).limit(limit))
    return [MatchedArticle(article=to_article(row), hits=_hits(row.hits)) for row in rows]


async def channels_of(tx: AsyncConnection, article_id: int) -> list[MatchedChannel]:
    """Return the channels that an article is in, the best match first."""
    found = await matches_of(tx, article_id)
    known = {channel.id: channel for channel in await channels_by_ids(tx, [match.channel_id for match in found])}
    return [MatchedChannel(channel=known[match.channel_id], hits=match.hits) for match in found]


async def _headlines(tx: AsyncConnection, channel_id: int, limit: int) -> tuple[Headline, ...]:
    columns = articles.c
    query = (
        select(columns.id, columns.title, columns.url, columns.language, columns.published_at, columns.first_seen_at)
        .join(matches, matches.c.article_id == articles.c.id)
        .where(matches.c.channel_id == channel_id)
        .order_by(matches.c.article_id.desc())
        .limit(limit)
    )
    return tuple(
        Headline(
            article_id=row.id,
            title=row.title,
            url=row.url,
            language=row.language,
            published_at=row.published_at,
            first_seen_at=row.first_seen_at,
        )
        for row in await tx.execute(query)
    )


def _hits(rows: Sequence[dict[str, Any]]) -> tuple[Hit, ...]:
    return tuple(Hit(**row) for row in rows)
