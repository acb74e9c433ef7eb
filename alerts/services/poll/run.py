"""A poll, step by step: take the source, ask and read, store what came."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import getrandbits
from secrets import token_urlsafe
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.articles import Sighting
from alerts.core.errors import FetchError
from alerts.core.full_text import chosen
from alerts.core.hosts import host_of
from alerts.core.model import Content, Item, Source, SourceKind
from alerts.core.websub import SECRET_LENGTH, TOKEN_LENGTH
from alerts.queue import Enlist, Job, Step
from alerts.services.poll.outcomes import Health, News, Poll, Polled, failed, worked
from alerts.sources.entries import ParsedFeed
from alerts.sources.fetch import Fetched
from alerts.sources.page_reader import Pages
from alerts.sources.room import Room, Seat
from alerts.storage import sources, websub
from alerts.storage.articles import sighted, store_items, worth_reading
from alerts.storage.claims import Ask, claim_sources, record_failed, record_worked
from alerts.storage.engine import Database
from alerts.storage.polls import worker_claim
from alerts.storage.shared import SharedTransactions

LEASE = timedelta(minutes=5)  # the longest fetch and the longest parse, several times over
_HASHED_HERE = 256 << 10  # bytes; a larger body in a thread


class Fetcher(Protocol):
    """What asks a server for a feed."""

    async def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        allow_private: bool = False,
        seat: Seat | None = None,
    ) -> Fetched:
        """Return the answer, a large one once it has its seat; raise FetchError."""
        ...


class FeedParser(Protocol):
    """What reads a feed's bytes without holding up anybody else."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        """Return what the feed holds; raise FetchError."""
        ...


class PageReader(Protocol):
    """What reads the pages behind items' links."""

    async def read(self, items: Sequence[Item], *, private_host: str | None = None) -> Pages:
        """Return their texts, and why some have none; raise nothing, and end in less than half of a lease."""
        ...


NOT_CLAIMED = Polled(worked=True, claimed=False)
_NO_FEED = ParsedFeed(items=())


async def due_feeds(db: Database, *, now: datetime, limit: int) -> Sequence[int]:
    """Return the ids of the feeds whose time has come, the longest overdue first."""
    async with db.reading() as tx:
        return [one.id for one in await sources.due_sources(tx, now=now, limit=limit, kind=SourceKind.FEED)]


async def poll_feed(
    db: Database,
    fetcher: Fetcher,
    parser: FeedParser,
    source_id: int,
    *,
    now: datetime,
    jitter: float,
    only_due: bool = True,
    enlist: Enlist | None = None,
    may_subscribe: bool = False,
    worker: str | None = None,
    shared: SharedTransactions | None = None,
    page_reader: PageReader | None = None,
    room: Room | None = None,
) -> Polled:
    """Poll a feed if its time has come (or whatever its time, without ``only_due``) and nobody else does.

    ``enlist`` asks for the matching of what is new, in the transaction that stores it. ``may_subscribe`` lets the hub
    that the feed names be asked for its news. ``worker`` is who polls, as the ledger knows it: when it dies, its claims
    are taken back at once and not only after their lease.

    ``shared`` are the transactions that polls side by side write their claims and outcomes in. ``page_reader`` reads
    pages for the sources that want them; without one they have what the feed gives. ``room`` is where large answers
    of polls side by side have their places.

    Whatever the server does, the poll ends within the fetcher's and the parser's limits. A poll that failed changes no
    article and leaves the source's last success as it was.
    """
    # 1. Take the source.
    shared = shared or SharedTransactions(db)
    token = f"{getrandbits(128):032x}"  # nobody gains by guessing it, and the system's own randomness costs a call
    claim = worker_claim(token, worker=worker)
    taken = await shared.write(claim_sources, Ask(source_id, claim, now, LEASE, only_due, SourceKind.FEED))
    if taken is None:
        return NOT_CLAIMED
    poll = Poll(source=taken.source, claim=claim, now=now, jitter=jitter, is_live=may_subscribe and taken.is_live)
    with (room or Room()).seat() as seat:
        # 2. Ask and read.
        try:
            news = await _ask(fetcher, parser, poll.source, seat)
            if page_reader is not None and poll.source.content is Content.PAGE and news.feed.items:
                pages = await _read_pages(db, page_reader, poll, news.feed.items)
                if pages is None:
                    return NOT_CLAIMED
                news = replace(news, pages=pages)
        except FetchError as error:
            return await _record_failure(shared, poll, error)
        except asyncio.CancelledError:  # anything else is a fault of ours: the lease keeps it from being tried at once
            async with db.transaction() as tx:
                await sources.release_source(tx, source_id, claim=claim)
            raise
        # 3. Store what came, and that it came.
        if news.feed.items or (may_subscribe and news.links is not None):
            sightings = await sighted(news.feed.items, now=now)
            async with db.transaction() as tx:
                return await _store(tx, poll, news, sightings, enlist=enlist, may_subscribe=may_subscribe)
    if not await shared.write(record_worked, worked(poll, news, new=0)):
        return NOT_CLAIMED
    return Polled(worked=True, health=poll.health, source=poll.source)


