"""Try channels: read their queries and ask them about the articles that are stored; writes nothing, alerts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.core.boilerplate import trim
from alerts.core.errors import NotFoundError, QueryError
from alerts.core.model import Article
from alerts.core.query import Prepared, evaluate, parse, prepare
from alerts.storage import articles, boilerplate, channels
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
    asked: int  # articles
    answering: tuple[Answering, ...]  # the newest first


async def try_channels(db: Database, *, slug: str | None = None, limit: int) -> list[Trial]:
    """Try all active channels, or the one of ``slug`` retired or not, on the ``limit`` articles seen last."""
    async with db.reading() as tx:
        asked = await channels.active_channels(tx) if slug is None else await channels.channels_by_slugs(tx, [slug])
        stored = await articles.latest(tx, limit=limit)
        learnt = await boilerplate.learnt_lines(tx, stored)
    if slug is not None and not asked:
        raise NotFoundError(f'There is no channel "{slug}"; `alerts channels list` shows them.')
    return await asyncio.to_thread(_try_all, [(channel.slug, channel.query) for channel in asked], stored, learnt)


async def try_query(db: Database, query: str, *, limit: int) -> Trial:
    """Try a query that is no channel's yet; raise QueryError if it cannot be read."""
    parse(query)
    async with db.reading() as tx:
        stored = await articles.latest(tx, limit=limit)
        learnt = await boilerplate.learnt_lines(tx, stored)
    return (await asyncio.to_thread(_try_all, [(None, query)], stored, learnt))[0]


def _try_all(
    queries: Sequence[tuple[str | None, str]], stored: Sequence[Article], learnt: Mapping[int, frozenset[str]]
) -> list[Trial]:
    items = [(article, trim(article.item, learnt[article.source_id]).item) for article in stored]
    prepared = [(article, prepare(item, source_name=article.source_name)) for article, item in items]
    return [_try(slug, query, prepared) for slug, query in queries]


def _try(slug: str | None, query: str, prepared: Sequence[tuple[Article, Prepared]]) -> Trial:
    try:
        parsed = parse(query)
    except QueryError as error:
        return Trial(slug=slug, query=query, problem=str(error), asked=0, answering=())
    verdicts = [(article, evaluate(parsed, words)) for article, words in prepared]
    answering = tuple(Answering(article=article, score=it.score) for article, it in verdicts if it.matched)
    return Trial(slug=slug, query=query, problem=None, asked=len(prepared), answering=answering)
