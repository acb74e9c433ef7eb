"""Rows of articles by what items share with them: those that an item may be. Decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.articles import Known, Sighting, text_of
from alerts.core.batches import SAME_PAGE
from alerts.storage.schema import articles

T = TypeVar("T")

_CHUNK = 500  # values in one IN list
_SAME_KEY = 2_000  # rows of one look-up: a feed may link every article it ever had to one page
_LIGHT = (
    articles.c.id,
    articles.c.item_id,
    articles.c.canonical_url,
    articles.c.content_hash,
    articles.c.title,
    articles.c.published_at,
)  # what decides, but for the text


async def known_articles(tx: AsyncConnection, source_id: int, sightings: Sequence[Sighting]) -> list[Known]:
    """Return the articles that share an id, a page or their text with one of these, newest first."""
    rows: dict[int, Any] = {}
    for column, values in (
        (articles.c.item_id, {one.item.item_id for one in sightings}),
        (articles.c.canonical_url, {one.canonical_url for one in sightings if one.canonical_url}),
        (articles.c.content_hash, {one.content_hash for one in sightings}),
    ):
        rows.update({row.id: row for row in await _rows_with(tx, source_id, column, values)})
    texts = await _texts(tx, _to_compare(rows.values(), sightings))
    return [
        Known(
            article_id=key,
            item_id=row.item_id,
            canonical_url=row.canonical_url,
            content_hash=row.content_hash,
            title=row.title,
            text=texts.get(key, ""),
            published_at=row.published_at,
        )
        for key, row in sorted(rows.items(), reverse=True)
    ]


async def _rows_with(
    tx: AsyncConnection, source_id: int, column: ColumnElement[Any], values: Iterable[str]
) -> list[Any]:
    """Return the articles with one of these values in ``column``: the newest few of each value, without their texts."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for chunk in batched(sorted(values), _CHUNK):
        query = (
            select(*_LIGHT, column.label("key"))
            .where(articles.c.source_id == source_id, column.in_(chunk))
            .order_by(articles.c.id.desc())
            .limit(_SAME_KEY)
        )
        for row in await tx.execute(query):
            if len(found[row.key]) < SAME_PAGE:
                found[row.key].append(row)
    return [row for rows in found.values() for row in rows]


def _to_compare(rows: Iterable[Any], sightings: Sequence[Sighting]) -> list[int]:
    """Return the articles that share an id or a page with an item of other content: only there texts are compared."""
    digests: defaultdict[str, set[str]] = defaultdict(set)
    for one in sightings:
        digests[one.item.item_id].add(one.content_hash)
        digests[one.canonical_url or one.item.item_id].add(one.content_hash)
    return [
        row.id
        for row in rows
        if (digests[row.item_id] | digests[row.canonical_url or row.item_id]) - {row.content_hash}
    ]


async def _texts(tx: AsyncConnection, article_ids: Sequence[int]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for chunk in batched(article_ids, _CHUNK):
        query = select(articles.c.id, articles.c.summary, articles.c.body).where(articles.c.id.in_(chunk))
        texts.update({row.id: text_of(row.summary, row.body) for row in await tx.execute(query)})
    return texts


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield ``values`` in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
