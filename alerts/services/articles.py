"""Find an article that a command names: one that is stored, or one in a file, which is read and not stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from alerts.core.articles import content_hash
from alerts.core.boilerplate import trim
from alerts.core.errors import ArticleError, NotFoundError, QueryError
from alerts.core.items import Parsed
from alerts.core.model import Article, Channel, Disposition, Item, Source, SourceKind
from alerts.core.publication import Step, decide_publication
from alerts.core.query import Aliases, Query, evaluate, parse, prepare
from alerts.sources.folder import FileGoneError, look_at, read_file
from alerts.sources.formats import read_items
from alerts.storage import articles, boilerplate, channels, sources
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database

_ID = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArticle:
    """An article, and whether the ledger knows it; one that is not stored has id 0."""

    article: Article
    is_stored: bool
    notes: tuple[str, ...] = ()  # what whoever asked should know about the file


async def find_article(db: Database, file_or_id: str, *, now: datetime, time_zone: tzinfo) -> FoundArticle:
    """Return the article with this id, or the first one in this file.

    Raises NotFoundError when there is neither, ArticleError when the file holds no article.
    """
    if _ID.fullmatch(file_or_id):
        async with db.reading() as tx:
            article = await articles.article_by_id(tx, int(file_or_id))
        if article is None:
            raise NotFoundError(f"There is no article {file_or_id}; `alerts articles list` shows the latest.")
        return FoundArticle(article=article, is_stored=True)
    path = Path(file_or_id)
    async with db.reading() as tx:
        known = await sources.list_sources(tx)
    source, name = _place(path, known)
    parsed = await asyncio.to_thread(_read, path, name, time_zone)
    if not parsed.items:
        raise ArticleError(f"{path}: is a feed without items")
    return _first(parsed, source=source, now=now)


async def list_articles(db: Database, *, limit: int) -> list[Article]:
    """Return the articles seen last, newest first."""
    async with db.reading() as tx:
        return await articles.latest(tx, limit=limit)


async def matching_slugs(db: Database, asked: Sequence[Article]) -> list[list[str]]:
    """Return, for each article, the slugs of the active channels whose queries match it as they are now."""
    async with db.reading() as tx:
        active, aliases = await channels.active_channels(tx), await known_aliases(tx)
        learnt = await boilerplate.learnt_lines(tx, asked)
    trimmed = [trim(article.item, learnt[article.source_id]).item for article in asked]
    return await asyncio.to_thread(_matching, active, aliases, asked, trimmed)


def _matching(
    active: Sequence[Channel], aliases: Aliases, asked: Sequence[Article], trimmed: Sequence[Item]
) -> list[list[str]]:
    queries = {channel.slug: query for channel in active if (query := _parsed(channel.query, aliases)) is not None}
    prepared = [prepare(item, source_name=article.source_name) for article, item in zip(asked, trimmed, strict=True)]
    return [[slug for slug, query in queries.items() if evaluate(query, one).matched] for one in prepared]


def _parsed(query: str, aliases: Aliases) -> Query | None:
    """Return the query, or None for one that cannot be read: `alerts channels test` tells why."""
    try:
        return parse(query, aliases)
    except QueryError:
        return None


def _place(path: Path, known: Sequence[Source]) -> tuple[Source | None, str]:
    """Return the folder source that a file lies in, and its path there; else no source and the file's name."""
    real = path.absolute()
    for source in known:
        if source.kind is SourceKind.FOLDER and real.is_relative_to(source.location):
            return source, real.relative_to(source.location).as_posix()
    return None, path.name


def _read(path: Path, name: str, time_zone: tzinfo) -> Parsed:
    try:
        return read_items(name, read_file(look_at(path)), time_zone=time_zone)
    except (FileNotFoundError, FileGoneError) as error:
        raise NotFoundError(f"There is no file {path}, and an article's id is a number.") from error
    except ArticleError as error:
        raise ArticleError(f"{path}: {error}") from error


def _first(parsed: Parsed, *, source: Source | None, now: datetime) -> FoundArticle:
    first = parsed.items[0]
    notes = list(parsed.notes)
    if len(parsed.items) > 1:
        notes.append(f"the file holds {len(parsed.items)} articles; this is the first")
    publication = decide_publication(first, now=now)
    if publication.step is not Step.PUBLISH:
        notes.append(f"in a folder it would not be stored now: it {publication.reason}")
    article = Article(
        id=0,
        source_id=source.id if source else 0,
        source_name=source.name if source else "",
        item=first.item,
        content_hash=content_hash(first.item),
        first_seen_at=now,
        disposition=Disposition.ALERT,
    )
    return FoundArticle(article=article, is_stored=False, notes=tuple(notes))
