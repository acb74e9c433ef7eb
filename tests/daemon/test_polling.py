"""Polls side by side: hosts that hang, hosts with many feeds, what the operator hears of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feed_server import FeedServer, Request, answer, hang
from structlog.testing import capture_logs
from website import app_over

from alerts.app import App
from alerts.config import load_config
from alerts.core.model import Content
from alerts.daemon.polling import Polling
from alerts.queue.local import LocalQueue
from alerts.queue.port import Job, Step
from alerts.services.sources import add_feed
from alerts.storage import sources
from alerts.storage.engine import Database, after_commit

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FEED = answer(
    b"<rss version='2.0'><channel><title>t</title><item><title>A</title><guid>1</guid></item></channel></rss>"
)


@pytest.fixture
async def app(sqlite_db: Database, tmp_path: Path) -> App:
    file = tmp_path / "config.yaml"
    file.write_text("sources: []\n")
    return await app_over(sqlite_db, load_config(file, {}), lambda: NOON)


@pytest.fixture
async def polling(app: App) -> AsyncIterator[Polling]:
    async with Polling.open(app) as opened:
        yield opened


async def add(app: App, server: FeedServer, *paths: str) -> list[int]:
    return [(await add_feed(app.db, server.url(path), allow_private=True, now=NOON)).id for path in paths]


async def test_feeds_of_one_host_take_turns_and_follow_one_another(app: App, polling: Polling) -> None:
    async with FeedServer(pages={f"/{number}": FEED for number in range(5)}) as server:
        feeds = await add(app, server, *server.pages)
        async with FeedServer(pages={"/other": FEED}) as other:
            (last,) = await add(app, other, "/other")
            due = await polling.due()

            followers = [(await polling.poll(source_id)).follows for source_id in feeds]

    assert due == [*feeds[:2], last]
    assert followers == [feeds[2], feeds[3], feeds[4], None, None]


async def test_feeds_that_are_polled_at_once_drift_apart(app: App, polling: Polling) -> None:
    """A thousand that were added together would for ever be due together."""
    async with FeedServer(pages={f"/{number}": FEED for number in range(12)}) as server:
        feeds = await add(app, server, *server.pages)
        for source_id in feeds:
            await polling.poll(source_id)

    async with app.db.reading() as tx:
        waits = [one.next_poll_at - NOON for one in await sources.list_sources(tx)]
    assert len(set(waits)) == len(feeds)
    assert min(waits) >= timedelta(minutes=5)
    assert max(waits) <= timedelta(minutes=5.5)


async def test_feeds_that_hang_keep_nobody_waiting(app: App, polling: Polling) -> None:
    """Forty servers that hang and one with forty feeds that does: none of it holds up the feeds that stand behind."""
    done = asyncio.Event()
    asked = set[str]()

    async def tell(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.add(request.path)
        writer.write(FEED)
        if len(asked) == len(quick.pages):
            done.set()

    queue = LocalQueue(after_commit)
    async with AsyncExitStack() as stack:
        for _ in range(40):
            await add(app, await stack.enter_async_context(FeedServer(pages={"/feed": hang})), "/feed")
        crowded = await stack.enter_async_context(FeedServer(pages={f"/{number}": hang for number in range(40)}))
        await add(app, crowded, *crowded.pages)
        quick = await stack.enter_async_context(FeedServer(pages={f"/{number}": tell for number in range(6)}))
        await add(app, quick, *quick.pages)

        async def poll(job: Job) -> None:
            polled = await polling.poll(job.key or 0)
            if polled.follows is not None:
                await queue.enqueue(Job(Step.POLL, polled.follows))

        await queue.start({Step.POLL: poll})
        began = time.monotonic()
        for source_id in await polling.due():
            await queue.enqueue(Job(Step.POLL, source_id))
        await asyncio.wait_for(done.wait(), timeout=10)
        took = time.monotonic() - began
        await queue.stop(grace_s=0)

    assert took < 8  # a feed that hangs is left after 15 s
    assert len(crowded.requests) <= 2


async def test_the_operator_hears_of_a_source_that_fails_once(app: App, polling: Polling) -> None:
    async with FeedServer(pages={"/feed": answer(status="500 Oops")}) as server:
        (feed,) = await add(app, server, "/feed")
        with capture_logs() as logs:
            for hours in range(0, 25, 6):
                app.clock = lambda hours=hours: NOON + timedelta(hours=hours)  # type: ignore[misc] # as a default
                await polling.poll(feed)
            server.pages["/feed"] = FEED
            app.clock = lambda: NOON + timedelta(days=2)
            await polling.poll(feed)

    told = [(entry["event"], entry["log_level"]) for entry in logs if entry["log_level"] != "debug"]
    assert told == [("source_failing", "warning"), ("source_recovered", "info")]


async def test_the_operator_can_look_up_which_pages_were_not_read_and_why(app: App, polling: Polling) -> None:
    item = "<item><title>{0}</title><guid isPermaLink='false'>{0}</guid><link>/{0}</link></item>"
    pages = [f"<rss version='2.0'><channel><title>t</title>{item.format(name)}</channel></rss>" for name in ("a", "b")]
    async with FeedServer(pages={"/feed": answer(pages[0].encode())}) as server:
        source = await add_feed(app.db, server.url("/feed"), allow_private=True, content=Content.PAGE, now=NOON)
        await polling.poll(source.id)
        server.pages["/feed"] = answer(pages[1].encode())
        app.clock = lambda: NOON + timedelta(days=1)
        with capture_logs() as logs:
            polled = await polling.poll(source.id)

    (told,) = (entry for entry in logs if entry["event"] == "page_not_read")
    assert (polled.worked, polled.new, told["page"]) == (True, 1, server.url("/b"))
    assert told["reason"] == "127.0.0.1 has no page there (404)"
