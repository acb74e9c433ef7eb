from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from feed_server import FeedServer, Request, answer, hang

from alerts.core.errors import FetchError
from alerts.core.model import Article, Disposition, FirstPoll, Source, SourceState
from alerts.services.poll import NOT_CLAIMED, Health, Polled, due_feeds, poll_feed
from alerts.services.sources import add_feed, pause_source
from alerts.sources.entries import ParsedFeed
from alerts.sources.feed import parse_feed
from alerts.sources.fetch import Fetched, Fetcher, Limits
from alerts.sources.room import Room, Seat
from alerts.storage import articles, sources
from alerts.storage.engine import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORDS = ("Apples", "Boats", "Cars", "Dogs", "Engines", "Farms", "Glass", "Houses", "Ink", "Jam")


@dataclass(slots=True)
class Parser:
    """Parses here and counts."""

    parsed: int = 0

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        self.parsed += 1
        return parse_feed(body, url=url, charset=charset)


@dataclass(slots=True)
class Publisher:
    """A feed that Bob added, and the server that gives it."""

    db: Database
    server: FeedServer
    fetcher: Fetcher
    source: Source
    parser: Parser = field(default_factory=Parser)
    hours: int = 0

    async def poll(self, feed: bytes | None = None, *, later: int = 24) -> Polled:
        """Poll a day later, after the feed became ``feed``."""
        if feed is not None:
            self.server.pages["/feed"] = answer(feed)
        self.hours += later
        return await poll_feed(
            self.db, self.fetcher, self.parser, self.source.id, now=NOON + self.hours * HOUR, jitter=0
        )

    async def state(self) -> Source:
        async with self.db.reading() as tx:
            found = await sources.source_by_id(tx, self.source.id)
        assert found is not None
        return found

    async def articles(self) -> Sequence[Article]:
        async with self.db.reading() as tx:
            return await articles.latest(tx, limit=1000)


@pytest.fixture
async def publisher(db: Database) -> AsyncIterator[Publisher]:
    limits = Limits(silence=timedelta(milliseconds=300), total=timedelta(seconds=1))
    async with FeedServer() as server, Fetcher(limits=limits) as fetcher:
        source = await add_feed(db, server.url(), allow_private=True, now=NOON)
        yield Publisher(db, server, fetcher, source)


def item(number: int, *, guid: str = "guid-{}", link: str = "https://news.example/{}", text: str = "") -> str:
    word = WORDS[number % 10]
    return (
        f"<item><title>{word} and more {number}</title><guid isPermaLink='false'>{guid.format(number)}</guid>"
        f"<link>{link.format(number)}</link>"
        f"<description>{word} of kind {number} {text or word * 3}.</description></item>"
    )


def feed(*items: str, head: str = "") -> bytes:
    return f"<rss version='2.0'><channel><title>News</title>{head}{''.join(items)}</channel></rss>".encode()


FIVE = [item(number) for number in range(5)]


