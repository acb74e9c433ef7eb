"""Channels from the config and by hand: the rows follow what is declared, and a wrong query never gets in."""

from __future__ import annotations

from datetime import datetime

import pytest
from cast import World

from alerts.config import ChannelConfig
from alerts.config.model import AliasesConfig
from alerts.core.errors import ConfigError, InputError, NotFoundError, QueryError
from alerts.core.model import ChannelState
from alerts.services.aliases import reader_of
from alerts.services.channels import add_channel, list_channels, show_channel, sync_channels
from alerts.services.try_channels import PIECE, try_channels, try_query
from alerts.storage.engine import Database

XIAOMI = ChannelConfig(slug="xiaomi", name="Xiaomi", query="tag:Xiaomi OR about:Xiaomi")
NIO = ChannelConfig(slug="nio", name="NIO", query="about:NIO")


async def states(db: Database) -> dict[str, ChannelState]:
    return {it.channel.slug: it.channel.state for it in await list_channels(db)}


async def test_the_config_is_taken_over_in_its_order(db: Database, now: datetime) -> None:
    done = await sync_channels(db, [XIAOMI, NIO], now=now)
    assert (done.changed, done.retired) == (("xiaomi", "nio"), ())
    assert list(await states(db)) == ["xiaomi", "nio"]
    again = await sync_channels(db, [NIO, XIAOMI], now=now)
    assert (again.changed, list(await states(db))) == (("nio", "xiaomi"), ["nio", "xiaomi"])
    assert (await sync_channels(db, [NIO, XIAOMI], now=now)).changed == ()


async def test_what_the_config_drops_is_retired_and_comes_back(db: Database, now: datetime) -> None:
    await sync_channels(db, [XIAOMI, NIO], now=now)
    assert (await sync_channels(db, [XIAOMI], now=now)).retired == ("nio",)
    assert (await states(db))["nio"] is ChannelState.RETIRED
    assert (await sync_channels(db, [XIAOMI, NIO], now=now)).changed == ("nio",)
    assert (await states(db))["nio"] is ChannelState.ACTIVE


async def test_a_wrong_query_in_the_config_changes_nothing(db: Database, now: datetime) -> None:
    await sync_channels(db, [XIAOMI], now=now)
    with pytest.raises(ConfigError, match=r'channel "nio": the query is wrong: line 1, column 6: This "\(" is never'):
        await sync_channels(db, [NIO, ChannelConfig(slug="nio", name="NIO", query="about(")], now=now)
    assert list(await states(db)) == ["xiaomi"]


async def test_a_channel_added_by_hand_outlives_the_config(db: Database, now: datetime) -> None:
    added = await add_channel(db, slug="li-auto", name=" Li\nAuto ", query='about:"Li Auto"', now=now)
    assert (added.slug, added.name) == ("li-auto", "Li Auto")
    await sync_channels(db, [XIAOMI], now=now)
    assert (await states(db))["li-auto"] is ChannelState.ACTIVE
    listed = await show_channel(db, "li-auto")
    assert (listed.origin, listed.matches, listed.subscribers) == ("cli", 0, 0)


async def test_a_retired_channel_is_brought_back_by_hand(db: Database, now: datetime) -> None:
    await sync_channels(db, [NIO], now=now)
    await sync_channels(db, [], now=now)
    await add_channel(db, slug="nio", name="NIO", query="nio", now=now)
    await sync_channels(db, [], now=now)
    assert (await states(db))["nio"] is ChannelState.ACTIVE


@pytest.mark.parametrize(
    ("slug", "name", "query", "error", "says"),
    [
        ("nio", "NIO", "nio", InputError, 'There is a channel "nio" already'),
        ("Li Auto", "x", "x", InputError, '"Li Auto" is not a slug'),
        ("x" * 65, "x", "x", InputError, "is not a slug"),
        ("li", " \u200b", "x", InputError, "A channel's name has 1 to 100 characters"),
        ("li", "x" * 101, "x", InputError, "A channel's name has 1 to 100 characters"),
        ("li", "x", "x OR", QueryError, "line 1, column 5"),
    ],
)
async def test_what_cannot_be_a_channel_is_refused(  # noqa: PLR0917 - a table
    db: Database, now: datetime, slug: str, name: str, query: str, error: type[Exception], says: str
) -> None:
    await sync_channels(db, [NIO], now=now)
    with pytest.raises(error, match=says):
        await add_channel(db, slug=slug, name=name, query=query, now=now)
    assert list(await states(db)) == ["nio"]


async def test_an_unknown_channel_is_named_with_those_that_there_are(db: Database, now: datetime) -> None:
    with pytest.raises(NotFoundError, match="There are none yet"):
        await show_channel(db, "tesla")
    await sync_channels(db, [XIAOMI, NIO], now=now)
    with pytest.raises(NotFoundError, match=r'no channel "tesla"\. Channels: xiaomi, nio\.'):
        await show_channel(db, "tesla")


async def test_channels_are_tried_on_what_is_stored(db: Database, now: datetime) -> None:
    world = World(db, now)
    article = await world.article(await world.source())
    await world.channel()
    await world.channel("broken", "((")
    broken, good = await try_channels(db, limit=10)
    assert [(it.id, it.score > 0.5) for it in good.answering] == [(article, True)]
    assert (good.asked, good.problem) == (1, None)
    assert broken.problem is not None
    assert [it.slug for it in await try_channels(db, slug="xiaomi", limit=10)] == ["xiaomi"]
    with pytest.raises(NotFoundError):
        await try_channels(db, slug="none", limit=10)


async def test_channels_are_tried_a_piece_at_a_time_the_newest_first(db: Database, now: datetime) -> None:
    world = World(db, now)
    source = await world.source()
    many = [await world.article(source, title=f"Xiaomi {number}") for number in range(PIECE + 5)]
    await world.channel("all", "Xiaomi OR 小米")
    await world.channel("few", "Xiaomi 3")
    steps: list[tuple[int, int]] = []
    everything, few = await try_channels(db, limit=1_000, progress=lambda *step: steps.append(step))
    assert [one.id for one in everything.answering] == many[::-1]
    assert [one.title for one in few.answering] == ["Xiaomi 3"]
    assert (everything.asked, steps) == (len(many), [(PIECE, 1_000), (len(many), 1_000)])
    (limited, _) = await try_channels(db, limit=PIECE + 1)
    assert [one.id for one in limited.answering] == many[: -PIECE - 2 : -1]


async def test_a_query_is_tried_with_the_aliases_that_are_asked_for(db: Database, now: datetime) -> None:
    world = World(db, now)
    await world.article(await world.source(), title="小米开设新工厂")
    read = reader_of([AliasesConfig(name="Xiaomi", others=("小米",))])
    assert len((await try_query(db, "Xiaomi", limit=10, read=read)).answering) == 1
    assert (await try_query(db, "Xiaomi", limit=10)).answering == ()


async def test_a_query_is_tried_before_it_is_a_channel(db: Database, now: datetime) -> None:
    world = World(db, now)
    await world.article(await world.source())
    assert len((await try_query(db, "plant", limit=10)).answering) == 1
    with pytest.raises(QueryError):
        await try_query(db, "plant OR", limit=10)
