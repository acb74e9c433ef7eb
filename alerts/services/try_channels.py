"""Try channels: read their queries and ask them about the articles that are stored; writes nothing, alerts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.config import ChannelConfig
from alerts.config.model import AliasesConfig
from alerts.core.boilerplate import trim
from alerts.core.edits import Edit
from alerts.core.errors import NotFoundError, QueryError
from alerts.core.model import Article, ChannelState
from alerts.core.query import Aliases, Glance, Query, evaluate, parse, prepare
from alerts.core.query.aliases import mentions
from alerts.storage import articles, boilerplate, channels
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database

PIECE = 100  # articles in memory at once

Read = Callable[[str], Query]
Progress = Callable[[int, int], None]  # articles asked about so far, and at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A stored article that a query matches."""

    id: int
    title: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a query would match."""

    slug: str | None  # None: a query that is no channel's
    query: str
    problem: str | None  # why it cannot be read
    picture: str  # of the place where it cannot, on two lines; empty where it can
    asked: int  # articles
    answering: tuple[Answering, ...]  # the newest first


@dataclass(slots=True)
class _Tried:
    """A query while the articles go by."""

    slug: str | None
    text: str
    query: Query | None  # None: it cannot be read
    error: QueryError | None = None
    answering: list[Answering] = field(default_factory=list)


async def try_channels(
    db: Database,
    *,
    slug: str | None = None,
    limit: int,
    declared: Sequence[ChannelConfig] | None = None,
    read: Read | None = None,
    progress: Progress | None = None,
) -> list[Trial]:
    """Try all active channels, or the one of ``slug`` retired or not, on the ``limit`` articles seen last.

    ``declared``: as if the config said so already; those that were added by hand come after them. ``read`` makes a
    query of its text; None: with the aliases in force.
    """
    async with db.reading() as tx:
        asked = await _asked(tx, slug, declared)
    if slug is not None and not asked:
        raise NotFoundError(f'There is no channel "{slug}"; `alerts channels list` shows them.')
    return await _try_all(db, asked, limit=limit, read=read, progress=progress)


async def edits_of(
    db: Database, declared: Sequence[ChannelConfig], aliases: Sequence[AliasesConfig] = ()
) -> list[Edit]:
    """Return what the config would change of the queries that are in force; a channel that is not yet is new.

    Other ``aliases`` change every query that may write one of their names, also of channels that were added by hand.
    """
    async with db.reading() as tx:
        known = await channels.channels_by_slugs(tx, [one.slug for one in declared])
        by_hand = await channels.active_by_hand(tx)
        in_force = await known_aliases(tx)
    old = {one.slug: one.query for one in known if one.state is ChannelState.ACTIVE}
    new = {one.slug: one.query for one in declared}
    edits = [Edit(slug=slug, old=old.get(slug), new=query) for slug, query in new.items()]
    edits += [Edit(slug=one.slug, old=one.query, new=one.query) for one in by_hand if one.slug not in new]
    names = in_force.changed_names(Aliases.of({one.name: one.others for one in aliases}))
    return [edit for edit in edits if edit.old != edit.new or mentions(edit.new, names)]


async def try_query(
    db: Database, query: str, *, limit: int, read: Read | None = None, progress: Progress | None = None
) -> Trial:
    """Try a query that is no channel's yet; raise QueryError if it cannot be read."""
    parse(query)
    return (await _try_all(db, [(None, query)], limit=limit, read=read, progress=progress))[0]


async def _asked(
    tx: AsyncConnection, slug: str | None, declared: Sequence[ChannelConfig] | None
) -> list[tuple[str | None, str]]:
    """Return the slugs and queries to try."""
    wanted = [one for one in declared or () if slug in {None, one.slug}]
    if slug is not None:
        stored = [] if wanted else await channels.channels_by_slugs(tx, [slug])
    elif declared is None:
        stored = await channels.active_channels(tx)
    else:
        slugs = {one.slug for one in declared}
        stored = [one for one in await channels.active_by_hand(tx) if one.slug not in slugs]
    return [*((one.slug, one.query) for one in wanted), *((one.slug, one.query) for one in stored)]


async def _try_all(
    db: Database,
    asked: Sequence[tuple[str | None, str]],
    *,
    limit: int,
    read: Read | None,
    progress: Progress | None,
) -> list[Trial]:
    """Ask about the articles a piece at a time, so that memory does not grow with them; the event loop stays free."""
    async with db.reading() as tx:
        read = read or partial(parse, aliases=await known_aliases(tx))
    tried = [_tried(slug, query, read) for slug, query in asked]
    readable = [one for one in tried if one.query is not None]
    glance = Glance([one.query for one in readable if one.query is not None])
    done, last = 0, None
    while piece := await _piece(db, limit - done, last):
        found = await asyncio.to_thread(_glanced, glance, piece)
        async with db.reading() as tx:
            learnt = await boilerplate.learnt_lines(tx, [article for article, _ in found])
        await asyncio.to_thread(_ask, readable, found, learnt)
        done, last = done + len(piece), piece[-1]
        if progress is not None:
            progress(done, limit)
    return [_trial(one, done) for one in tried]


async def _piece(db: Database, left: int, last: Article | None) -> list[Article]:
    if left <= 0:
        return []
    async with db.reading() as tx:
        return await articles.latest(tx, limit=min(PIECE, left), before=last)


def _tried(slug: str | None, text: str, read: Read) -> _Tried:
    try:
        return _Tried(slug, text, read(text))
    except QueryError as error:
        return _Tried(slug, text, None, error)


def _glanced(glance: Glance, piece: Sequence[Article]) -> list[tuple[Article, set[int]]]:
    looked = ((it, glance.candidates(it.item, source_name=it.source_name)) for it in piece)
    return [(article, numbers) for article, numbers in looked if numbers]


def _ask(
    tried: Sequence[_Tried], found: Sequence[tuple[Article, set[int]]], learnt: Mapping[int, frozenset[str]]
) -> None:
    for article, numbers in found:
        prepared = prepare(trim(article.item, learnt[article.source_id]).item, source_name=article.source_name)
        for one in (tried[number] for number in sorted(numbers)):
            if one.query is not None and (verdict := evaluate(one.query, prepared)).matched:
                one.answering.append(Answering(id=article.id, title=article.item.title, score=verdict.score))


def _trial(tried: _Tried, asked: int) -> Trial:
    return Trial(
        slug=tried.slug,
        query=tried.text,
        problem=None if tried.error is None else str(tried.error),
        picture="" if tried.error is None else tried.error.picture,
        asked=asked if tried.error is None else 0,
        answering=tuple(tried.answering),
    )
