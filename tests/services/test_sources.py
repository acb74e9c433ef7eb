from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.config import SourceConfig
from alerts.core.errors import InputError, NotFoundError
from alerts.core.model import FirstPoll, Source, SourceKind, SourceState
from alerts.services.sources import (
    AddedFeeds,
    Synced,
    add_feed,
    add_feeds,
    find_source,
    list_sources,
    pause_source,
    remove_source,
    resume_source,
    sync_sources,
)
from alerts.storage import sources
from alerts.storage.engine import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
SEEDS = SourceConfig(
    kind=SourceKind.FOLDER,
    location="/srv/news/seeds",
    name="seeds",
    every=timedelta(seconds=2),
    first_poll=FirstPoll.SEEN,
    max_age=None,
    allow_private=False,
)
CARS = SourceConfig(
    kind=SourceKind.FEED,
    location="https://cars.example/feed",
    name="Cars",
    every=timedelta(minutes=5),
    first_poll=FirstPoll.ALERT,
    max_age=timedelta(hours=48),
    allow_private=True,
)


async def names(db: Database) -> list[str]:
    return [one.name for one in await list_sources(db)]


async def polled(db: Database, source: Source) -> None:
    async with db.transaction() as tx:
        await sources.claim_source(tx, source.id, claim="x", now=NOON, lease=timedelta(minutes=5))
        await sources.record_success(tx, source.id, claim="x", now=NOON, next_poll_at=LATER, etag="1")


class TestConfig:
    async def test_the_sources_of_the_config_become_rows(self, db: Database) -> None:
        assert await sync_sources(db, [SEEDS, CARS], now=NOON) == Synced(added=2, removed=0, kept=0)

        cars = await find_source(db, "Cars")
        assert (cars.kind, cars.location, cars.every) == (CARS.kind, CARS.location, CARS.every)
        assert (cars.first_poll, cars.max_age, cars.allow_private) == (FirstPoll.ALERT, timedelta(hours=48), True)
        assert (cars.state, cars.next_poll_at, cars.polled_at) == (SourceState.OK, NOON, None)

    async def test_the_same_config_again_changes_nothing(self, db: Database) -> None:
        await sync_sources(db, [SEEDS, CARS], now=NOON)
        await polled(db, await find_source(db, "Cars"))
        before = await list_sources(db)

        assert await sync_sources(db, [CARS, SEEDS], now=NOON) == Synced(added=0, removed=0, kept=2)

        assert await list_sources(db) == before

    async def test_new_settings_reach_the_row_and_what_was_polled_stays(self, db: Database) -> None:
        await sync_sources(db, [CARS], now=NOON)
        await polled(db, await find_source(db, "Cars"))

        await sync_sources(db, [replace(CARS, name="Autos", every=timedelta(minutes=1))], now=NOON)

        (source,) = await list_sources(db)
        assert (source.name, source.every, source.polled_at, source.etag) == ("Autos", timedelta(minutes=1), NOON, "1")
        assert source.next_poll_at == NOON + timedelta(minutes=1)

    async def test_what_left_the_config_is_removed_and_begins_anew_when_it_comes_back(self, db: Database) -> None:
        await sync_sources(db, [SEEDS, CARS], now=NOON)
        await polled(db, await find_source(db, "Cars"))

        assert await sync_sources(db, [SEEDS], now=NOON) == Synced(added=0, removed=1, kept=1)
        assert await names(db) == ["seeds"]
        assert await sync_sources(db, [SEEDS, CARS], now=LATER) == Synced(added=1, removed=0, kept=1)

        cars = await find_source(db, "Cars")
        assert (cars.polled_at, cars.etag, cars.next_poll_at) == (None, None, LATER)

    async def test_a_paused_source_stays_paused_while_the_config_names_it(self, db: Database) -> None:
        await sync_sources(db, [CARS], now=NOON)
        await pause_source(db, "Cars")

        await sync_sources(db, [CARS], now=NOON)

        assert (await find_source(db, "Cars")).state is SourceState.PAUSED

    async def test_another_location_takes_over_the_name(self, db: Database) -> None:
        await sync_sources(db, [CARS], now=NOON)

        await sync_sources(db, [replace(CARS, location="https://cars.example/new")], now=NOON)

        assert (await find_source(db, "Cars")).location == "https://cars.example/new"
        assert await names(db) == ["Cars"]

    async def test_two_sources_of_one_name_get_names_of_their_own(self, db: Database) -> None:
        await sync_sources(db, [CARS, replace(CARS, location="https://cars.example/2")], now=NOON)

        assert await names(db) == ["Cars", "Cars 2"]

    async def test_sources_added_by_hand_are_not_the_configs_to_remove(self, db: Database) -> None:
        await add_feed(db, "https://hand.example/feed", now=NOON)

        await sync_sources(db, [CARS], now=NOON)

        assert await names(db) == ["Cars", "hand.example"]


