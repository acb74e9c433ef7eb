"""Rows of articles: what a source gives is stored here once; nobody is told of it here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.articles import Decision, Known, Sighting, decide, disposition, sight
from alerts.core.batches import Batch, Change, place
from alerts.core.full_text import with_page
from alerts.core.model import Article, Disposition, Item, Source
from alerts.storage import floods
from alerts.storage.engine import insert
from alerts.storage.floods import Holding
from alerts.storage.known import batched, known_articles
from alerts.storage.schema import articles, matches, sources
from alerts.storage.schema.columns import Utc

_ROWS = 100  # of one statement: what the event loop does between two of them is not kept waiting for long


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
    page_texts: Mapping[str, str] = MappingProxyType({}),
    sightings: Sequence[Sighting] | None = None,
) -> Stored:
    """Store what a source gave: the new ones once, the changed ones anew, the known ones not at all.

    ``first_poll`` says whether the source never worked before; when not given, ``source.polled_at`` tells.
    ``upcoming``: so many new ones, these among them, are known to come in steps, and are judged as one batch.
    ``page_texts``: what pages say, by their items' URLs. A new article is read as its page; what it is known again by
    stays what the source says of it. ``sightings``: what ``sighted`` made of the items, so that nobody waits for the
    ledger meanwhile.
    Running it again with the same items changes nothing.
    """
    first = source.polled_at is None if first_poll is None else first_poll
    batch, _ = await _placed(tx, source, await sighted(items, now=now) if sightings is None else sightings)
    await _rename(tx, batch.renamed)
    await _change(tx, batch.changes, now=now)
    rows = [_row(one, page_texts, source=source, first_poll=first, now=now) for one in batch.new]
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


async def sighted(items: Sequence[Item], *, now: datetime) -> list[Sighting]:
    """Make items ready to be stored; two thousand long ones take a while, in a thread: the event loop has its turns."""
    return await asyncio.to_thread(lambda: [sight(item, now=now) for item in items])


async def count_alerting(tx: AsyncConnection, *, source: Source, items: Sequence[Item], now: datetime) -> int:
    """Say of how many of these items everybody would be alerted; stores nothing."""
    batch, _ = await _placed(tx, source, await sighted(items, now=now))
    return len(_alerting(batch, source, first_poll=False, now=now))


async def worth_reading(
    tx: AsyncConnection, *, source: Source, items: Sequence[Item], first_poll: bool, now: datetime
) -> list[Item]:
    """Return the items whose page is worth reading, in the order given: everybody would be alerted. Stores nothing.

    None of a flood: an archive that is published again is not fetched page by page. None whose page is another
    article's as well: what stands there is not about the item alone.
    """
    batch, known = await _placed(tx, source, await sighted(items, now=now))
    alerting = _alerting(batch, source, first_poll=first_poll, now=now)
    room = None if first_poll else await floods.room(tx, source, now=now)
    if room is not None and len(alerting) > room:
        return []
    pages = Counter([*(one.canonical_url for one in batch.new), *(one.canonical_url for one in known)])
    return [one.item for one in alerting if one.canonical_url is not None and pages[one.canonical_url] == 1]


def _alerting(batch: Batch, source: Source, *, first_poll: bool, now: datetime) -> list[Sighting]:
    return [
        one for one in batch.new if disposition(one.item, source, first_poll=first_poll, now=now) is Disposition.ALERT
    ]


async def _placed(tx: AsyncConnection, source: Source, sightings: Sequence[Sighting]) -> tuple[Batch, list[Known]]:
    """Tell new, changed and known items apart; return what they were compared with, too."""
    known = await known_articles(tx, source.id, sightings)
    return await asyncio.to_thread(place, sightings, known, kind=source.kind), known


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
    return decide(sighting, await known_articles(tx, source.id, [sighting]), kind=source.kind)


async def article_by_id(tx: AsyncConnection, article_id: int) -> Article | None:
    """Return the article, or None."""
    row = (await tx.execute(select_articles().where(articles.c.id == article_id))).one_or_none()
    return None if row is None else to_article(row)


async def latest(
    tx: AsyncConnection, *, limit: int, channel_id: int | None = None, before: Article | None = None
) -> list[Article]:
    """Return the articles seen last, newest first; with ``channel_id`` those that this channel matched.

    ``before``: those that come behind this one, which the caller has already.
    """
    query = select_articles().order_by(articles.c.first_seen_at.desc(), articles.c.id.desc()).limit(limit)
    if before is not None:
        place = tuple_(articles.c.first_seen_at, articles.c.id)
        query = query.where(place < tuple_(literal(before.first_seen_at, Utc()), literal(before.id)))
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
    """Turn a row of ``select_articles`` into an article; what its page says is its text, where it was read."""
    item = Item(
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
    )
    return Article(
        id=row.id,
        source_id=row.source_id,
        source_name=row.source_name,
        item=item if row.page_text is None else with_page(item, row.page_text),
        content_hash=row.content_hash,
        first_seen_at=row.first_seen_at,
        disposition=Disposition(row.disposition),
        matched_at=row.matched_at,
        same_story_as=row.same_story_as,
    )


async def _rename(tx: AsyncConnection, renamed: Mapping[int, str]) -> None:
    """Give articles their new ids, by way of ids that nobody has: two may swap theirs."""
    if not renamed:
        return
    statement = update(articles).where(articles.c.id == bindparam("key")).values(item_id=bindparam("bears"))
    for bears in ({key: f"\x1b{key}" for key in renamed}, renamed):
        for some in batched(list(bears.items()), _ROWS):
            await tx.execute(statement, [{"key": key, "bears": item_id} for key, item_id in some])


async def _change(tx: AsyncConnection, changes: Sequence[Change], *, now: datetime) -> None:
    """Store the content of known articles anew; when they were first seen and whether they are mailed stays."""
    if not changes:
        return
    rows = [{"key": change.article_id, "changed_at": now, **_content(change.sighting)} for change in changes]
    names = [name for name in rows[0] if name != "key"]
    statement = update(articles).where(articles.c.id == bindparam("key"))
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    for some in batched(rows, _ROWS):
        await tx.execute(
            statement,
            [{name if name == "key" else f"new_{name}": value for name, value in row.items()} for row in some],
        )


async def _insert(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert articles; one that another poll of the source stored meanwhile is left as it is."""
    if not rows:
        return []
    statement = insert(tx, articles).on_conflict_do_nothing().returning(articles.c.id)
    ids: list[int] = []
    for some in batched(rows, _ROWS):
        ids += (await tx.scalars(statement, some)).all()
    return sorted(ids)


def _row(
    sighting: Sighting, page_texts: Mapping[str, str], *, source: Source, first_poll: bool, now: datetime
) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "item_id": sighting.item.item_id,
        "disposition": disposition(sighting.item, source, first_poll=first_poll, now=now).value,
        "first_seen_at": now,
        "flood_id": None,
        "page_text": page_texts.get(sighting.item.url or ""),
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
