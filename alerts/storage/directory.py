"""What the public pages ask: the channels with their newest articles, and why an article is in a channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Channel, Hit
from alerts.storage.articles import select_articles, to_article
from alerts.storage.channels import channels_by_ids
from alerts.storage.matches import matches_of
from alerts.storage.schema import articles, channels, matches


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
class ChannelDates:
    """How old a channel is, and what it is called now."""

    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedArticle:
    """An article in a channel, why it is there, and since when."""

    article: Article
    hits: tuple[Hit, ...]
    matched_at: datetime
    changed_at: datetime | None  # when its source last gave it other content


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedChannel:
    """A channel that an article is in, and why."""

    channel: Channel
    hits: tuple[Hit, ...]


async def listings_of(tx: AsyncConnection, channels: Sequence[Channel], *, newest: int) -> list[Listing]:
    """Return these channels, each with its count and its newest articles."""
    ids = [channel.id for channel in channels]
    counted = select(matches.c.channel_id, func.count()).where(matches.c.channel_id.in_(ids))
    counts: dict[int, int] = dict((await tx.execute(counted.group_by(matches.c.channel_id))).all())
    headlines = await _headlines(tx, ids, newest)
    return [
        Listing(channel=channel, articles=counts.get(channel.id, 0), newest=tuple(headlines[channel.id]))
        for channel in channels
    ]


async def dates_of(tx: AsyncConnection, channel_id: int) -> ChannelDates:
    """Return when a channel came to be, and when its name or query last changed."""
    query = select(channels.c.created_at, channels.c.changed_at).where(channels.c.id == channel_id)
    row = (await tx.execute(query)).one()
    return ChannelDates(created_at=row.created_at, changed_at=row.changed_at)


async def count_articles_of(tx: AsyncConnection, channel_id: int) -> int:
    """Count a channel's articles."""
    counted = select(func.count()).select_from(matches).where(matches.c.channel_id == channel_id)
    return await tx.scalar(counted) or 0


async def articles_of(
    tx: AsyncConnection, channel_id: int, *, limit: int, before: int | None = None
) -> list[MatchedArticle]:
    """Return a channel's articles, newest first, those older than the article ``before`` if it is given."""
    query = select_articles().add_columns(matches.c.hits, matches.c.matched_at.label("joined_at"))
    query = query.join(matches, matches.c.article_id == articles.c.id)
    query = query.where(matches.c.channel_id == channel_id)
    if before is not None:
        query = query.where(matches.c.article_id < before)
    rows = await tx.execute(query.order_by(matches.c.article_id.desc()).limit(limit))
    return [
        MatchedArticle(
            article=to_article(row), hits=_hits(row.hits), matched_at=row.joined_at, changed_at=row.changed_at
        )
        for row in rows
    ]


async def channels_of(tx: AsyncConnection, article_id: int) -> list[MatchedChannel]:
    """Return the channels that an article is in, the best match first."""
    found = await matches_of(tx, article_id)
    known = {channel.id: channel for channel in await channels_by_ids(tx, [match.channel_id for match in found])}
    return [MatchedChannel(channel=known[match.channel_id], hits=match.hits) for match in found]


async def _headlines(tx: AsyncConnection, channel_ids: Sequence[int], newest: int) -> dict[int, list[Headline]]:
    """Return the newest few of each channel: found by the index alone, however many articles a channel has."""
    own = matches.alias()
    oldest_shown = (
        select(own.c.article_id)
        .where(own.c.channel_id == channels.c.id)
        .order_by(own.c.article_id.desc())
        .offset(newest - 1)
        .limit(1)
        .scalar_subquery()
    )
    columns = articles.c
    is_shown = (matches.c.channel_id == channels.c.id) & (matches.c.article_id >= func.coalesce(oldest_shown, 0))
    query = (
        select(
            matches.c.channel_id,
            columns.id,
            columns.title,
            columns.url,
            columns.language,
            columns.published_at,
            columns.first_seen_at,
        )
        .select_from(channels)
        .join(matches, is_shown)
        .join(articles, columns.id == matches.c.article_id)
        .where(channels.c.id.in_(channel_ids))
        .order_by(matches.c.channel_id, matches.c.article_id.desc())
    )
    found: defaultdict[int, list[Headline]] = defaultdict(list)
    for row in await tx.execute(query):
        found[row.channel_id].append(
            Headline(
                article_id=row.id,
                title=row.title,
                url=row.url,
                language=row.language,
                published_at=row.published_at,
                first_seen_at=row.first_seen_at,
            )
        )
    return found


def _hits(rows: Sequence[dict[str, Any]]) -> tuple[Hit, ...]:
    return tuple(Hit(**row) for row in rows)
