"""We subscribe at a hub as the W3C's subscriber tests have it: discovery, verification, signatures, renewal, end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from article_pages import STORY, TITLE, article_page
from daemon import free_port
from hub import Hub, reject
from newsroom import Parser
from sqlalchemy import select
from website import ParserHere, app_over, config_in

from alerts.app import App
from alerts.core.model import Content, Source
from alerts.core.websub import HubLinks, SubscriptionState
from alerts.services.ask_hub import Asked, ask_hub, due_hubs
from alerts.services.poll import Polled, poll_feed
from alerts.services.sources import add_feed, pause_source, remove_source
from alerts.sources.fetch import Fetcher
from alerts.sources.hubs import Hubs
from alerts.sources.page_reader import PageReader
from alerts.storage import articles, schema, sources, websub
from alerts.storage.engine import Database
from alerts.storage.websub import HubSubscription
from alerts.web.server import WebServer
from alerts.web.site import create_site
from alerts.web.websub import MAX_PUSH_BYTES

DAY = timedelta(days=1)


def atom(*titles: str, links: str = "") -> bytes:
    entries = "".join(f"<entry><id>{title}</id><title>{title}</title></entry>" for title in titles)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{links}{entries}</feed>'.encode()


def xml_links(hub: Hub) -> str:
    return f'<link rel="self" href="{hub.url("/feed")}"/><link rel="hub" href="{hub.url()}"/>'


@dataclass(slots=True)
class Reader:
    """A site that polls one feed, and whom a hub can call."""

    app: App
    hub: Hub
    source: Source
    fetcher: Fetcher
    hubs: Hubs
    now: datetime

    async def poll(self) -> Polled:
        return await poll_feed(
            *(self.app.db, self.fetcher, ParserHere(), self.source.id),
            now=self.now,
            jitter=0,
            only_due=False,
            may_subscribe=True,
        )

    async def ask(self) -> list[Asked]:
        """Ask every hub that it is time for."""
        base = self.app.hub_callbacks
        assert base is not None
        due = await due_hubs(self.app.db, now=self.now)
        return [await ask_hub(self.app.db, self.hubs, one, callback_base=base, now=self.now) for one in due]

    async def subscribe(self) -> None:
        """Poll the feed, whose hub is named in it, and be subscribed."""
        self.hub.pages["/feed"] = (atom("First", links=xml_links(self.hub)), [])
        assert (await self.poll()).worked
        assert [one.reason for one in await self.ask()] == [None]

    async def titles(self) -> list[str]:
        async with self.app.db.reading() as tx:
            return list((await tx.scalars(select(schema.articles.c.title).order_by(schema.articles.c.id))).all())

    async def held(self) -> HubSubscription | None:
        async with self.app.db.reading() as tx:
            return await websub.subscription_of(tx, self.source.id)

    async def next_poll_in(self) -> timedelta:
        async with self.app.db.reading() as tx:
            source = await sources.source_by_id(tx, self.source.id)
        assert source is not None
        return source.next_poll_at - self.now


@asynccontextmanager
async def reader_of(db: Database, folder: Path, now: datetime, *, allow_private: bool = True) -> AsyncIterator[Reader]:
    port = free_port()
    config = config_in(folder, origin=f"http://127.0.0.1:{port}", more="web: {websub: always}\n")
    async with Hub() as hub, Fetcher() as fetcher, Hubs(time_limit=timedelta(seconds=5)) as hubs:
        source = await add_feed(db, hub.url("/feed"), allow_private=allow_private, now=now)
        reader = Reader(await app_over(db, config, lambda: now), hub, source, fetcher, hubs, now)
        reader.app.clock = lambda: reader.now
        pages = PageReader(fetcher, parser=Parser())
        server = WebServer(create_site(reader.app, parser=ParserHere(), page_reader=pages), "127.0.0.1", port)
        await server.start()
        try:
            yield reader
        finally:
            await server.stop()


@pytest.fixture
async def reader(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Reader]:
    async with reader_of(sqlite_db, tmp_path, now) as reader:
        yield reader


async def test_a_subscription_from_its_discovery_to_its_end_on_both_databases(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    async with reader_of(db, tmp_path, now) as reader:
        await reader.subscribe()
        assert reader.hub.verified == [True]
        assert await reader.hub.push(atom("First", "Second")) == 202
        assert await reader.titles() == ["First", "Second"]
        await remove_source(db, reader.source.name)
        assert [one.mode for one in await reader.ask()] == ["unsubscribe"]
        assert reader.hub.verified == [True, True]
        assert await reader.held() is None
        assert await reader.hub.push(atom("Third")) == 404


@pytest.mark.parametrize("content", Content)
async def test_what_is_pushed_is_told_as_the_source_wants_it(reader: Reader, content: Content) -> None:
    async with reader.app.db.transaction() as tx:
        source = replace(reader.source, content=content)
        await sources.update_settings(tx, source=source, origin="cli", now=reader.now)
    await reader.subscribe()
    reader.hub.pages["/recall"] = (article_page(), [("Content-Type", "text/html")])
    entry = f'<entry><id>2</id><title>{TITLE}</title><link href="{reader.hub.url("/recall")}"/>'
    entry += "<summary>A part.</summary><content>In full.</content></entry>"

    assert await reader.hub.push(atom().replace(b"</feed>", entry.encode() + b"</feed>")) == 202

    async with reader.app.db.reading() as tx:
        (article, _) = await articles.latest(tx, limit=2)
    told = {Content.SUMMARY: "", Content.CONTENT: "In full.", Content.PAGE: "\n\n".join(STORY)}
    assert (article.item.summary, article.item.body) == (("A part.",), told[content])


@pytest.mark.parametrize("way", ["headers", "one header", "Atom", "RSS", "JSON Feed", "headers before the feed"])
async def test_hub_and_topic_are_found_wherever_a_feed_says_them(reader: Reader, way: str) -> None:
    hub, topic = reader.hub.url(), reader.hub.url("/feed")
    headers = [("Link", f'<{hub}>; rel="hub"'), ("Link", f'<{topic}>; rel="self"')]
    rss = f"<item><title>First</title></item><a:link rel='hub' href='{hub}'/><a:link rel='self' href='{topic}'/>"
    wrong = f'<link rel="self" href="{topic}x"/><link rel="hub" href="{hub}x"/>'
    reader.hub.pages["/feed"] = {
        "headers": (atom("First"), headers),
        "one header": (atom("First"), [("Link", ", ".join(value for _, value in headers))]),
        "Atom": (atom("First", links=xml_links(reader.hub)), []),
        "RSS": (
            f"<rss version='2.0' xmlns:a='http://www.w3.org/2005/Atom'><channel>{rss}</channel></rss>".encode(),
            [],
        ),
        "JSON Feed": (
            b'{"version": "https://jsonfeed.org/version/1.1", "title": "t", "feed_url": "%s", "hubs": [{"type": '
            b'"rssCloud", "url": "http://x.example"}, {"type": "WebSub", "url": "%s"}], "items": [{"id": "1", '
            b'"title": "First"}]}' % (topic.encode(), hub.encode()),
            [],
        ),
        "headers before the feed": (atom("First", links=wrong), headers),
    }[way]
    await reader.poll()
    await reader.ask()
    assert [(form["hub.mode"], form["hub.topic"]) for form in reader.hub.asked] == [("subscribe", topic)]
    assert reader.hub.verified == [True]


async def test_of_several_hubs_the_first_is_asked(reader: Reader) -> None:
    links = f'{xml_links(reader.hub)}<link rel="hub" href="{reader.hub.url("/hub-two")}"/>'
    reader.hub.pages["/feed"] = (atom("First", links=links), [])
    await reader.poll()
    await reader.ask()
    held = await reader.held()
    assert held is not None
    assert held.hub == reader.hub.url()


@pytest.mark.parametrize(("status", "works"), [(307, True), (302, False)])
async def test_a_hub_may_send_us_on_as_the_protocol_has_it_only(reader: Reader, status: int, works: bool) -> None:
    async def redirect(_hub: Hub, _form: dict[str, str]) -> web.Response:
        return web.Response(status=status, headers={"Location": "/hub-two"})

    reader.hub.answer = redirect
    reader.hub.pages["/feed"] = (atom("First", links=xml_links(reader.hub)), [])
    await reader.poll()
    (asked,) = await reader.ask()
    assert (asked.reason is None, reader.hub.verified) == (works, [True] if works else [])


async def test_redirects_without_end_are_given_up(reader: Reader) -> None:
    async def redirect(hub: Hub, _form: dict[str, str]) -> web.Response:
        return web.Response(status=307, headers={"Location": hub.url()})

    reader.hub.answer = redirect
    reader.hub.pages["/feed"] = (atom("First", links=xml_links(reader.hub)), [])
    await reader.poll()
    assert "redirects" in str((await reader.ask())[0].reason)


async def test_a_hub_that_refuses_is_asked_again_later_and_the_feed_is_polled_as_ever(reader: Reader) -> None:
    reader.hub.answer = reject
    reader.hub.pages["/feed"] = (atom("First", links=xml_links(reader.hub)), [])
    await reader.poll()
    assert "members only" in str((await reader.ask())[0].reason)
    assert await reader.ask() == []
    assert await reader.next_poll_in() == reader.source.every
    reader.now += timedelta(minutes=6)
    reader.hub.answer = None
    assert [one.reason for one in await reader.ask()] == [None]
    assert reader.hub.verified == [True]


async def test_a_hub_that_is_gone_changes_nothing_for_the_polls(reader: Reader) -> None:
    links = (
        f'<link rel="self" href="{reader.hub.url("/feed")}"/><link rel="hub" href="http://127.0.0.1:{free_port()}/"/>'
    )
    reader.hub.pages["/feed"] = (atom("First", links=links), [])
    await reader.poll()
    assert "cannot be reached" in str((await reader.ask())[0].reason)
    reader.hub.pages["/feed"] = (atom("First", "Second", links=links), [])
    assert (await reader.poll()).new == 1
    assert await reader.next_poll_in() == reader.source.every


async def test_a_push_that_is_signed_is_taken_whatever_the_method(reader: Reader) -> None:
    await reader.subscribe()
    methods = ["sha1", "sha256", "sha384", "sha512"]
    for method in methods:
        assert await reader.hub.push(atom(method), signature=method) == 202
    assert await reader.titles() == ["First", *methods]


async def test_a_push_that_is_signed_wrongly_or_not_at_all_is_answered_alike_and_ignored(reader: Reader) -> None:
    await reader.subscribe()
    for signature, secret in ((None, None), ("sha256", "another"), ("sha256=00", None), ("md5=00", None), ("", None)):
        assert await reader.hub.push(atom("Second"), signature=signature, secret=secret) == 202
    assert await reader.titles() == ["First"]


async def test_a_push_that_is_no_feed_or_too_large_takes_nothing_along(reader: Reader) -> None:
    await reader.subscribe()
    assert await reader.hub.push(b"<html>login</html>") == 202
    assert await reader.hub.push(b"x" * (MAX_PUSH_BYTES + 1)) == 413
    assert await reader.hub.push(atom("Second") + b" " * 200_000) == 202
    assert await reader.titles() == ["First", "Second"]


async def test_what_was_pushed_is_known_to_the_next_poll(reader: Reader) -> None:
    await reader.subscribe()
    await reader.hub.push(atom("Second"))
    reader.hub.pages["/feed"] = (atom("First", "Second", links=xml_links(reader.hub)), [])
    polled = await reader.poll()
    assert (polled.new, polled.seen) == (0, 2)


async def test_what_we_did_not_ask_for_is_not_confirmed(reader: Reader) -> None:
    await reader.subscribe()
    topic = reader.hub.url("/feed")
    for question in (
        {"hub_mode": "subscribe", "hub_topic": f"{topic}x", "hub_challenge": "c"},
        {"hub_mode": "unsubscribe", "hub_topic": topic, "hub_challenge": "c"},
        {"hub_mode": "subscribe", "hub_topic": topic},
        {"hub_mode": "other", "hub_topic": topic, "hub_challenge": "c"},
        {"hub_mode": "subscribe", "hub_topic": topic, "hub_challenge": "c" * 1001},
        {},
    ):
        assert (await reader.hub.ask(**question))[0] == 404
    reader.hub.asked[-1]["hub.callback"] = reader.hub.callback[:-1] + "_"
    assert (await reader.hub.ask(hub_mode="subscribe", hub_topic=topic, hub_challenge="c"))[0] == 404
    assert await reader.hub.push(atom("Second")) == 404
    assert await reader.titles() == ["First"]


async def test_a_denial_is_kept_with_its_reason_and_asked_again_tomorrow(reader: Reader) -> None:
    await reader.subscribe()
    answer = await reader.hub.ask(hub_mode="denied", hub_topic=reader.hub.url("/feed"), hub_reason="moved")
    held = await reader.held()
    assert (answer[0], held and held.state, held and held.reason) == (
        200,
        SubscriptionState.WANTED,
        "denied by the hub: moved",
    )
    reader.now += DAY
    assert [one.mode for one in await reader.ask()] == ["subscribe"]


async def test_a_request_that_is_taken_and_never_verified_is_made_again(reader: Reader) -> None:
    async def take_only(hub: Hub, form: dict[str, str]) -> web.Response:
        hub.asked.append(form)
        return web.Response(status=202)

    reader.hub.answer = take_only
    await reader.subscribe()
    assert await reader.hub.push(atom("Second")) == 202  # before it is verified: ignored
    assert await reader.titles() == ["First"]
    assert await reader.ask() == []
    reader.now += timedelta(hours=1)
    assert len(await reader.ask()) == 1


async def test_a_lease_is_renewed_before_it_ends_at_the_same_callback(reader: Reader) -> None:
    reader.hub.lease_seconds = "3600"
    await reader.subscribe()
    assert await reader.ask() == []
    reader.now += timedelta(minutes=50)
    assert [one.mode for one in await reader.ask()] == ["subscribe"]
    assert reader.hub.asked[0] == reader.hub.asked[1]
    held = await reader.held()
    assert held is not None
    assert held.lease_until == reader.now + timedelta(hours=1)


async def test_polls_are_rarer_while_a_hub_tells_and_as_before_once_a_poll_finds_the_news(reader: Reader) -> None:
    await reader.subscribe()
    await reader.poll()
    assert await reader.next_poll_in() == reader.source.every
    await reader.hub.push(atom("Second"))
    await reader.poll()
    assert await reader.next_poll_in() == 10 * reader.source.every
    reader.hub.pages["/feed"] = (atom("First", "Second", "Third", links=xml_links(reader.hub)), [])
    await reader.poll()  # the hub is silent
    await reader.poll()
    assert await reader.next_poll_in() == reader.source.every


async def test_a_feed_that_names_its_hub_no_more_is_polled_only(reader: Reader) -> None:
    await reader.subscribe()
    reader.hub.pages["/feed"] = (atom("First", "Second"), [])
    await reader.poll()
    assert await reader.held() is None
    assert await reader.hub.push(atom("Third")) == 404


async def test_a_paused_source_takes_no_push(reader: Reader) -> None:
    await reader.subscribe()
    await pause_source(reader.app.db, reader.source.name)
    assert await reader.hub.push(atom("Second")) == 202
    assert await reader.titles() == ["First"]


async def test_a_hub_that_does_not_let_go_is_forgotten_after_some_goodbyes(reader: Reader) -> None:
    await reader.subscribe()
    reader.hub.answer = reject
    await remove_source(reader.app.db, reader.source.name)
    for _ in range(3):
        assert len(await reader.ask()) == 1
        reader.now += DAY
    assert (await reader.held(), await reader.ask()) == (None, [])


async def test_a_feed_cannot_send_us_to_a_hub_inside(sqlite_db: Database, tmp_path: Path, now: datetime) -> None:
    async with reader_of(sqlite_db, tmp_path, now, allow_private=False) as reader:
        async with sqlite_db.transaction() as tx:
            links = HubLinks(hub=reader.hub.url(), topic="https://news.example/feed")
            await websub.offer(tx, reader.source.id, links, token="t", secret="s", now=now)
        assert "private" in str((await reader.ask())[0].reason)
        assert reader.hub.asked == []


async def test_a_site_that_no_hub_can_reach_asks_none(sqlite_db: Database, tmp_path: Path, now: datetime) -> None:
    for origin, wish, base in (
        ("http://127.0.0.1:8000", "auto", None),
        ("https://alerts.daily.example", "auto", "https://alerts.daily.example/websub/"),
        ("https://alerts.daily.example", "never", None),
        ("http://127.0.0.1:8000", "always", "http://127.0.0.1:8000/websub/"),
    ):
        config = config_in(tmp_path, origin=origin, more=f"web: {{websub: {wish}}}\n")
        assert (await app_over(sqlite_db, config, lambda: now)).hub_callbacks == base
