"""Rows of boilerplate: in how many different articles of its source a line stood, and when it did last.

The row with an empty hash counts the source's articles; a line's ``since`` is what that count was before its first.
"""

from __future__ import annotations

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


async def learn_lines(tx: AsyncConnection, source_id: int, *, hashes: Collection[str], now: datetime) -> None:
    """Count one article and its lines; to be called once for each article, in the transaction that marks it matched."""
    total = (await tx.execute(_count(tx).returning(boilerplate.c.articles), _row(source_id, _ALL, 0, now))).scalar_one()
    rows = [_row(source_id, one, total - 1, now) for one in sorted(hashes)]  # sorted: two writers never lock crosswise
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


def _row(source_id: int, hashed: str, since: int, now: datetime) -> dict[str, object]:
    return {"source_id": source_id, "line_hash": hashed, "articles": 1, "since": since, "last_seen_at": now}


def _count(tx: AsyncConnection) -> DialectInsert:
    one = insert(tx, boilerplate)
    return one.on_conflict_do_update(
        index_elements=["source_id", "line_hash"],
        set_={"articles": boilerplate.c.articles + 1, "last_seen_at": one.excluded.last_seen_at},
    )
