"""Rows of matches: this article answers this channel, and why; an article is matched once, whoever does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Disposition, Hit
from alerts.storage.articles import select_articles, to_article
from alerts.storage.engine import insert
from alerts.storage.schema import articles, fan_outs, matches

_ROWS = 500  # matches in one INSERT


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A channel that an article answers, with the reason."""

    channel_id: int
    score: float  # 0..1
    hits: tuple[Hit, ...]


async def unmatched(tx: AsyncConnection, *, limit: int) -> list[Article]:
    """Return the articles that no channel was asked about yet, the oldest first; those set aside are left out."""
    query = (
        select_articles()
        .where(articles.c.matched_at.is_(None), articles.c.set_aside.is_(None))
        .order_by(articles.c.id)
        .limit(limit)
    )
    return [to_article(row) for row in await tx.execute(query)]


async def is_anything_unmatched(tx: AsyncConnection) -> bool:
    """Say whether an article waits to be matched."""
    query = select(articles.c.id).where(articles.c.matched_at.is_(None), articles.c.set_aside.is_(None)).limit(1)
    return await tx.scalar(query) is not None


async def record_matches(tx: AsyncConnection, article_id: int, *, found: Sequence[Match], now: datetime) -> bool:
    """Write an article's matches, that it is matched, and the fan-out that it now owes; False if it was matched before.

    An article that answers no channel, or that nobody is alerted of, owes no fan-out.
    """
    marked = await tx.execute(
        update(articles)
        .where(articles.c.id == article_id, articles.c.matched_at.is_(None), articles.c.set_aside.is_(None))
        .values(matched_at=now)
        .returning(articles.c.disposition)
    )
    mark = marked.one_or_none()
    if mark is None:
        return False
    rows = [
        {
            "article_id": article_id,
            "channel_id": match.channel_id,
            "score": round(match.score * 1000),
            "hits": [asdict(hit) for hit in match.hits],
            "matched_at": now,
        }
        for match in found
    ]
    for start in range(0, len(rows), _ROWS):
        await tx.execute(insert(tx, matches).on_conflict_do_nothing(), rows[start : start + _ROWS])
    if rows and mark.disposition == Disposition.ALERT.value:
        await tx.execute(insert(tx, fan_outs).values(article_id=article_id, created_at=now).on_conflict_do_nothing())
    return True


async def record_fault(tx: AsyncConnection, article_id: int, *, reason: str, most: int) -> bool:
    """Count a try that our own code could not finish; at the ``most``-th set the article aside and return True."""
    counted = await tx.execute(
        update(articles)
        .where(articles.c.id == article_id, articles.c.matched_at.is_(None), articles.c.set_aside.is_(None))
        .values(match_faults=articles.c.match_faults + 1)
        .returning(articles.c.match_faults)
    )
    faults = counted.scalar_one_or_none()
    if faults is None or faults < most:
        return False
    await tx.execute(update(articles).where(articles.c.id == article_id).values(set_aside=reason))
    return True


async def matches_of(tx: AsyncConnection, article_id: int) -> list[Match]:
    """Return what an article answers, the best first."""
    query = (
        select(matches).where(matches.c.article_id == article_id).order_by(matches.c.score.desc(), matches.c.channel_id)
    )
    return [
        Match(channel_id=row.channel_id, score=row.score / 1000, hits=tuple(Hit(**hit) for hit in row.hits))
        for row in await tx.execute(query)
    ]
