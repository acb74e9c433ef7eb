"""Rows of boilerplate: in how many different articles of its source a line stood, and when it did last.

The row with an empty hash counts the source's articles; a line's ``since`` is what that count was before its first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.boilerplate import MOST_OF_SOURCE, WINDOW, is_learnt, learnable
from alerts.core.model import Article
from alerts.storage.engine import DialectInsert, insert
from alerts.storage.schema import boilerplate

_ALL = ""  # the hash of the row that counts the articles
_HASHES = 500  # in one statement


async def learn_lines(
    tx: AsyncConnection, source_id: int, *, articles: Sequence[Collection[str]], now: datetime
) -> None:
    """Count articles of a source, in their order, each given as the hashes of its lines.

    To be called once for each article, in the transaction that marks it matched; many at once cost two statements.
    """
    counted = _count(tx).returning(boilerplate.c.articles)
    total = (await tx.execute(counted, _row(source_id, _ALL, 0, now, articles=len(articles)))).scalar_one()
    before = total - len(articles)
    times = Counter(line for hashes in articles for line in set(hashes))
    first = {line: place for place, hashes in reversed(list(enumerate(articles))) for line in hashes}
    # Sorted: two writers never lock crosswise.
    rows = [_row(source_id, line, before + first[line], now, articles=times[line]) for line in sorted(times)]
    if rows:
        await tx.execute(_count(tx), rows)


async def forget_lines(tx: AsyncConnection, source_id: int, *, now: datetime) -> None:
    """Forget a source's lines that were not seen within the window, and the oldest of more than there may be."""
    line = and_(boilerplate.c.source_id == source_id, boilerplate.c.line_hash != _ALL)
    await tx.execute(delete(boilerplate).where(line, boilerplate.c.last_seen_at < now - WINDOW))
    beyond = (
        select(boilerplate.c.line_hash)
        .where(line)
        .order_by(boilerplate.c.last_seen_at.desc(), boilerplate.c.articles.desc(), boilerplate.c.line_hash)
        .limit(2 * MOST_OF_SOURCE)
        .offset(MOST_OF_SOURCE)
    )
    excess = sorted((await tx.execute(beyond)).scalars())
    for start in range(0, len(excess), _HASHES):
        await tx.execute(delete(boilerplate).where(line, boilerplate.c.line_hash.in_(excess[start : start + _HASHES])))


async def learnt_lines(tx: AsyncConnection, asked: Sequence[Article]) -> dict[int, frozenset[str]]:
    """Return the hashes of the lines of these articles that are boilerplate by now, for each of their sources."""
    hashes: dict[int, set[str]] = {}
    for article in asked:
        hashes.setdefault(article.source_id, set()).update(learnable(article.item))
    return {source_id: await _learnt(tx, source_id, sorted(held)) for source_id, held in hashes.items()}


async def _learnt(tx: AsyncConnection, source_id: int, hashes: list[str]) -> frozenset[str]:
    of_source = boilerplate.c.source_id == source_id
    total = await tx.scalar(select(boilerplate.c.articles).where(of_source, boilerplate.c.line_hash == _ALL)) or 0
    found: set[str] = set()
    for start in range(0, len(hashes), _HASHES):
        known = select(boilerplate.c.line_hash, boilerplate.c.articles, boilerplate.c.since).where(
            of_source,
            boilerplate.c.line_hash.in_(hashes[start : start + _HASHES]),
        )
        rows = await tx.execute(known)
        found |= {row.line_hash for row in rows if is_learnt(articles=row.articles, of=total - row.since)}
    return frozenset(found)


def _row(source_id: int, hashed: str, since: int, now: datetime, *, articles: int) -> dict[str, object]:
    return {"source_id": source_id, "line_hash": hashed, "articles": articles, "since": since, "last_seen_at": now}


def _count(tx: AsyncConnection) -> DialectInsert:
    some = insert(tx, boilerplate)
    return some.on_conflict_do_update(
        index_elements=["source_id", "line_hash"],
        set_={
            "articles": boilerplate.c.articles + some.excluded.articles,
            "last_seen_at": some.excluded.last_seen_at,
        },
    )
