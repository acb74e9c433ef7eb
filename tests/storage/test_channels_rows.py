"""The rows of channels, on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from alerts.core.model import ChannelState
from alerts.core.query import NO_ALIASES, Aliases
from alerts.storage.aliases import known_aliases, replace_aliases
from alerts.storage.channels import (
    Origin,
    Place,
    active_channels,
    changed_channels,
    channel_by_slug,
    channels_by_ids,
    channels_by_slugs,
    declare_channel,
    last_position,
    list_channels,
    retire_missing,
)
from alerts.storage.engine import Database
from alerts.storage.revisions import Counted, current_revisions


async def declare(
    db: Database, slug: str, *, now: datetime, position: int = 0, origin: Origin = Origin.CONFIG, query: str = "x"
) -> bool:
    async with db.transaction() as tx:
        return await declare_channel(
            tx, slug=slug, name=slug.title(), query=query, origin=origin, position=position, now=now
        )


async def test_a_declared_channel_is_active_and_in_its_place(db: Database, now: datetime) -> None:
    assert await declare(db, "nio", now=now, position=1)
    assert await declare(db, "xiaomi", now=now, position=0)
    async with db.reading() as tx:
        active = await active_channels(tx)
        assert await last_position(tx) == 1
    assert [(it.slug, it.name, it.state) for it in active] == [
        ("xiaomi", "Xiaomi", ChannelState.ACTIVE),
        ("nio", "Nio", ChannelState.ACTIVE),
    ]


async def test_declaring_the_same_again_changes_nothing(db: Database, now: datetime) -> None:
    later = now + timedelta(hours=1)
    await declare(db, "nio", now=now)
    assert not await declare(db, "nio", now=later)
    assert await declare(db, "nio", now=later, query="y")
    async with db.reading() as tx:
        (listed,) = await list_channels(tx)
    assert (listed.channel.query, listed.created_at, listed.changed_at) == ("y", now, later)


async def test_what_is_not_declared_any_more_is_retired_and_comes_back_with_its_id(db: Database, now: datetime) -> None:
    await declare(db, "nio", now=now)
    await declare(db, "byd", now=now, origin=Origin.CLI)
    async with db.transaction() as tx:
        known = await channel_by_slug(tx, "nio")
        assert await retire_missing(tx, origin=Origin.CONFIG, declared=["xiaomi"], now=now) == ["nio"]
        assert await retire_missing(tx, origin=Origin.CONFIG, declared=["xiaomi"], now=now) == []
        assert [it.slug for it in await active_channels(tx)] == ["byd"]
    assert await declare(db, "nio", now=now)
    async with db.reading() as tx:
        assert await channel_by_slug(tx, "nio") == known


async def test_channels_are_found_by_id_and_slug(db: Database, now: datetime) -> None:
    await declare(db, "nio", now=now)
    async with db.reading() as tx:
        found = await channel_by_slug(tx, "nio")
        assert found is not None
        assert await channels_by_ids(tx, [found.id, 99]) == [found]
        assert await channels_by_slugs(tx, ["nio", "none"]) == [found]
        assert await channel_by_slug(tx, "none") is None


async def test_an_empty_ledger_has_no_channels(db: Database) -> None:
    async with db.reading() as tx:
        assert await active_channels(tx) == []
        assert await list_channels(tx) == []
        assert await last_position(tx) == -1


@pytest.mark.parametrize("slug", ["'; drop table channels; --", "ü", ""])
async def test_a_slug_is_only_ever_a_value(db: Database, slug: str, now: datetime) -> None:
    await declare(db, slug, now=now)
    async with db.reading() as tx:
        assert [it.slug for it in await active_channels(tx)] == [slug]


async def test_each_change_is_numbered_and_read_from_there_on(db: Database, now: datetime) -> None:
    await declare(db, "nio", now=now)
    await declare(db, "byd", now=now, origin=Origin.CLI)
    async with db.reading() as tx:
        first = await changed_channels(tx, after=Place(-1, 0), until=99, limit=9)
        before = await current_revisions(tx)
        assert await changed_channels(tx, after=Place(-1, 0), until=99, limit=1) == first[:1]
        assert await changed_channels(tx, after=first[0].place, until=99, limit=9) == first[1:]
        assert await changed_channels(tx, after=first[1].place, until=99, limit=9) == []
        assert await changed_channels(tx, after=Place(-1, 0), until=first[0].place.revision, limit=9) == first[:1]
    assert [(it.slug, it.query) for it in first] == [("nio", "x"), ("byd", "x")]
    await declare(db, "byd", now=now, origin=Origin.CLI)
    async with db.transaction() as tx:
        assert await retire_missing(tx, origin=Origin.CONFIG, declared=["nio"], now=now) == []
    async with db.reading() as tx:
        assert await current_revisions(tx) == before
    async with db.transaction() as tx:
        await retire_missing(tx, origin=Origin.CONFIG, declared=[], now=now)
    async with db.reading() as tx:
        (gone,) = await changed_channels(tx, after=first[1].place, until=99, limit=9)
        assert (await current_revisions(tx))[Counted.CHANNELS] == before[Counted.CHANNELS] + 1 == gone.place.revision
    assert (gone.slug, gone.query) == ("nio", None)


async def test_a_change_that_is_committed_later_is_numbered_later(db: Database, now: datetime) -> None:
    """Or who has read up to a number would never see the one below it that came after."""
    async with db.transaction() as tx:
        await declare_channel(tx, slug="a", name="A", query="x", origin=Origin.CLI, position=0, now=now)
        other = asyncio.create_task(declare(db, "b", now=now))
        await asyncio.wait([other], timeout=0.2)
        assert not other.done()
    await other
    async with db.reading() as tx:
        assert [it.slug for it in await changed_channels(tx, after=Place(-1, 0), until=99, limit=9)] == ["a", "b"]


async def test_aliases_are_what_was_declared_last(db: Database) -> None:
    async with db.transaction() as tx:
        assert await replace_aliases(tx, {"Xiaomi": ["小米", "XIACY"], "BYD": ["比亚迪"]})
        assert not await replace_aliases(tx, {"BYD": ("比亚迪",), "Xiaomi": ("小米", "XIACY")})
    async with db.reading() as tx:
        assert await known_aliases(tx) == Aliases.of({"Xiaomi": ["小米", "XIACY"], "BYD": ["比亚迪"]})
    async with db.transaction() as tx:
        assert await replace_aliases(tx, {})
        assert await known_aliases(tx) == NO_ALIASES
        assert (await current_revisions(tx))[Counted.ALIASES] == 2
