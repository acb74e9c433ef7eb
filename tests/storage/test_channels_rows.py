"""The rows of channels, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.core.model import ChannelState
from alerts.storage.channels import (
    Origin,
    active_channels,
    channel_by_slug,
    channels_by_ids,
    channels_by_slugs,
    declare_channel,
    last_position,
    list_channels,
    retire_missing,
)
from alerts.storage.engine import Database


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
