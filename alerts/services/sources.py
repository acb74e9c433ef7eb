"""Declare sources: those of the config follow the file, those added by hand stay until they are removed. Polls none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.config import SourceConfig
from alerts.config.extras import what_to_install
from alerts.core.errors import InputError, NotFoundError
from alerts.core.model import Content, FirstPoll, Source, SourceKind, SourceState
from alerts.core.source_names import FreshNames, feed_location, source_name, unique_name
from alerts.storage import sources, websub
from alerts.storage.engine import Database
from alerts.storage.websub import HubSubscription

CONFIG, CLI = "config", "cli"
DEFAULT_EVERY = timedelta(minutes=5)
DEFAULT_EVERY_AT_MOST = timedelta(hours=1)
DEFAULT_MAX_AGE = timedelta(hours=48)
FEEDS_A_STEP = 500  # added in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How the rows were brought in line with the config."""

    added: int
    removed: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFeeds:
    """What became of a list of feeds."""

    added: int
    known: int  # sources already


async def sync_sources(db: Database, configured: Sequence[SourceConfig], *, now: datetime) -> Synced:
    """Make the config's sources those of the ledger; one that left the config is removed, and its articles stay.

    A source that an operator paused stays paused, one that comes back after its removal begins as a new one does.
    """
    async with db.transaction() as tx:
        removed = await _remove_missing(tx, {one.location for one in configured})
        added = 0
        for one in configured:
            added += await _declare(tx, _from_config(one, now), origin=CONFIG, now=now)
        return Synced(added=added, removed=removed, kept=len(configured) - added)


async def add_feed(
    db: Database, url: str, *, allow_private: bool = False, content: Content = Content.CONTENT, now: datetime
) -> Source:
    """Add a feed by hand, or bring a removed one back.

    Raises InputError for a wrong URL, one that is there, or a content that needs something installed.
    """
    source = _by_hand(url, "", allow_private=allow_private, content=content, now=now)
    async with db.transaction() as tx:
        existing = await sources.source_by_location(tx, source.location)
        if existing is not None and existing.state is not SourceState.REMOVED:
            raise InputError(f"this feed is a source already, named {existing.name}")
        await _declare(tx, source, origin=CLI, now=now)
        added = await sources.source_by_location(tx, source.location)
    if added is None:
        raise NotFoundError(f"the source {source.location} was removed at the same time; add it again")
    return added


