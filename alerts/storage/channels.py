"""Rows of channels: the named queries; whoever declared one, config or command line, owns its row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Channel, ChannelState, SubscriptionState
from alerts.storage.engine import insert
from alerts.storage.revisions import Counted, next_revision
from alerts.storage.schema import channels, matches, subscriptions


class Origin(StrEnum):
    """Who declared a channel."""

    CONFIG = "config"  # the config file: the row follows it
    CLI = "cli"  # `alerts channels add`: stays until it is declared otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedChannel:
    """A channel with what an operator asks about it."""

    channel: Channel
    origin: Origin
    matches: int
    subscribers: int  # with an active subscription
    created_at: datetime
    changed_at: datetime


class Place(NamedTuple):
    """A place in the order in which channels changed."""

    revision: int
    id: int


class ChangedChannel(NamedTuple):
    """What matching needs of a channel that changed."""

    place: Place
    slug: str
    query: str | None  # None: retired


class ChannelsState(NamedTuple):
    """What the channels come to: to see that they are still those of a moment ago."""

    all: int
    active: int
    changed_at: datetime | None


async def active_channels(tx: AsyncConnection, *, limit: int | None = None, offset: int = 0) -> list[Channel]:
    """Return the channels that match new articles, in the order declared: all, or ``limit`` from ``offset`` on."""
    query = select(channels).where(channels.c.state == ChannelState.ACTIVE.value).order_by(*_ORDER)
    return [_to_channel(row) for row in await tx.execute(query.limit(limit).offset(offset or None))]


async def channels_state(tx: AsyncConnection) -> ChannelsState:
    """Return what differs from before once any channel is added, changed or retired."""
    is_active = channels.c.state == ChannelState.ACTIVE.value
    query = select(func.count(), func.count().filter(is_active), func.max(channels.c.changed_at))
    return ChannelsState(*(await tx.execute(query.select_from(channels))).one())


async def changed_channels(tx: AsyncConnection, *, after: Place, until: int, limit: int) -> list[ChangedChannel]:
    """Return up to ``limit`` channels that changed after a place in the order of changes, retired ones too.

    ``until`` is the last revision to return: who reads page by page sees a channel that changes meanwhile once, or not
    yet, and never twice.
    """
    query = (
        select(channels.c.revision, channels.c.id, channels.c.slug, channels.c.query, channels.c.state)
        .where(tuple_(channels.c.revision, channels.c.id) > tuple_(*map(literal, after)))
        .where(channels.c.revision <= until)
        .order_by(channels.c.revision, channels.c.id)
        .limit(limit)
    )
    return [
        ChangedChannel(
            place=Place(row.revision, row.id),
            slug=row.slug,
            query=row.query if row.state == ChannelState.ACTIVE.value else None,
        )
        for row in await tx.execute(query)
    ]


async def count_active_channels(tx: AsyncConnection) -> int:
    """Count the channels that match new articles."""
    query = select(func.count()).select_from(channels).where(channels.c.state == ChannelState.ACTIVE.value)
    return await tx.scalar(query) or 0


async def channels_by_ids(tx: AsyncConnection, ids: Collection[int]) -> list[Channel]:
    """Return these channels, retired ones too, in the order declared."""
    query = select(channels).where(channels.c.id.in_(ids)).order_by(*_ORDER)
    return [_to_channel(row) for row in await tx.execute(query)]


async def channels_by_slugs(tx: AsyncConnection, slugs: Collection[str]) -> list[Channel]:
    """Return these channels, retired ones too, in the order declared; a slug of no channel is passed over."""
    query = select(channels).where(channels.c.slug.in_(slugs)).order_by(*_ORDER)
    return [_to_channel(row) for row in await tx.execute(query)]


async def channel_by_slug(tx: AsyncConnection, slug: str) -> Channel | None:
    """Return the channel, retired or not, or None."""
    found = await channels_by_slugs(tx, [slug])
    return found[0] if found else None


async def list_channels(tx: AsyncConnection, *, slug: str | None = None) -> list[ListedChannel]:
    """Return all channels (or the one of that slug) with their counts, in the order declared."""
    matched = _count_by_channel(matches.c.channel_id).subquery()
    followed = (
        _count_by_channel(subscriptions.c.channel_id)
        .where(subscriptions.c.state == SubscriptionState.ACTIVE.value)
        .subquery()
    )
    query = (
        select(channels, matched.c.number.label("matched"), followed.c.number.label("followed"))
        .outerjoin(matched, matched.c.channel_id == channels.c.id)
        .outerjoin(followed, followed.c.channel_id == channels.c.id)
        .order_by(*_ORDER)
    )
    if slug is not None:
        query = query.where(channels.c.slug == slug)
    return [
        ListedChannel(
            channel=_to_channel(row),
            origin=Origin(row.origin),
            matches=row.matched or 0,
            subscribers=row.followed or 0,
            created_at=row.created_at,
            changed_at=row.changed_at,
        )
        for row in await tx.execute(query)
    ]


async def declare_channel(
    tx: AsyncConnection, *, slug: str, name: str, query: str, origin: Origin, position: int, now: datetime
) -> bool:
    """Make the channel, or make it what is declared here, active again too; say whether that changed it."""
    declared = {"name": name, "query": query, "origin": origin.value, "state": ChannelState.ACTIVE.value}
    row = declared | {"position": position}
    known = (await tx.execute(select(channels).where(channels.c.slug == slug))).one_or_none()
    if known is not None and all(getattr(known, column) == value for column, value in row.items()):
        return False
    revision = await next_revision(tx, Counted.CHANNELS)
    statement = (
        insert(tx, channels)
        .values(slug=slug, created_at=now, changed_at=now, revision=revision, **row)
        .on_conflict_do_update(
            index_elements=["slug"],
            set_=row | {"changed_at": now, "revision": revision},
            where=or_(*(channels.c[column] != value for column, value in row.items())),
        )
        .returning(channels.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def retire_missing(tx: AsyncConnection, *, origin: Origin, declared: Sequence[str], now: datetime) -> list[str]:
    """Retire the active channels of ``origin`` that are not declared any more; return their slugs."""
    gone = and_(channels.c.origin == origin.value, channels.c.state == ChannelState.ACTIVE.value)
    active = (await tx.scalars(select(channels.c.slug).where(gone))).all()
    slugs = sorted(set(active) - set(declared))
    if not slugs:
        return []
    revision = await next_revision(tx, Counted.CHANNELS)
    retired = update(channels).where(gone).values(state=ChannelState.RETIRED.value, changed_at=now, revision=revision)
    for slug in slugs:
        await tx.execute(retired.where(channels.c.slug == slug))
    return slugs


async def active_by_hand(tx: AsyncConnection) -> list[Channel]:
    """Return the active channels that no config declared, in the order declared."""
    by_hand = and_(channels.c.origin == Origin.CLI.value, channels.c.state == ChannelState.ACTIVE.value)
    return [_to_channel(row) for row in await tx.execute(select(channels).where(by_hand).order_by(*_ORDER))]


async def edit_by_hand(tx: AsyncConnection, slug: str, *, name: str, query: str, known: Channel, now: datetime) -> bool:
    """Give a channel that was added by hand another name and query; False if it is not as it was ``known`` any more."""
    revision = await next_revision(tx, Counted.CHANNELS)
    edited = (
        update(channels)
        .where(channels.c.slug == slug, channels.c.origin == Origin.CLI.value)
        .where(channels.c.name == known.name, channels.c.query == known.query, channels.c.state == known.state.value)
        .values(name=name, query=query, changed_at=now, revision=revision)
        .returning(channels.c.id)
    )
    return (await tx.execute(edited)).one_or_none() is not None


async def last_position(tx: AsyncConnection) -> int:
    """Return the place of the last channel in the order declared; -1 when there is none."""
    found: int | None = await tx.scalar(select(func.max(channels.c.position)))
    return -1 if found is None else found


_ORDER = (channels.c.position, channels.c.slug)


def _count_by_channel(column: Any) -> Any:
    return select(column, func.count().label("number")).group_by(column)


def _to_channel(row: Row[Any]) -> Channel:
    return Channel(id=row.id, slug=row.slug, name=row.name, query=row.query, state=ChannelState(row.state))