class TestByHand:
    async def test_a_feed_is_added_with_the_defaults(self, db: Database) -> None:
        source = await add_feed(db, " https://www.news.example/cars/feed.xml ", now=NOON)

        assert (source.name, source.location) == ("news.example/cars", "https://www.news.example/cars/feed.xml")
        assert (source.first_poll, source.max_age, source.allow_private) == (
            FirstPoll.SEEN,
            timedelta(hours=48),
            False,
        )
        assert await find_source(db, source.name) == source

    async def test_a_feed_is_added_once(self, db: Database) -> None:
        await add_feed(db, "https://news.example/feed", now=NOON)

        with pytest.raises(InputError, match=r"named news\.example"):
            await add_feed(db, "https://news.example/feed", now=NOON)

    async def test_feeds_of_one_host_get_names_of_their_own(self, db: Database) -> None:
        await add_feed(db, "https://news.example/feed", now=NOON)

        assert (await add_feed(db, "https://news.example/rss", now=NOON)).name == "news.example 2"

    async def test_what_is_no_feeds_address_is_refused(self, db: Database) -> None:
        with pytest.raises(InputError):
            await add_feed(db, "file:///etc/passwd", now=NOON)
        assert await list_sources(db) == []

    async def test_a_removed_feed_is_gone_until_it_is_added_again(self, db: Database) -> None:
        source = await add_feed(db, "https://news.example/feed", now=NOON)
        await polled(db, source)

        assert (await remove_source(db, source.name)).state is SourceState.REMOVED
        assert await list_sources(db) == []
        again = await add_feed(db, "https://news.example/feed", allow_private=True, now=LATER)

        assert (again.id, again.polled_at, again.allow_private) == (source.id, None, True)

    async def test_a_source_of_the_config_is_removed_there(self, db: Database) -> None:
        await sync_sources(db, [CARS], now=NOON)

        with pytest.raises(InputError, match="stands in the config"):
            await remove_source(db, "Cars")

    async def test_a_source_is_paused_and_resumed(self, db: Database) -> None:
        source = await add_feed(db, "https://news.example/feed", now=NOON)
        await polled(db, source)

        assert (await pause_source(db, source.name)).state is SourceState.PAUSED
        resumed = await resume_source(db, source.name, now=NOON)

        assert (resumed.state, resumed.next_poll_at, resumed.polled_at) == (SourceState.OK, NOON, NOON)
        assert await resume_source(db, source.name, now=NOON) == resumed

    async def test_there_is_no_source_of_another_name(self, db: Database) -> None:
        for call in (
            find_source(db, "x"),
            pause_source(db, "x"),
            resume_source(db, "x", now=NOON),
            remove_source(db, "x"),
        ):
            with pytest.raises(NotFoundError, match="sources list"):
                await call


class TestLists:
    async def test_feeds_are_added_under_their_names_and_those_that_are_there_stay(self, db: Database) -> None:
        await sync_sources(db, [CARS], now=NOON)
        listed = [(CARS.location, "other"), ("https://a.example/feed", "News"), ("https://b.example/feed", "")]

        assert await add_feeds(db, listed, now=NOON) == AddedFeeds(added=2, known=1)
        assert await add_feeds(db, listed, now=NOON) == AddedFeeds(added=0, known=3)

        assert await names(db) == ["Cars", "News", "b.example"]

    async def test_feeds_of_one_name_get_names_of_their_own(self, db: Database) -> None:
        listed = [(f"https://{number}.example/feed", "News") for number in range(3)]

        await add_feeds(db, listed, now=NOON)

        assert await names(db) == ["News", "News 2", "News 3"]

    async def test_a_feed_that_is_listed_twice_is_added_once(self, db: Database) -> None:
        listed = [("https://a.example/feed", "A"), ("https://a.example/feed", "B")]

        assert await add_feeds(db, listed, now=NOON) == AddedFeeds(added=1, known=1)

    async def test_a_removed_one_comes_back_and_begins_anew(self, db: Database) -> None:
        source = await add_feed(db, "https://a.example/feed", now=NOON)
        await polled(db, source)
        await remove_source(db, source.name)

        await add_feeds(db, [("https://b.example/feed", "x"), (source.location, "x")], allow_private=True, now=LATER)

        back = await find_source(db, "x 2")
        assert (back.id, back.polled_at, back.allow_private, back.next_poll_at) == (source.id, None, True, LATER)

    async def test_a_wrong_address_adds_nothing(self, db: Database) -> None:
        with pytest.raises(InputError):
            await add_feeds(db, [("https://a.example/feed", ""), ("file:///etc/passwd", "")], now=NOON)
        assert await list_sources(db) == []

    async def test_many_are_added_in_steps_and_said(self, db: Database) -> None:
        said: list[tuple[int, int]] = []
        listed = [(f"https://{number}.example/feed", "News") for number in range(700)]

        await add_feeds(db, listed, now=NOON, on_progress=lambda done, total: said.append((done, total)))

        assert said == [(500, 700), (700, 700)]
        assert len(await list_sources(db)) == 700
