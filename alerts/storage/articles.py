"""Rows of articles: what a source gives is stored here once; nobody is told of it here."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.articles import Decision, Known, Sighting, decide, disposition, sight, text_of
from alerts.core.batches import SAME_PAGE, Change, place
from alerts.core.model import Article, Disposition, Item, Source
from alerts.storage import floods
from alerts.storage.engine import insert
from alerts.storage.floods import Holding
from alerts.storage.schema import articles, matches, sources

_CHUNK = 500  # values in one IN list
_ROWS = 100  # of one insert: what the event loop does between two of them is not kept waiting for long
_SAME_KEY = 2_000  # rows of one look-up: a feed may link every article it ever had to one page

_LIGHT = (
    articles.c.id,
    articles.c.item_id,
    articles.c.canonical_url,
    articles.c.content_hash,
    articles.c.title,
    articles.c.published_at,
)  # what decides, but for the text

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a batch of items; an item given twice counts once."""

    new: int
    changed: int
    seen: int
    article_ids: tuple[int, ...]  # of the new ones, in the order given
    held: int = 0  # of the new ones, as part of a flood
    holding: Holding | None = None  # the flood


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many articles there are, and how many wait to be matched."""

    articles: int
    unmatched: int
    set_aside: int


async def store_items(
    tx: AsyncConnection,
    *,
    source: Source,
    items: Sequence[Item],
    now: datetime,
    first_poll: bool | None = None,
    upcoming: int = 0,
) -> Stored:
    """Store what a source gave: the new ones once, the changed ones anew, the known ones not at all.

    ``first_poll`` says whether the source never worked before; when not given, ``source.polled_at`` tells.
    ``upcoming``: so many new ones, these among them, are known to come in steps, and are judged as one batch.
    Running it again with the same items changes nothing.
    """
    first = source.polled_at is None if first_poll is None else first_poll
    # Two thousand long items take seconds to compare: in a thread, so that the event loop has its turns meanwhile.
    sightings = await asyncio.to_thread(lambda: [sight(item, now=now) for item in items])
    known = await _known(tx, source.id, sightings)
    batch = await asyncio.to_thread(place, sightings, known, kind=source.kind)
    await _rename(tx, batch.renamed)
    await _change(tx, batch.changes, now=now)
    rows = [_row(one, source=source, first_poll=first, now=now) for one in batch.new]
    holding = await _hold(tx, rows, source=source, first_poll=first, upcoming=upcoming, now=now)
    ids = await _insert(tx, rows)
    return Stored(
        new=len(ids),
        changed=len(batch.changes),
        seen=batch.seen,
        article_ids=tuple(ids),
        held=sum(row["disposition"] == Disposition.HELD.value for row in rows),
        holding=holding,
    )


async def count_alerting(tx: AsyncConnection, *, source: Source, items: Sequence[Item], now: datetime) -> int:
    """Say of how many of these items everybody would be alerted; stores nothing."""
    sightings = await asyncio.to_thread(lambda: [sight(item, now=now) for item in items])
    batch = await asyncio.to_thread(place, sightings, await _known(tx, source.id, sightings), kind=source.kind)
    kinds = [disposition(one.item, source, first_poll=False, now=now) for one in batch.new]
    return kinds.count(Disposition.ALERT)


async def _hold(
    tx: AsyncConnection,
    rows: Sequence[dict[str, Any]],
    *,
    source: Source,
    first_poll: bool,
    upcoming: int,
    now: datetime,
) -> Holding | None:
    """Hold the rows that would be mailed if they are part of a flood; a first poll is mailed as was asked for."""
    alerting = [row for row in rows if row["disposition"] == Disposition.ALERT.value]
    if not alerting:
        return None
    if first_poll:
        await floods.count_from(tx, source.id, now=now)
        return None
    holding = await floods.hold_flood(tx, source, coming=max(len(alerting), upcoming), now=now)
    if holding is not None:
        for row in alerting:
            row.update(disposition=Disposition.HELD.value, flood_id=holding.flood_id)
    return holding


async def judge(tx: AsyncConnection, *, source: Source, item: Item, now: datetime) -> Decision:
    """Return what an item is to the articles of its source, without storing it."""
    sighting = sight(item, now=now)
    return decide(sighting, await _known(tx, source.id, [sighting]), kind=source.kind)


async def article_by_id(tx: AsyncConnection, article_id: int) -> Article | None:
    """Return the article, or None."""
    row = (await tx.execute(select_articles().where(articles.c.id == article_id))).one_or_none()
    return None if row is None else to_article(row)


async def latest(tx: AsyncConnection, *, limit: int, channel_id: int | None = None) -> list[Article]:
    """Return the articles seen last, newest first; with ``channel_id`` those that this channel matched."""
    query = select_articles().order_by(articles.c.first_seen_at.desc(), articles.c.id.desc()).limit(limit)
    if channel_id is not None:
        query = query.join(matches, matches.c.article_id == articles.c.id).where(matches.c.channel_id == channel_id)
    return [to_article(row) for row in await tx.execute(query)]


async def count_articles(tx: AsyncConnection) -> Counts:
    """Count the articles."""
    waiting = articles.c.matched_at.is_(None) & articles.c.set_aside.is_(None)
    row = (
        await tx.execute(
            select(
                func.count(),
                func.count().filter(waiting),
                func.count().filter(articles.c.set_aside.is_not(None)),
            ).select_from(articles)
        )
    ).one()
    return Counts(articles=row[0], unmatched=row[1], set_aside=row[2])


def select_articles() -> Select[Any]:
    """Return the query whose rows ``to_article`` reads; add conditions to it."""
    return select(articles, sources.c.name.label("source_name")).join(sources, sources.c.id == articles.c.source_id)


def to_article(row: Row[Any]) -> Article:
    """Turn a row of ``select_articles`` into an article."""
    return Article(
        id=row.id,
        source_id=row.source_id,
        source_name=row.source_name,
        item=Item(
            item_id=row.item_id,
            title=row.title,
            summary=tuple(row.summary),
            body=row.body,
            url=row.url,
            author=row.author,
            tags=tuple(row.tags),
            tickers=tuple(row.tickers),
            language=row.language,
            published_at=row.published_at,
        ),
        content_hash=row.content_hash,
        first_seen_at=row.first_seen_at,
        disposition=Disposition(row.disposition),
        matched_at=row.matched_at,
        same_story_as=row.same_story_as,
    )


async def _known(tx: AsyncConnection, source_id: int, sightings: Sequence[Sighting]) -> list[Known]:
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
    for chunk in _batched(sorted(values), _CHUNK):
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
    for chunk in _batched(article_ids, _CHUNK):
        query = select(articles.c.id, articles.c.summary, articles.c.body).where(articles.c.id.in_(chunk))
        texts.update({row.id: text_of(row.summary, row.body) for row in await tx.execute(query)})
    return texts


async def _rename(tx: AsyncConnection, renamed: Mapping[int, str]) -> None:
    """Give articles their new ids, by way of ids that nobody has: two may swap theirs."""
    if not renamed:
        return
    statement = update(articles).where(articles.c.id == bindparam("key")).values(item_id=bindparam("bears"))
    await tx.execute(statement, [{"key": key, "bears": f"\x1b{key}"} for key in renamed])
    await tx.execute(statement, [{"key": key, "bears": item_id} for key, item_id in renamed.items()])


async def _change(tx: AsyncConnection, changes: Sequence[Change], *, now: datetime) -> None:
    """Store the content of known articles anew; when they were first seen and whether they are mailed stays."""
    if not changes:
        return
    rows = [{"key": change.article_id, "changed_at": now, **_content(change.sighting)} for change in changes]
    names = [name for name in rows[0] if name != "key"]
    statement = update(articles).where(articles.c.id == bindparam("key"))
    await tx.execute(
        statement.values({name: bindparam(f"new_{name}") for name in names}),
        [{name if name == "key" else f"new_{name}": value for name, value in row.items()} for row in rows],
    )


async def _insert(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert articles; one that another poll of the source stored meanwhile is left as it is."""
    if not rows:
        return []
    statement = insert(tx, articles).on_conflict_do_nothing().returning(articles.c.id)
    ids: list[int] = []
    for some in _batched(rows, _ROWS):
        ids += (await tx.scalars(statement, some)).all()
    return sorted(ids)


def _row(sighting: Sighting, *, source: Source, first_poll: bool, now: datetime) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "item_id": sighting.item.item_id,
        "disposition": disposition(sighting.item, source, first_poll=first_poll, now=now).value,
        "first_seen_at": now,
        "flood_id": None,
        **_content(sighting),
    }


def _content(sighting: Sighting) -> dict[str, Any]:
    item = sighting.item
    return {
        "title": item.title,
        "summary": list(item.summary),
        "body": item.body,
        "url": item.url,
        "canonical_url": sighting.canonical_url,
        "author": item.author,
        "tags": list(item.tags),
        "tickers": list(item.tickers),
        "language": item.language,
        "published_at": item.published_at,
        "content_hash": sighting.content_hash,
    }


def _batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield ``values`` in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
