"""Rows of stories: which article of another source told one first, where, and what repeats it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Disposition
from alerts.storage.articles import select_articles, to_article
from alerts.storage.engine import insert
from alerts.storage.schema import articles, fan_outs, matches, repeats, sources, story_marks

_LOCK = 0x73746F72  # among PostgreSQL's advisory locks: this module's own
_CANDIDATES = 20  # articles that are compared with one
_ROWS_A_MARK = 200  # looked at: a phrase that everybody writes must not cost more
_PURGED = 2_000  # marks removed at once
_MAILED = (articles.c.disposition == Disposition.ALERT.value, articles.c.set_aside.is_(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Where else a story stands."""

    source_name: str
    title: str
    url: str | None


async def take_turn(tx: AsyncConnection) -> None:
    """Let those who match go one after another until their transactions end, or two copies would both be first.

    Ask before you lock anybody's row, or two may wait for each other. SQLite's writers go one by one anyway.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def candidates(
    tx: AsyncConnection, article: Article, marks: Sequence[int], *, window: timedelta
) -> list[Article]:
    """Return articles of other sources, mailed or held within ``window``, that share marks; most marks first."""
    since = article.first_seen_at - window
    shared: defaultdict[int, int] = defaultdict(int)
    for mark in marks:
        newest = (
            select(story_marks.c.article_id)
            .where(story_marks.c.mark == mark, story_marks.c.seen_at >= since, story_marks.c.article_id != article.id)
            .order_by(story_marks.c.article_id.desc())
            .limit(_ROWS_A_MARK)
        )
        for article_id in await tx.scalars(newest):
            shared[article_id] += 1
    best = sorted(shared, key=lambda one: (-shared[one], one))[:_CANDIDATES]
    query = select_articles().where(
        articles.c.id.in_(best), articles.c.source_id != article.source_id, articles.c.set_aside.is_(None)
    )
    found = [to_article(row) for row in await tx.execute(query)]
    return sorted(found, key=lambda one: (-shared[one.id], one.id))


async def told_channels(tx: AsyncConnection, story: int) -> dict[int, int]:
    """Return the channels that were mailed a story, each with the article that they were mailed."""
    query = (
        select(matches.c.channel_id, func.min(matches.c.article_id).label("first_id"))
        .join(articles, articles.c.id == matches.c.article_id)
        .where(_of(story), *_MAILED)
        .group_by(matches.c.channel_id)
    )
    return {row.channel_id: row.first_id for row in await tx.execute(query)}


async def record_story(
    tx: AsyncConnection, article: Article, *, story: int, told: Mapping[int, int], nothing_new: bool
) -> None:
    """Write that an article tells a known story, and in which channels it repeats which article."""
    mine = articles.c.id == article.id
    await tx.execute(update(articles).where(mine).values(same_story_as=story))
    if nothing_new:
        repeated = update(articles).where(mine, articles.c.disposition == Disposition.ALERT.value)
        await tx.execute(repeated.values(disposition=Disposition.REPEATED.value))
    rows = [
        {"article_id": article.id, "channel_id": channel_id, "first_id": first_id}
        for channel_id, first_id in sorted(told.items())
    ]
    if rows:
        await tx.execute(insert(tx, repeats).on_conflict_do_nothing(), rows)


async def let_held_give_way(tx: AsyncConnection, article_id: int, *, story: int, channel_ids: Sequence[int]) -> None:
    """Let held articles of a story repeat, in these channels, the one that is mailed there now.

    Whoever a held one was for subscribed before this one too, and is mailed this one; so nobody is left out. Rows that
    a decision about the flood holds are left to it: waiting for them could be waiting for each other.
    """
    if not channel_ids:
        return
    held = _of(story), articles.c.id != article_id, articles.c.disposition == Disposition.HELD.value
    ids = list(await tx.scalars(select(articles.c.id).where(*held).with_for_update(skip_locked=True)))
    if not ids:
        return
    gone = delete(matches).where(matches.c.article_id.in_(ids), matches.c.channel_id.in_(channel_ids))
    pairs = (await tx.execute(gone.returning(matches.c.article_id, matches.c.channel_id))).all()
    rows = [{"article_id": one, "channel_id": channel_id, "first_id": article_id} for one, channel_id in pairs]
    if rows:
        await tx.execute(insert(tx, repeats).on_conflict_do_nothing(), rows)


async def record_marks(tx: AsyncConnection, article: Article, marks: Sequence[int]) -> None:
    """Let copies of an article be found from now on."""
    rows = [{"mark": mark, "article_id": article.id, "seen_at": article.first_seen_at} for mark in marks]
    await tx.execute(insert(tx, story_marks).on_conflict_do_nothing(), rows)


async def purge_marks(tx: AsyncConnection, *, before: datetime) -> None:
    """Remove marks that no copy can be found by any more, some at a time."""
    oldest = select(story_marks.c.seen_at).order_by(story_marks.c.seen_at).offset(_PURGED).limit(1).scalar_subquery()
    statement = delete(story_marks).where(
        story_marks.c.seen_at < before, story_marks.c.seen_at <= func.coalesce(oldest, before)
    )
    await tx.execute(statement)


async def copies_of(tx: AsyncConnection, article_ids: Sequence[int], channel_id: int) -> dict[int, list[Copy]]:
    """Return where else the stories of a channel's articles stand, in the order in which they came."""
    query = (
        select(repeats.c.first_id, sources.c.name, articles.c.title, articles.c.url)
        .join(articles, articles.c.id == repeats.c.article_id)
        .join(sources, sources.c.id == articles.c.source_id)
        .where(repeats.c.channel_id == channel_id, repeats.c.first_id.in_(article_ids))
        .order_by(repeats.c.article_id)
    )
    found: defaultdict[int, list[Copy]] = defaultdict(list)
    for first_id, name, title, url in await tx.execute(query):
        found[first_id].append(Copy(source_name=name, title=title, url=url))
    return found


async def told_before(tx: AsyncConnection, article_id: int) -> list[int]:
    """Return the articles that told this one's story before: that owed their mails first.

    In one order for all who ask, whatever their clocks, so that of two articles one at least is mailed. An article that
    was held owes its mails since its release.
    """
    asked = (
        select(articles.c.same_story_as, fan_outs.c.created_at)
        .join(fan_outs, fan_outs.c.article_id == articles.c.id)
        .where(articles.c.id == article_id)
    )
    row = (await tx.execute(asked)).one_or_none()
    if row is None:
        return []
    earlier = or_(
        fan_outs.c.created_at < row.created_at,
        and_(fan_outs.c.created_at == row.created_at, articles.c.id < article_id),
    )
    query = (
        select(articles.c.id)
        .join(fan_outs, fan_outs.c.article_id == articles.c.id)
        .where(_of(row.same_story_as or article_id), articles.c.id != article_id, *_MAILED, earlier)
    )
    return list((await tx.scalars(query)).all())


def _of(story: int) -> ColumnElement[bool]:
    return or_(articles.c.id == story, articles.c.same_story_as == story)
