"""Which text of a feed's items is the article's: the summary, the feed's content, or the page; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
from article_pages import CHINESE_STORY, STORY, TITLE, article_page, login_page
from cast import World
from feed_server import FeedServer, Request, Respond, answer
from newsroom import Parser
from sqlalchemy import select

from alerts.core.model import Article, Content, Disposition, FirstPoll, FloodDecision, FloodWatch, Source
from alerts.services.decide_flood import decide_flood, reach_of_flood
from alerts.services.match import ChannelCache, match_articles
from alerts.services.poll import LEASE, NOT_CLAIMED, Polled, poll_feed
from alerts.services.sources import add_feed
from alerts.sources.fetch import Fetcher
from alerts.sources.page_reader import MOST, PageReader
from alerts.storage import articles, polls, schema, sources
from alerts.storage.engine import Database
from alerts.storage.matches import matches_of

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HTML = "text/html; charset=utf-8"
TEASER = "A part of the car does not do what it should in winter: what owners are told, and what it costs."
MORE = (
    "Xiaomi had sold most of these cars in the north.",
    "Xiaomi will change the part in new cars from March on.",
    "Xiaomi did not say what that costs.",
    "Nobody was hurt, Xiaomi says.",
)
CHINESE_MORE = (
    "小米称大部分车辆售往北方。",
    "小米将从三月起在新车上更换该零件。",
    "小米没有透露费用。",
    "小米表示没有人员受伤。",
)
CHINESE_TEASER = "门把手低温失灵,四千余辆汽车被召回"
LONG = " ".join(("The door handle may fail in the cold.", *STORY) * 3)


def entry(number: int, *, title: str = TITLE, summary: str = TEASER, content: str = "", at: str = "") -> str:
    full = f"<content:encoded>{escape(content)}</content:encoded>" if content else ""
    return (
        f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{number}</guid>"
        f"<link>{at or f'/{number}'}</link>"
        f"<description>{escape(summary)}</description>{full}</item>"
    )


def feed(*entries: str) -> bytes:
    space = "xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    return f"<rss version='2.0' {space}><channel><title>t</title>{''.join(entries)}</channel></rss>".encode()


@dataclass(slots=True)
class Publisher:
    """A site with a feed that Bob added, polled an hour later each time."""

    db: Database
    server: FeedServer
    fetcher: Fetcher
    reader: PageReader
    source: Source
    now: datetime = NOON
    parser: Parser = field(default_factory=Parser)

    async def wants(self, **settings: object) -> None:
        """Let Bob have changed his mind."""
        self.source = replace(self.source, **settings)  # type: ignore[arg-type] # settings of a source
        async with self.db.transaction() as tx:
            await sources.update_settings(tx, source=self.source, origin="cli", now=self.now)

    def puts(self, number: int, page: bytes | Respond | None = None) -> None:
        """Put a page behind the link of an item."""
        self.server.pages[f"/{number}"] = page or answer(article_page(), content_type=HTML)

    async def poll(self, *entries: str, later: timedelta = timedelta(hours=1), worker: str | None = None) -> Polled:
        self.server.pages["/feed"] = answer(feed(*entries))
        self.now += later
        return await poll_feed(
            *(self.db, self.fetcher, self.parser, self.source.id),
            now=self.now,
            jitter=0,
            only_due=False,
            page_reader=self.reader,
            worker=worker,
        )

    async def articles(self) -> Sequence[Article]:
        """Return them, the first one first."""
        async with self.db.reading() as tx:
            return list(reversed(await articles.latest(tx, limit=100)))

    def asked(self) -> list[str]:
        return [request.path for request in self.server.requests if request.path != "/feed"]

    def waits(self) -> tuple[Respond, asyncio.Event, asyncio.Event]:
        """Return a page that says that it is asked for, and answers when it is told to."""
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def page(_request: Request, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await go_on.wait()
            writer.write(answer(article_page(), content_type=HTML))

        return page, asked, go_on


@pytest.fixture
async def publisher(db: Database) -> AsyncIterator[Publisher]:
    async with FeedServer() as server, Fetcher() as fetcher, PageReader(fetcher, parser=Parser()) as reader:
        source = await add_feed(db, server.url(), allow_private=True, content=Content.PAGE, now=NOON)
        yield Publisher(db, server, fetcher, reader, source)


OLD = entry(0, title="Old news about nothing much", summary="Nothing happened on that day, says nobody.")


class TestModes:
    async def test_a_source_of_summaries_is_told_in_summaries(self, publisher: Publisher) -> None:
        await publisher.wants(content=Content.SUMMARY)

        await publisher.poll(entry(1, content=LONG), entry(2, title="Long", summary=LONG))

        one, two = (article.item for article in await publisher.articles())
        assert (one.summary, one.body) == ((TEASER,), "")
        assert (two.summary[0][:200], two.body) == (LONG[:200], "")
        assert len(two.summary[0]) <= 500

    async def test_a_source_of_contents_is_told_in_full(self, publisher: Publisher) -> None:
        await publisher.wants(content=Content.CONTENT)
        await publisher.poll(OLD)

        await publisher.poll(OLD, entry(1, content=LONG))

        (_, article) = await publisher.articles()
        assert (article.item.summary, article.item.body, publisher.asked()) == ((TEASER,), LONG, [])

    async def test_a_source_of_pages_is_told_by_the_page_of_what_is_new(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        publisher.puts(1)

        polled = await publisher.poll(OLD, entry(1))

        (old, new) = await publisher.articles()
        assert (polled.new, polled.pages.failures, publisher.asked()) == (1, {}, ["/1"])
        assert (new.item.summary, new.item.body) == ((TEASER,), "\n\n".join(STORY))
        assert old.item.body == ""

    @pytest.mark.parametrize(("content", "is_found"), [(Content.PAGE, True), (Content.CONTENT, False)])
    async def test_a_channel_is_asked_about_the_page(
        self, publisher: Publisher, content: Content, *, is_found: bool
    ) -> None:
        await publisher.wants(content=content)
        world = World(publisher.db, publisher.now)
        english, chinese = await world.channel("xiaomi", "about:Xiaomi"), await world.channel("mi", "about:小米")
        await publisher.poll(OLD)
        publisher.puts(1, answer(article_page([*STORY, *MORE]), content_type=HTML))
        publisher.puts(2, answer(article_page([*CHINESE_STORY, *CHINESE_MORE]), content_type=HTML))
        told = [entry(1, title="A frozen door handle means a recall"), entry(2, title=CHINESE_TEASER)]

        await publisher.poll(OLD, *told)
        await match_articles(publisher.db, now=publisher.now, cache=ChannelCache())

        (_, *new) = await publisher.articles()
        async with publisher.db.reading() as tx:
            matched = [{match.channel_id for match in await matches_of(tx, article.id)} for article in new]
        assert matched == ([{english}, {chinese}] if is_found else [set(), set()])


class TestWhatIsRead:
    async def test_what_a_first_poll_stores_is_not_read(self, publisher: Publisher) -> None:
        publisher.puts(1)

        await publisher.poll(entry(1))

        assert publisher.asked() == []

    async def test_what_a_first_poll_mails_is_read(self, publisher: Publisher) -> None:
        await publisher.wants(first_poll=FirstPoll.ALERT)
        publisher.puts(1)

        await publisher.poll(entry(1))

        assert publisher.asked() == ["/1"]

    async def test_what_is_too_old_or_was_seen_before_is_not_read(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        stale = entry(1).replace("<link>", "<pubDate>Thu, 01 Jan 2026 10:00:00 GMT</pubDate><link>")
        publisher.puts(0)
        publisher.puts(1)

        await publisher.poll(OLD, stale)
        await publisher.poll(OLD.replace("Nothing", "Hardly anything"), stale)

        assert publisher.asked() == []
        assert [article.disposition for article in await publisher.articles()] == [Disposition.SEEN, Disposition.STALE]

    async def test_of_a_flood_no_page_is_read(self, publisher: Publisher) -> None:
        await publisher.wants(flood=2)
        await publisher.poll(OLD)
        archive = [entry(number, title=f"{TITLE} {number}", summary=f"{number} {TEASER}") for number in range(1, 4)]

        polled = await publisher.poll(OLD, *archive)

        assert (polled.held, publisher.asked()) == (3, [])

    async def test_a_flood_that_is_released_is_told_by_the_feed_and_its_reach_says_so(
        self, publisher: Publisher
    ) -> None:
        await publisher.wants(flood=1)
        await publisher.poll(OLD)
        publisher.puts(1)
        await publisher.poll(entry(1), entry(2, title="Another story", summary="Something else."))

        reach = await reach_of_flood(publisher.db, publisher.source.name, now=publisher.now)
        await decide_flood(publisher.db, reach.flood.id, FloodDecision.RELEASED, now=publisher.now)

        assert (reach.source.content, publisher.asked()) == (Content.PAGE, [])
        assert [one.item.body for one in (await publisher.articles())[1:] if STORY[1] in one.item.body] == []

    async def test_so_many_at_most_are_read_at_a_poll_and_all_are_stored(self, publisher: Publisher) -> None:
        await publisher.wants(flood=FloodWatch.OFF)
        await publisher.poll(OLD)
        many = [entry(number, title=f"{TITLE} {number}", summary=f"{number} {TEASER}") for number in range(1, MOST + 3)]
        for number in range(1, MOST + 3):
            publisher.puts(number, answer(b"", status="404 Not Found"))

        polled = await publisher.poll(OLD, *many)

        assert (polled.new, len(publisher.asked()), len(polled.pages.failures)) == (MOST + 2, MOST, MOST + 2)

    async def test_a_page_that_several_articles_share_is_none_of_theirs(self, publisher: Publisher) -> None:
        publisher.puts(9)
        await publisher.poll(entry(0, title="Notes on version one", summary="One thing is better.", at="/9#one"))
        later = [
            entry(1, title="What changed in the second", summary="Two are.", at="/8#two"),
            entry(2, title="And what in the third version", summary="Three are.", at="/8#three"),
            entry(3, title="Nobody expected a fourth", summary="Four.", at="/9#four"),
        ]

        polled = await publisher.poll(*later)

        assert (polled.new, publisher.asked()) == (3, [])

    async def test_a_page_on_another_private_host_is_not_asked_for(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        async with FeedServer({"/secret": answer(article_page(), content_type=HTML)}) as inside:
            polled = await publisher.poll(OLD, entry(1, at=inside.url("/secret")))

            assert inside.requests == []
        assert (polled.new, "private address" in polled.pages.failures[inside.url("/secret")]) == (1, True)


class TestFailures:
    @pytest.mark.parametrize(
        "page",
        [answer(b"", status="404 Not Found"), answer(login_page(), content_type=HTML), answer(b"", status="200 OK")],
    )
    async def test_where_the_page_cannot_be_had_the_feeds_own_text_stays(
        self, publisher: Publisher, page: bytes
    ) -> None:
        await publisher.poll(OLD)
        publisher.puts(1, page)

        polled = await publisher.poll(OLD, entry(1, content=LONG))

        (_, article) = await publisher.articles()
        assert (polled.worked, polled.new, list(polled.pages.failures)) == (True, 1, [publisher.server.url("/1")])
        assert (article.item.body, article.disposition) == (LONG, Disposition.ALERT)

    async def test_a_page_that_hangs_delays_its_own_feed_by_a_bounded_time_and_no_other(
        self, publisher: Publisher
    ) -> None:
        other = await add_feed(publisher.db, publisher.server.url("/other"), allow_private=True, now=NOON)
        publisher.server.pages["/other"] = answer(feed(OLD))
        await publisher.poll(OLD)
        page, asked, _ = publisher.waits()
        publisher.puts(1, page)
        async with PageReader(publisher.fetcher, parser=Parser(), time=timedelta(seconds=2)) as publisher.reader:
            hanging = asyncio.create_task(publisher.poll(OLD, entry(1)))
            await asked.wait()

            polled = await poll_feed(
                *(publisher.db, publisher.fetcher, publisher.parser, other.id), now=publisher.now, jitter=0
            )

            assert (polled.new, hanging.done()) == (1, False)
            assert (await hanging).new == 1


class TestNovelty:
    async def test_a_page_that_changes_and_a_feed_that_does_not_are_no_news(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        publisher.puts(1)
        await publisher.poll(OLD, entry(1))
        publisher.puts(1, answer(article_page([*STORY, "And one more."]), content_type=HTML))

        polled = await publisher.poll(entry(1), OLD)

        assert (polled.new, polled.changed, polled.seen, publisher.asked()) == (0, 0, 2, ["/1"])

    async def test_an_edit_is_stored_alerts_nobody_and_keeps_what_the_page_said(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        publisher.puts(1)
        await publisher.poll(OLD, entry(1))

        polled = await publisher.poll(OLD, entry(1, title=f"UPDATE: {TITLE}", summary=f"{TEASER} Corrected."))

        (_, article) = await publisher.articles()
        assert (polled.new, polled.changed, publisher.asked()) == (0, 1, ["/1"])
        assert (article.item.title, article.item.body) == (f"UPDATE: {TITLE}", "\n\n".join(STORY))

    async def test_a_feed_that_gives_its_items_new_ids_and_links_alerts_nobody(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        publisher.puts(1)
        await publisher.poll(OLD, entry(1))

        polled = await publisher.poll(OLD, entry(2, at="/1?utm_source=rss"))
        again = await publisher.poll(OLD, entry(2, at="/elsewhere"))

        assert (polled.new, again.new) == (0, 0)

    async def test_another_content_for_the_same_source_alerts_nobody(self, publisher: Publisher) -> None:
        publisher.puts(1)
        for content in (Content.CONTENT, Content.PAGE, Content.SUMMARY, Content.PAGE, Content.CONTENT):
            await publisher.wants(content=content)
            polled = await publisher.poll(*([OLD, entry(1, content=LONG)][: 1 if content is Content.CONTENT else 2]))

        assert polled.new == 0
        assert len(await publisher.articles()) == 2


class TestClaims:
    async def test_while_pages_are_read_the_feed_is_held_for_longer_and_nothing_is_locked(
        self, publisher: Publisher
    ) -> None:
        await publisher.poll(OLD)
        page, asked, go_on = publisher.waits()
        publisher.puts(1, page)
        polling = asyncio.create_task(publisher.poll(OLD, entry(1)))
        await asked.wait()

        await add_feed(publisher.db, "https://another.example/feed", now=publisher.now)
        async with publisher.db.reading() as tx:
            until = await tx.scalar(
                select(schema.sources.c.lease_until).where(schema.sources.c.id == publisher.source.id)
            )

        go_on.set()
        assert (until, (await polling).new) == (publisher.now + 2 * LEASE, 1)

    async def test_a_worker_that_dies_over_a_page_is_followed_and_its_article_alerts_once(
        self, publisher: Publisher
    ) -> None:
        await publisher.poll(OLD)
        page, asked, go_on = publisher.waits()
        publisher.puts(1, page)
        dead = asyncio.create_task(publisher.poll(OLD, entry(1), worker="dead"))
        await asked.wait()
        async with publisher.db.transaction() as tx:
            assert await polls.release_of_dead(tx, living=()) == 1
        publisher.puts(1)

        async with PageReader(publisher.fetcher, parser=Parser()) as publisher.reader:
            follower = await publisher.poll(OLD, entry(1))
        go_on.set()

        assert (follower.new, publisher.asked(), await dead) == (1, ["/1", "/1"], NOT_CLAIMED)
        assert [one.disposition for one in await publisher.articles()] == [Disposition.SEEN, Disposition.ALERT]

    async def test_a_poll_whose_feed_was_taken_over_before_its_pages_reads_none(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        publisher.puts(1)

        async def lose(_request: Request, writer: asyncio.StreamWriter) -> None:
            async with publisher.db.transaction() as tx:
                await polls.release_of_dead(tx, living=())
            writer.write(answer(feed(OLD, entry(1))))

        publisher.server.pages["/feed"] = lose
        lost = await poll_feed(
            *(publisher.db, publisher.fetcher, publisher.parser, publisher.source.id),
            now=publisher.now,
            jitter=0,
            only_due=False,
            page_reader=publisher.reader,
            worker="dead",
        )

        assert (lost, publisher.asked()) == (NOT_CLAIMED, [])

    async def test_a_poll_that_is_cancelled_over_a_page_gives_the_feed_back(self, publisher: Publisher) -> None:
        await publisher.poll(OLD)
        page, asked, _ = publisher.waits()
        publisher.puts(1, page)
        polling = asyncio.create_task(publisher.poll(OLD, entry(1)))
        await asked.wait()
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling
        publisher.puts(1)

        assert (await publisher.poll(OLD, entry(1), later=timedelta(0))).new == 1