async def add_feeds(
    db: Database,
    feeds: Sequence[tuple[str, str]],
    *,
    allow_private: bool = False,
    content: Content = Content.CONTENT,
    now: datetime,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> AddedFeeds:
    """Add feeds by hand, each a URL and the name that it shall bear ("" for its usual one); those there are left alone.

    Some hundred at a time in one transaction: what was interrupted is begun again, and adds the rest. Raises InputError
    for a wrong URL, or a content that needs something installed. ``on_progress`` hears how many of how many are done.
    """
    wanted = [_by_hand(url, name, allow_private=allow_private, content=content, now=now) for url, name in feeds]
    added = 0
    for start in range(0, len(wanted), FEEDS_A_STEP):
        step = wanted[start : start + FEEDS_A_STEP]
        async with db.transaction() as tx:
            added += await _add_step(tx, step, now=now)
        on_progress(start + len(step), len(wanted))
    return AddedFeeds(added=added, known=len(wanted) - added)


def refuse_without_its_part(content: Content) -> None:
    """Raise InputError for a content that needs something installed which is not."""
    missing = what_to_install(content)
    if missing is not None:
        raise InputError(missing)


async def pause_source(db: Database, name: str) -> Source:
    """Poll a source no more until it is resumed; raise NotFoundError when there is none of this name."""
    async with db.transaction() as tx:
        source = await _named(tx, name)
        await sources.rest_source(tx, source.id, state=SourceState.PAUSED)
        return await _named(tx, name)


async def resume_source(db: Database, name: str, *, now: datetime) -> Source:
    """Poll a paused or stopped source again, at once; what appeared meanwhile is new."""
    async with db.transaction() as tx:
        source = await _named(tx, name)
        await sources.resume_source(tx, source.id, now=now)
        return await _named(tx, name)


async def remove_source(db: Database, name: str) -> Source:
    """Remove a source that was added by hand; its articles stay. One of the config is removed there, so InputError."""
    async with db.transaction() as tx:
        source = await _named(tx, name)
        if source.kind is SourceKind.API:
            raise InputError(
                f"{name} is what a key posts; `alerts keys revoke` ends it, `alerts sources pause` holds it"
            )
        if (await sources.origins(tx))[source.id] == CONFIG:
            raise InputError(f"{name} stands in the config and would come back; remove it there, or pause it")
        await sources.rest_source(tx, source.id, state=SourceState.REMOVED)
        return replace(source, state=SourceState.REMOVED)


async def _add_step(tx: AsyncConnection, step: Sequence[Source], *, now: datetime) -> int:
    """Add those that are not there; return how many. Names are given from one look at those taken."""
    there = {one.location: one for one in await sources.list_sources(tx, include_removed=True)}
    names = FreshNames(await sources.taken_names(tx))
    added = 0
    for one in step:
        existing = there.get(one.location)
        if existing is not None and existing.state is not SourceState.REMOVED:
            continue
        wanted = one.name or source_name(one.kind, one.location)
        if existing is None:
            await sources.insert_source(tx, source=replace(one, name=names.give(wanted)), origin=CLI, now=now)
        else:  # was removed
            name = wanted if wanted == existing.name else names.give(wanted)
            await sources.update_settings(tx, source=replace(one, id=existing.id, name=name), origin=CLI, now=now)
            await sources.revive_source(tx, existing.id, now=now)
        there[one.location] = one
        added += 1
    return added


async def list_sources(db: Database) -> list[Source]:
    """Return the sources that are not removed, by name."""
    async with db.reading() as tx:
        return await sources.list_sources(tx)


async def hubs_by_source(db: Database) -> dict[int, HubSubscription]:
    """Find where we hear of the sources' news, or want to, by source."""
    async with db.reading() as tx:
        return await websub.by_source(tx)


async def find_source(db: Database, name: str) -> Source:
    """Return the source of this name; raise NotFoundError when there is none."""
    async with db.reading() as tx:
        return await _named(tx, name)


async def _named(tx: AsyncConnection, name: str) -> Source:
    source = await sources.source_by_name(tx, name)
    if source is None:
        raise NotFoundError(f"there is no source named {name}; `alerts sources list` names them")
    return source


async def _remove_missing(tx: AsyncConnection, configured: set[str]) -> int:
    """Remove the config's sources that are not in it any more."""
    declared_by = await sources.origins(tx)
    gone = [
        one
        for one in await sources.list_sources(tx)
        if declared_by[one.id] == CONFIG and one.location not in configured
    ]
    for one in gone:
        await sources.rest_source(tx, one.id, state=SourceState.REMOVED, reason="no longer in the config")
    return len(gone)


async def _declare(tx: AsyncConnection, wanted: Source, *, origin: str, now: datetime) -> bool:
    """Add a source or give it new settings; return whether it begins now."""
    existing = await sources.source_by_location(tx, wanted.location)
    name = await _free_name(tx, wanted, existing)
    if existing is None:
        await sources.insert_source(tx, source=replace(wanted, name=name), origin=origin, now=now)
        return True
    await sources.update_settings(tx, source=replace(wanted, id=existing.id, name=name), origin=origin, now=now)
    if existing.state is not SourceState.REMOVED:
        return False
    await sources.revive_source(tx, existing.id, now=now)
    return True


async def _free_name(tx: AsyncConnection, wanted: Source, existing: Source | None) -> str:
    """Return the name that it shall bear: the one wanted, numbered when another source bears it."""
    name = wanted.name or source_name(wanted.kind, wanted.location)
    await sources.free_name(tx, name, but_of=existing)
    others = {taken for taken in await sources.taken_names(tx) if existing is None or taken != existing.name}
    return unique_name(name, others)


def _by_hand(url: str, name: str, *, allow_private: bool, content: Content, now: datetime) -> Source:
    """Return a feed with the defaults; raise InputError for a wrong URL, or a content that cannot be had here."""
    refuse_without_its_part(content)
    return Source(
        id=0,
        name=name,
        kind=SourceKind.FEED,
        location=feed_location(url),
        every=DEFAULT_EVERY,
        first_poll=FirstPoll.SEEN,
        max_age=DEFAULT_MAX_AGE,
        allow_private=allow_private,
        state=SourceState.OK,
        reason=None,
        next_poll_at=now,
        polled_at=None,
        every_at_most=DEFAULT_EVERY_AT_MOST,
        content=content,
    )


def _from_config(one: SourceConfig, now: datetime) -> Source:
    return Source(
        id=0,
        name=one.name,
        kind=one.kind,
        location=one.location,
        every=one.every,
        first_poll=one.first_poll,
        max_age=one.max_age,
        allow_private=one.allow_private,
        flood=one.flood,
        state=SourceState.OK,
        reason=None,
        next_poll_at=now,
        polled_at=None,
        every_at_most=one.every_at_most,
        content=one.content,
    )
