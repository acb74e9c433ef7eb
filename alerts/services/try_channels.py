"""Try channels: read their queries and ask them about the articles that are stored; writes nothing, alerts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.config import ChannelConfig
from alerts.core.boilerplate import trim
from alerts.core.edits import Edit
from alerts.core.errors import NotFoundError, QueryError
from alerts.core.model import Article, ChannelState
from alerts.core.query import Aliases, Prepared, evaluate, parse, prepare
from alerts.storage import articles, boilerplate, channels
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A stored article that a query matches."""

    article: Article
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


async def try_channels(
    db: Database, *, slug: str | None = None, limit: int, declared: Sequence[ChannelConfig] | None = None
) -> list[Trial]:
    """Try all active channels, or the one of ``slug`` retired or not, on the ``limit`` articles seen last.

    ``declared``: as if the config said so already; those that were added by hand come after them.
    """
    async with db.reading() as tx:
        asked = await _asked(tx, slug, declared)
        stored, aliases = await articles.latest(tx, limit=limit), await known_aliases(tx)
        learnt = await boilerplate.learnt_lines(tx, stored)
    if slug is not None and not asked:
        raise NotFoundError(f'There is no channel "{slug}"; `alerts channels list` shows them.')
    return await asyncio.to_thread(_try_all, asked, stored, aliases, learnt)


async def edits_of(db: Database, declared: Sequence[ChannelConfig]) -> list[Edit]:
    """Return what the config would change of the queries that are in force; a channel that is not yet is new."""
    async with db.reading() as tx:
        known = await channels.channels_by_slugs(tx, [one.slug for one in declared])
    in_force = {one.slug: one.query for one in known if one.state is ChannelState.ACTIVE}
    edits = [Edit(slug=one.slug, old=in_force.get(one.slug), new=one.query) for one in declared]
    return [edit for edit in edits if edit.old != edit.new]


async def try_query(db: Database, query: str, *, limit: int) -> Trial:
    """Try a query that is no channel's yet; raise QueryError if it cannot be read."""
    parse(query)
    async with db.reading() as tx:
        stored, aliases = await articles.latest(tx, limit=limit), await known_aliases(tx)
        learnt = await boilerplate.learnt_lines(tx, stored)
    return (await asyncio.to_thread(_try_all, [(None, query)], stored, aliases, learnt))[0]


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


def _try_all(
    queries: Sequence[tuple[str | None, str]],
    stored: Sequence[Article],
    aliases: Aliases,
    learnt: Mapping[int, frozenset[str]],
) -> list[Trial]:
    items = [(article, trim(article.item, learnt[article.source_id]).item) for article in stored]
    prepared = [(article, prepare(item, source_name=article.source_name)) for article, item in items]
    return [_try(slug, query, prepared, aliases) for slug, query in queries]


def _try(slug: str | None, query: str, prepared: Sequence[tuple[Article, Prepared]], aliases: Aliases) -> Trial:
    try:
        parsed = parse(query, aliases)
    except QueryError as error:
        return Trial(slug=slug, query=query, problem=str(error), picture=error.picture, asked=0, answering=())
    verdicts = [(article, evaluate(parsed, words)) for article, words in prepared]
    answering = tuple(Answering(article=article, score=it.score) for article, it in verdicts if it.matched)
    return Trial(slug=slug, query=query, problem=None, picture="", asked=len(prepared), answering=answering)
