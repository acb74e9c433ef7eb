"""Channels: make the rows what the config declares, and add one by hand; every query is read before it is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.config import ChannelConfig
from alerts.core.errors import ConfigError, InputError, NotFoundError, QueryError
from alerts.core.model import Channel, ChannelState
from alerts.core.query import parse
from alerts.core.text import clean_line
from alerts.storage import channels
from alerts.storage.channels import ListedChannel, Origin
from alerts.storage.engine import Database
from alerts.storage.history import mails_a_month_of

LONGEST_NAME = 100
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_SLUG = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedChannels:
    """What the config changed, by slug."""

    changed: tuple[str, ...]  # new ones, changed ones, and those that came back
    retired: tuple[str, ...]


async def sync_channels(db: Database, declared: Sequence[ChannelConfig], *, now: datetime) -> SyncedChannels:
    """Make the rows what the config declares: all or nothing, and nothing when they already are.

    A channel that the config no longer declares is retired: it matches nothing, its subscriptions stay, and it comes
    back with them. One added by hand is left alone until the config declares its slug. Raises ConfigError for a query
    that cannot be read.
    """
    for channel in declared:
        _check_declared(channel)
    async with db.transaction() as tx:
        changed = [
            channel.slug
            for position, channel in enumerate(declared)
            if await channels.declare_channel(
                tx,
                slug=channel.slug,
                name=channel.name,
                query=channel.query,
                origin=Origin.CONFIG,
                position=position,
                now=now,
            )
        ]
        slugs = [channel.slug for channel in declared]
        retired = await channels.retire_missing(tx, origin=Origin.CONFIG, declared=slugs, now=now)
    return SyncedChannels(changed=tuple(changed), retired=tuple(retired))


async def add_channel(db: Database, *, slug: str, name: str, query: str, now: datetime) -> Channel:
    """Add a channel by hand, or bring a retired one back; it stays until the config declares its slug.

    Raises InputError for a slug, a name or a query that cannot be, or a slug that is taken.
    """
    name = clean_line(name)
    _check_names(slug, name)
    parse(query)
    async with db.transaction() as tx:
        known = await channels.channel_by_slug(tx, slug)
        if known is not None and known.state is ChannelState.ACTIVE:
            raise InputError(
                f'There is a channel "{slug}" already ({known.name}). Choose another slug, or change that one.'
            )
        position = await channels.last_position(tx) + 1
        await channels.declare_channel(
            tx, slug=slug, name=name, query=query, origin=Origin.CLI, position=position, now=now
        )
        added = await channels.channel_by_slug(tx, slug)
    if added is None:
        raise RuntimeError(f"channel {slug} is gone in its own transaction")
    return added


async def editable_channel(db: Database, slug: str) -> Channel:
    """Return an active channel that was added by hand; raise NotFoundError, or InputError for one of the config."""
    listed = await show_channel(db, slug)
    if listed.origin is Origin.CONFIG and listed.channel.state is ChannelState.ACTIVE:
        raise InputError(
            f'The config declares the channel "{slug}": change it there, '
            f"and see with `alerts channels test {slug}` what that does."
        )
    if listed.channel.state is not ChannelState.ACTIVE:
        raise InputError(f'The channel "{slug}" is retired; `alerts channels add` brings it back.')
    return listed.channel


async def edit_channel(db: Database, known: Channel, *, name: str, query: str, now: datetime) -> None:
    """Give a channel that was added by hand another name and query, if it still is as ``known``.

    Raises InputError for a name or a query that cannot be, or a channel that was changed meanwhile.
    """
    name = clean_line(name)
    _check_names(known.slug, name)
    parse(query)
    async with db.transaction() as tx:
        if not await channels.edit_by_hand(tx, known.slug, name=name, query=query, known=known, now=now):
            raise InputError(f'The channel "{known.slug}" was changed meanwhile; look at it and try again.')


async def mails_a_month(db: Database, *, now: datetime) -> dict[int, int | None]:
    """Say about how many mails a month each channel makes, by its id; None is "too young to say"."""
    async with db.reading() as tx:
        return await mails_a_month_of(tx, now=now)


async def list_channels(db: Database) -> list[ListedChannel]:
    """Return all channels with their counts, in the order declared."""
    async with db.reading() as tx:
        return await channels.list_channels(tx)


async def show_channel(db: Database, slug: str) -> ListedChannel:
    """Return one channel with its counts; raise NotFoundError with the slugs that there are."""
    async with db.reading() as tx:
        found = await channels.list_channels(tx, slug=slug)
        if found:
            return found[0]
        known = ", ".join(listed.channel.slug for listed in (await channels.list_channels(tx))[:20])
    raise NotFoundError(f'There is no channel "{slug}". {f"Channels: {known}." if known else "There are none yet."}')


def _check_declared(channel: ChannelConfig) -> None:
    try:
        parse(channel.query)
    except QueryError as error:
        what = f'channel "{channel.slug}": the query is wrong: '
        raise ConfigError(f"{what}{error}", drawn=f"{what}{error.drawn}") from error


def _check_names(slug: str, name: str) -> None:
    if not _SLUG.fullmatch(slug) or len(slug) > _LONGEST_SLUG:
        raise InputError(
            f'"{slug}" is not a slug: write small letters, digits and single hyphens, at most {_LONGEST_SLUG}.'
        )
    if not name or len(name) > LONGEST_NAME:
        raise InputError(f"A channel's name has 1 to {LONGEST_NAME} characters.")