class TestNews:
    async def test_what_is_there_at_the_first_poll_is_stored_and_mailed_to_nobody(self, publisher: Publisher) -> None:
        polled = await publisher.poll(feed(*FIVE))

        assert (polled.worked, polled.new, len(polled.article_ids)) == (True, 5, 5)
        assert {article.disposition for article in await publisher.articles()} == {Disposition.SEEN}

    async def test_the_first_poll_mails_when_the_source_says_so(self, publisher: Publisher) -> None:
        alerting = replace(publisher.source, first_poll=FirstPoll.ALERT)
        async with publisher.db.transaction() as tx:
            await sources.update_settings(tx, source=alerting, origin="cli", now=NOON)

        await publisher.poll(feed(*FIVE))

        assert {article.disposition for article in await publisher.articles()} == {Disposition.ALERT}

    async def test_what_is_added_is_mailed_and_nothing_else(self, publisher: Publisher) -> None:
        await publisher.poll(feed(*FIVE))

        polled = await publisher.poll(feed(item(7), *FIVE))

        assert polled.new == 1
        (alerted,) = [one for one in await publisher.articles() if one.disposition is Disposition.ALERT]
        assert alerted.item.item_id == "guid-7"

    async def test_a_first_poll_that_failed_was_none(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="500 Oops")
        await publisher.poll()

        await publisher.poll(feed(*FIVE))

        assert {article.disposition for article in await publisher.articles()} == {Disposition.SEEN}

    async def test_old_news_is_stored_and_mailed_to_nobody(self, publisher: Publisher) -> None:
        await publisher.poll(feed(*FIVE))
        old = item(7).replace("<guid", "<pubDate>Thu, 01 Jan 2026 10:00:00 GMT</pubDate><guid")

        await publisher.poll(feed(old, *FIVE))

        assert (await publisher.articles())[0].disposition is Disposition.STALE

    @pytest.mark.parametrize(
        "same",
        [
            feed(*reversed(FIVE)),
            feed(*FIVE[2:]),
            feed(*FIVE, *FIVE),
            feed(*(item(number, guid="https://news.example/?p={}") for number in range(5))),
            feed(
                *(
                    item(number, link="http://www.news.example/{}/?utm_source=x&amp;utm_medium=y#top")
                    for number in range(5)
                )
            ),
            feed(*(item(number, guid="new-{}", link="http://news.example/{}?fbclid=1") for number in range(5))),
            feed(*(item(number, guid="", link="https://news.example/{}") for number in range(5))),
            ("﻿" + feed(*FIVE).decode()).encode("utf-16"),
            b"<?xml version='1.0' encoding='utf-8'?>\n<!-- a comment -->"
            + feed(*FIVE, head="<pubDate>today</pubDate>"),
            feed(*(one.replace("<title>", "<title><![CDATA[").replace("</title>", "]]></title>") for one in FIVE)),
        ],
        ids=["order", "fewer", "twice", "guids", "links", "guids, links", "no guids", "encoding", "dressing", "cdata"],
    )
    async def test_the_same_stories_are_no_news_however_the_feed_is_written(
        self, publisher: Publisher, same: bytes
    ) -> None:
        await publisher.poll(feed(*FIVE))

        polled = await publisher.poll(same)

        assert (polled.worked, polled.new) == (True, 0)
        assert (await publisher.poll(feed(*FIVE, item(9)))).new == 1

    async def test_an_edit_is_stored_and_is_no_news(self, publisher: Publisher) -> None:
        await publisher.poll(feed(*FIVE))

        polled = await publisher.poll(feed(item(0, text="now corrected"), *FIVE[1:]))

        assert (polled.new, polled.changed) == (0, 1)