async def _ask(fetcher: Fetcher, parser: FeedParser, source: Source, seat: Seat) -> News:
    """Return what is new to us; a body that is the same as last time is not parsed again."""
    fetched = await fetcher.fetch(
        source.moved_to or source.location,
        etag=source.etag,
        last_modified=source.last_modified,
        allow_private=source.allow_private,
        seat=seat,
    )
    if fetched.body is None:
        return News(fetched=fetched, body_hash=source.body_hash, feed=_NO_FEED)
    body_hash = await _hash(fetched.body)
    if body_hash == source.body_hash:
        return News(fetched=fetched, body_hash=body_hash, feed=_NO_FEED)
    feed = await parser.parse(fetched.body, url=fetched.url, charset=fetched.charset)
    feed = replace(feed, items=chosen(feed.items, source.content))
    links = fetched.links if fetched.links.are_there else feed.links  # headers first (WebSub, 4)
    return News(fetched=fetched, body_hash=body_hash, feed=feed, links=links)


async def _hash(body: bytes) -> str:
    """Return what tells a body from another; a large one takes longer than the event loop should wait."""
    if len(body) > _HASHED_HERE:
        return await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
    return hashlib.sha256(body).hexdigest()


async def _read_pages(db: Database, reader: PageReader, poll: Poll, items: Sequence[Item]) -> Pages | None:
    """Return what the pages of the items say that will be mailed, unless they are a flood; None: the claim was lost."""
    source, now = poll.source, poll.now
    async with db.reading() as tx:
        wanted = await worth_reading(tx, source=source, items=items, first_poll=source.polled_at is None, now=now)
    if not wanted:
        return Pages()
    async with db.transaction() as tx:
        if not await sources.extend_lease(tx, source.id, claim=poll.claim, now=now, lease=2 * LEASE):
            return None
    host = host_of(source.moved_to or source.location)
    return await reader.read(wanted, private_host=host if source.allow_private else None)


async def _store(
    tx: AsyncConnection,
    poll: Poll,
    news: News,
    sightings: Sequence[Sighting],
    *,
    enlist: Enlist | None,
    may_subscribe: bool,
) -> Polled:
    """Store what came and when to come back, unless the claim was lost meanwhile."""
    source = poll.source
    if not await sources.extend_lease(tx, source.id, claim=poll.claim, now=poll.now, lease=LEASE):
        return NOT_CLAIMED
    stored = await store_items(
        tx,
        source=source,
        items=news.feed.items,
        now=poll.now,
        page_texts=news.pages.texts,
        sightings=sightings,
    )
    (held,) = await record_worked(tx, [worked(poll, news, new=stored.new)])
    if not held:
        return NOT_CLAIMED
    if stored.new and enlist is not None:
        await enlist(tx, Job(Step.MATCH))
    if may_subscribe:
        await _note_hub(tx, source, news, now=poll.now, found_news=bool(stored.new))
    return Polled(
        worked=True,
        new=stored.new,
        changed=stored.changed,
        seen=stored.seen,
        article_ids=stored.article_ids,
        held=stored.held,
        holding=stored.holding,
        health=poll.health,
        pages=news.pages,
        source=source,
    )


async def _note_hub(tx: AsyncConnection, source: Source, news: News, *, now: datetime, found_news: bool) -> None:
    """Take over what the feed says of its hub; one that let a poll find the news is not waited for."""
    if news.links is not None:
        token, secret = token_urlsafe(TOKEN_LENGTH), token_urlsafe(SECRET_LENGTH)
        await websub.offer(tx, source.id, news.links, token=token, secret=secret, now=now)
    if found_news:
        await websub.distrust(tx, source.id)


async def _record_failure(shared: SharedTransactions, poll: Poll, error: FetchError) -> Polled:
    """Record what went wrong and when to come back."""
    left = failed(poll, error)
    if not await shared.write(record_failed, left):
        return NOT_CLAIMED
    told = (Health.STOPPED if left.stopped else Health.FAILING) if left.warned or left.stopped else Health.SAME
    return Polled(worked=False, reason=left.reason, health=told, source=poll.source)