class TestPoliteness:
    async def test_an_unchanged_feed_is_asked_for_politely_and_not_parsed(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(feed(*FIVE), etag='"1"', last_modified="today")
        await publisher.poll()
        publisher.server.pages["/feed"] = answer(status="304 Not Modified")

        polled = await publisher.poll()
        await publisher.poll()

        headers = publisher.server.requests[2].headers
        assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', "today")
        assert (polled.worked, polled.new, publisher.parser.parsed) == (True, 0, 1)
        assert (await publisher.state()).polled_at == NOON + publisher.hours * HOUR

    async def test_an_equal_body_is_not_parsed_again(self, publisher: Publisher) -> None:
        for _ in range(3):
            await publisher.poll(feed(*FIVE))

        assert publisher.parser.parsed == 1

    async def test_the_next_poll_waits_for_the_interval_the_ttl_and_the_cache(self, publisher: Publisher) -> None:
        async def wait() -> timedelta:
            return (await publisher.state()).next_poll_at - (NOON + publisher.hours * HOUR)

        exact = replace(publisher.source, every_at_most=None)
        async with publisher.db.transaction() as tx:
            await sources.update_settings(tx, source=exact, origin="cli", now=NOON)
        await publisher.poll(feed(*FIVE))
        assert await wait() == timedelta(minutes=5)
        await publisher.poll(feed(*FIVE, head="<ttl>20</ttl>"))
        assert await wait() == timedelta(minutes=20)
        publisher.server.pages["/feed"] = answer(feed(*FIVE), cache_control="max-age=1800")
        await publisher.poll()
        assert await wait() == timedelta(minutes=30)
        publisher.server.pages["/feed"] = answer(status="429 Slow down", retry_after="36000")
        await publisher.poll()
        assert await wait() == timedelta(hours=10)

    async def test_a_304_that_gives_one_validator_keeps_the_other(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(feed(*FIVE), etag='"1"', last_modified="today")
        await publisher.poll()
        publisher.server.pages["/feed"] = answer(status="304 Not Modified", etag='"2"')

        await publisher.poll()

        state = await publisher.state()
        assert (state.etag, state.last_modified) == ('"2"', "today")

    @pytest.mark.parametrize(
        ("given", "asked"),
        [
            ({"etag": '"1"'}, {"if-none-match": '"1"'}),
            ({"last_modified": "today"}, {"if-modified-since": "today"}),
            ({}, {}),
        ],
    )
    async def test_each_validator_is_sent_back_alone_if_it_came_alone(
        self, publisher: Publisher, given: dict[str, str], asked: dict[str, str]
    ) -> None:
        publisher.server.pages["/feed"] = answer(feed(*FIVE), etag='"0"', last_modified="yesterday")
        await publisher.poll()
        publisher.server.pages["/feed"] = answer(feed(*FIVE, item(7)), **given)
        await publisher.poll()
        publisher.server.pages["/feed"] = answer(feed(*FIVE, item(7)))

        await publisher.poll()

        headers = publisher.server.requests[-1].headers
        assert {name: headers[name] for name in ("if-none-match", "if-modified-since") if name in headers} == asked

    async def test_a_server_that_is_overloaded_is_left_alone_for_as_long_as_it_says(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="503 Later", retry_after="7200")

        await publisher.poll()

        due_at = NOON + publisher.hours * HOUR + timedelta(hours=2)
        assert (await publisher.state()).next_poll_at == due_at
        assert await due_feeds(publisher.db, now=due_at - timedelta(seconds=1), limit=9) == []

    async def test_a_feed_is_polled_at_its_own_pace(self, publisher: Publisher) -> None:
        async def wait() -> timedelta:
            return (await publisher.state()).next_poll_at - (NOON + publisher.hours * HOUR)

        await publisher.poll(feed(*FIVE))
        assert await wait() == timedelta(minutes=5)
        await publisher.poll(later=2)
        assert await wait() == timedelta(minutes=30)
        await publisher.poll(feed(*FIVE, item(7)), later=1)
        assert await wait() == timedelta(minutes=45)
        await publisher.poll(later=24)
        assert await wait() == HOUR
        assert (await publisher.state()).gap == 3 * HOUR


class TestMoves:
    @pytest.fixture
    async def moved(self, publisher: Publisher) -> Publisher:
        publisher.server.pages["/feed"] = answer(status="301 Moved", location="/new")
        publisher.server.pages["/new"] = answer(feed(*FIVE), etag='"new"')
        assert (await publisher.poll()).new == 5
        return publisher

    async def test_a_feed_that_moved_for_good_is_asked_for_there_and_the_operator_told(self, moved: Publisher) -> None:
        asked = len(moved.server.requests)
        for _ in range(2):
            await moved.poll()

        state = await moved.state()
        assert [request.path for request in moved.server.requests[asked:]] == ["/new", "/new"]
        assert (state.state, state.location) == (SourceState.OK, moved.server.url())
        assert state.moved_to == moved.server.url("/new")
        assert moved.server.url("/new") in (state.reason or "")

    @pytest.mark.parametrize("page", [answer(status="500 Oops"), answer(b"<p>Log in</p>"), answer()])
    async def test_a_new_address_that_gives_no_feed_is_not_kept(self, publisher: Publisher, page: bytes) -> None:
        publisher.server.pages["/feed"] = answer(status="301 Moved", location="/new")
        publisher.server.pages["/new"] = page

        assert not (await publisher.poll()).worked

        assert (await publisher.state()).moved_to is None

    async def test_one_that_is_elsewhere_for_now_is_not_kept(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="302 Found", location="/new")
        publisher.server.pages["/new"] = answer(feed(*FIVE))

        assert (await publisher.poll()).worked

        assert (await publisher.state()).moved_to is None

    async def test_a_new_address_that_fails_for_a_day_gives_way_to_the_first_one(self, moved: Publisher) -> None:
        moved.server.pages["/new"] = answer(status="500 Oops")
        await moved.poll()
        await moved.poll(later=12)
        assert (await moved.state()).moved_to is not None
        await moved.poll(later=12)
        asked = len(moved.server.requests)

        assert (await moved.poll(feed(*FIVE, item(7)))).new == 1

        (request,) = moved.server.requests[asked:]
        assert request.path == "/feed"
        assert "if-none-match" not in request.headers
        assert (await moved.state()).moved_to is None

    async def test_a_new_address_that_is_gone_does_not_stop_the_feed(self, moved: Publisher) -> None:
        moved.server.pages["/new"] = answer(status="410 Gone")
        await moved.poll()

        state = await moved.state()
        assert (state.state, state.moved_to) == (SourceState.FAILING, None)
        await moved.poll()
        assert (await moved.state()).state is SourceState.STOPPED

    async def test_a_password_stays_with_the_address_it_was_given_for(self, publisher: Publisher) -> None:
        with_password = publisher.server.url("/old").replace("//", "//alice:secret@")
        source = await add_feed(publisher.db, with_password, allow_private=True, now=NOON)
        publisher.server.pages["/old"] = answer(status="301 Moved", location="/new")
        publisher.server.pages["/new"] = answer(feed(*FIVE))
        publisher.source = source

        await publisher.poll()
        await publisher.poll()

        assert [request.path for request in publisher.server.requests] == ["/old", "/new"] * 2
        assert all("authorization" in request.headers for request in publisher.server.requests)


class TestHealth:
    async def test_the_operator_is_told_once_that_a_source_fails_and_once_that_it_works_again(
        self, publisher: Publisher
    ) -> None:
        publisher.server.pages["/feed"] = answer(status="500 Oops")
        failing = [(await publisher.poll(later=1)).health for _ in range(6)]

        working = [(await publisher.poll(feed(*FIVE))).health for _ in range(2)]

        same = Health.SAME
        assert failing == [same, same, Health.FAILING, same, same, same]
        assert working == [Health.RECOVERED, same]
        assert (await publisher.state()).warned_at is None

    async def test_nobody_is_told_of_a_blip(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="500 Oops")
        blip = (await publisher.poll()).health

        assert (blip, (await publisher.poll(feed(*FIVE))).health) == (Health.SAME, Health.SAME)

    async def test_a_source_that_stops_is_told_of_at_once(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="410 Gone")

        assert (await publisher.poll()).health is Health.STOPPED


class TestFailures:
    @pytest.mark.parametrize(
        "page",
        [
            answer(status="500 Oops"),
            answer(status="200 OK"),
            answer(b"<!doctype html><title>Log in</title><form>", content_type="text/html"),
            answer(feed(*FIVE, item(8))[:-30]),
            answer(feed(*FIVE, item(8)))[:-30],
            answer(b"{}"),
            answer(status="302 Found", location="file:///etc/passwd"),
            hang,
        ],
        ids=["500", "empty", "login", "half a feed", "half an answer", "json", "redirect", "hang"],
    )
    async def test_a_poll_that_failed_changes_no_article_and_not_what_the_last_one_left(
        self, publisher: Publisher, page: bytes
    ) -> None:
        publisher.server.pages["/feed"] = answer(feed(*FIVE), etag='"1"')
        await publisher.poll()
        before, known = await publisher.state(), await publisher.articles()
        publisher.server.pages["/feed"] = page

        polled = await publisher.poll()

        after = await publisher.state()
        assert (polled.worked, polled.reason) == (False, after.reason)
        assert (after.state, after.failures, after.failing_since_at) == (
            SourceState.FAILING,
            1,
            NOON + publisher.hours * HOUR,
        )
        assert (after.polled_at, after.etag, after.body_hash) == (before.polled_at, before.etag, before.body_hash)
        assert await publisher.articles() == known
        assert (await publisher.poll(feed(*FIVE))).new == 0
        assert (await publisher.state()).state is SourceState.OK

    async def test_each_failure_doubles_the_wait(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="500 Oops")
        waits = []
        for _ in range(8):
            await publisher.poll()
            waits.append((await publisher.state()).next_poll_at - (NOON + publisher.hours * HOUR))

        assert [wait.total_seconds() / 60 for wait in waits] == [10, 20, 40, 80, 160, 320, 360, 360]

    async def test_a_feed_that_is_gone_is_polled_no_more(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(status="410 Gone")
        await publisher.poll()

        assert (await publisher.state()).state is SourceState.STOPPED
        assert await publisher.poll(feed(*FIVE)) == NOT_CLAIMED

    async def test_a_feed_on_a_private_address_is_refused_unless_that_is_allowed(self, publisher: Publisher) -> None:
        guarded = replace(publisher.source, allow_private=False)
        async with publisher.db.transaction() as tx:
            await sources.update_settings(tx, source=guarded, origin="cli", now=NOON)

        polled = await publisher.poll(feed(*FIVE))

        assert not polled.worked
        assert "allow_private" in (polled.reason or "")
        assert publisher.server.requests == []


class TestClaims:
    async def test_a_feed_that_is_not_due_is_left_alone_unless_asked_for(self, publisher: Publisher) -> None:
        await publisher.poll(feed(*FIVE))

        assert await publisher.poll(later=0) == NOT_CLAIMED
        assert await due_feeds(publisher.db, now=NOON + publisher.hours * HOUR, limit=9) == []
        again = await poll_feed(
            publisher.db,
            publisher.fetcher,
            publisher.parser,
            publisher.source.id,
            now=NOON + publisher.hours * HOUR,
            jitter=0,
            only_due=False,
        )
        assert again.worked
        assert await due_feeds(publisher.db, now=NOON + 999 * HOUR, limit=9) == [publisher.source.id]

    async def test_two_workers_poll_a_feed_once(self, publisher: Publisher) -> None:
        publisher.server.pages["/feed"] = answer(feed(*FIVE))
        poll = partial(poll_feed, publisher.db, publisher.fetcher, publisher.parser, publisher.source.id)

        polls = await asyncio.gather(*(poll(now=NOON, jitter=0) for _ in range(4)))

        assert sorted(polled.claimed for polled in polls) == [False, False, False, True]
        assert len(publisher.server.requests) == 1

    async def test_a_feed_paused_while_it_is_polled_stores_nothing(self, publisher: Publisher) -> None:
        async def pause(_request: Request, writer: asyncio.StreamWriter) -> None:
            await pause_source(publisher.db, publisher.source.name)
            writer.write(answer(feed(*FIVE)))

        publisher.server.pages["/feed"] = pause

        assert await publisher.poll() == NOT_CLAIMED
        assert await publisher.articles() == []
        assert (await publisher.state()).state is SourceState.PAUSED

    async def test_a_feed_paused_while_its_poll_fails_stays_paused(self, publisher: Publisher) -> None:
        async def pause(_request: Request, writer: asyncio.StreamWriter) -> None:
            await pause_source(publisher.db, publisher.source.name)
            writer.write(answer(status="500 Oops"))

        publisher.server.pages["/feed"] = pause

        assert await publisher.poll() == NOT_CLAIMED
        assert (await publisher.state()).state is SourceState.PAUSED

    async def test_a_poll_that_is_cancelled_gives_the_feed_back(self, publisher: Publisher) -> None:
        asked = asyncio.Event()

        async def tell_and_hang(request: Request, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await hang(request, writer)

        publisher.server.pages["/feed"] = tell_and_hang
        polling = asyncio.create_task(publisher.poll(later=0))
        await asked.wait()
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling

        assert (await publisher.poll(feed(*FIVE), later=0)).new == 5

    async def test_a_fault_of_ours_is_not_tried_again_at_once(self, publisher: Publisher) -> None:
        class Broken:
            async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
                raise RuntimeError(url, charset, len(body))

        publisher.server.pages["/feed"] = answer(feed(*FIVE))
        with pytest.raises(RuntimeError):
            await poll_feed(publisher.db, publisher.fetcher, Broken(), publisher.source.id, now=NOON, jitter=0)

        assert await publisher.poll(later=0) == NOT_CLAIMED
        assert (await publisher.poll(later=1)).new == 5


@dataclass(slots=True)
class Patient:
    """Keeps what it is to read until it is told to go on; counts what it holds."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    holds: int = 0
    most: int = 0

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        self.holds += 1
        self.most = max(self.most, self.holds)
        self.came.set()
        try:
            await self.go_on.wait()
            return parse_feed(body, url=url, charset=charset)
        finally:
            self.holds -= 1


class TestRoom:
    """Large answers take turns; the others take none."""

    async def held(self, sqlite_db: Database, pages: list[bytes], room: Room) -> tuple[int, list[Polled]]:
        """Poll pages side by side; return how many answers were held at once while they could not be read."""
        parser = Patient()
        async with FeedServer() as server, Fetcher(limits=Limits(total=timedelta(seconds=0.5))) as fetcher:
            server.pages.update({f"/{number}": answer(page) for number, page in enumerate(pages)})
            added = [await add_feed(sqlite_db, server.url(path), allow_private=True, now=NOON) for path in server.pages]
            polls = asyncio.gather(
                *(poll_feed(sqlite_db, fetcher, parser, one.id, now=NOON, jitter=0, room=room) for one in added)
            )
            await asyncio.sleep(0.8)  # past the limit of each fetch: who waits for a place is not late
            held = parser.holds
            parser.go_on.set()
            polled = await polls
        assert parser.most == held
        return held, polled

    async def test_only_so_many_large_answers_are_held_at_once_and_each_comes_to_its_turn(
        self, sqlite_db: Database
    ) -> None:
        large = [feed(item(number, text="much " * 60_000)) for number in range(6)]

        held, polled = await self.held(sqlite_db, large, Room(2))

        assert held == 2
        assert [one.new for one in polled] == [1] * 6

    async def test_small_answers_wait_for_no_place(self, sqlite_db: Database) -> None:
        held, polled = await self.held(sqlite_db, [feed(item(number)) for number in range(6)], Room(0))

        assert held == 6
        assert [one.new for one in polled] == [1] * 6

    async def test_a_place_is_waited_for_no_longer_than_a_poll_may_take(self, sqlite_db: Database) -> None:
        full = Room(0, patience=timedelta(seconds=0.2))

        held, (polled,) = await self.held(sqlite_db, [feed(item(1, text="much " * 60_000))], full)

        assert (held, polled.worked) == (0, False)
        assert polled.reason == "too many large answers came at once; it is asked again later"

    async def test_a_place_is_free_again_however_its_poll_ends(self, publisher: Publisher) -> None:
        room = Room(1)
        large = feed(item(1, text="much " * 60_000))
        poll = partial(poll_feed, publisher.db, publisher.fetcher, jitter=0, room=room)
        publisher.server.pages["/feed"] = answer(large)
        stuck = Patient()
        cancelled = asyncio.create_task(poll(stuck, publisher.source.id, now=NOON))
        await stuck.came.wait()
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        publisher.server.pages["/feed"] = answer(b"x" * 400_000)

        broken = await poll(publisher.parser, publisher.source.id, now=NOON)
        publisher.server.pages["/feed"] = answer(large)
        worked = await asyncio.wait_for(poll(publisher.parser, publisher.source.id, now=NOON + 24 * HOUR), timeout=5)

        assert (cancelled.cancelled(), broken.worked, worked.new) == (True, False, 1)


async def test_one_feed_that_hangs_delays_no_other(sqlite_db: Database) -> None:
    class Slow:
        async def fetch(
            self,
            url: str,
            *,
            etag: str | None = None,
            last_modified: str | None = None,
            allow_private: bool = False,
            seat: Seat | None = None,
        ) -> Fetched:
            if "slow" in url:
                await asyncio.sleep(30)
            if allow_private or etag or last_modified or seat is None:
                raise FetchError("unexpected")
            return Fetched(body=feed(*FIVE), url=url)

    slow = [await add_feed(sqlite_db, f"https://slow.example/{number}", now=NOON) for number in range(5)]
    quick = await add_feed(sqlite_db, "https://quick.example/", now=NOON)
    poll = partial(poll_feed, sqlite_db, Slow(), Parser(), now=NOON, jitter=0.5)
    hanging = [asyncio.create_task(poll(source.id)) for source in slow]
    await asyncio.sleep(0)

    assert (await asyncio.wait_for(poll(quick.id), timeout=5)).new == 5

    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
