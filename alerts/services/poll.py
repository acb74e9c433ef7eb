"""Poll one feed: ask its server, read what came, store it and how it went. Folders are read elsewhere.

The fetch happens outside any transaction and the rest in one, which begins by making sure that the claim still holds:
a worker that slept through its lease, or whose source was paused meanwhile, writes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from secrets import token_hex, token_urlsafe
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import FetchError
from alerts.core.feed_moves import may_be_kept, new_address
from alerts.core.feed_pace import Pace, interval, learn
from alerts.core.full_text import chosen
from alerts.core.health import is_back_at_its_first_place, is_worth_a_warning
from alerts.core.hosts import host_of
from alerts.core.model import Content, Item, Source, SourceKind
from alerts.core.schedule import next_poll_at
from alerts.core.websub import SECRET_LENGTH, TOKEN_LENGTH, TRUSTED_FOR, HubLinks, calmer
from alerts.queue import Enlist, Job, Step
from alerts.sources.entries import ParsedFeed
from alerts.sources.fetch import Fetched
from alerts.sources.page_reader import Pages
from alerts.storage import sources, websub
from alerts.storage.articles import Stored, store_items, worth_reading
from alerts.storage.engine import Database
from alerts.storage.floods import Holding
from alerts.storage.polls import worker_claim
from alerts.storage.shared import SharedTransactions

LEASE = timedelta(minutes=5)  # the longest fetch and the longest parse, several times over


class Fetcher(Protocol):
    """What asks a server for a feed."""

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, allow_private: bool = False
    ) -> Fetched:
        """Return the answer; raise FetchError."""
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


class Health(Enum):
    """What a poll says of its source that an operator wants to know, once."""

    SAME = auto()  # nothing that was not told before, or a blip
    FAILING = auto()  # it has been failing for long enough
    STOPPED = auto()  # gone for good; polled no more
    RECOVERED = auto()  # it works again, after a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What a poll did."""

    worked: bool  # the source answered as it should; nothing new is fine
    claimed: bool = True  # False: not due, not polled now, or another worker's; nothing was done
    new: int = 0
    changed: int = 0
    seen: int = 0
    article_ids: tuple[int, ...] = ()  # of the new ones
    reason: str | None = None  # why it did not work
    held: int = 0  # of the new ones, as part of a flood
    holding: Holding | None = None  # the flood
    health: Health = Health.SAME
    pages: Pages = field(default_factory=Pages)  # what was read in place of the feed's own texts, or why not


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What an answer brought."""

    fetched: Fetched
    body_hash: str | None
    feed: ParsedFeed
    links: HubLinks | None = None  # where its news can be heard of; None: it was not read anew
    pages: Pages = field(default_factory=Pages)


NOT_CLAIMED = Polled(worked=True, claimed=False)
_NOTHING = Stored(new=0, changed=0, seen=0, article_ids=())


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
) -> Polled:
    """Poll a feed if its time has come (or whatever its time, without ``only_due``) and nobody else does.

    ``enlist`` asks for the matching of what is new, in the transaction that stores it. ``may_subscribe`` lets the hub
    that the feed names be asked for its news. ``worker`` is who polls, as the ledger knows it: when it dies, its claims
    are taken back at once and not only after their lease.

    ``shared`` are the transactions that polls side by side write their claims and outcomes in. ``page_reader`` reads
    pages for the sources that want them; without one they have what the feed gives.

    Whatever the server does, the poll ends within the fetcher's and the parser's limits. A poll that failed changes no
    article and leaves the source's last success as it was.
    """
    # 1. Take the source.
    claim = worker_claim(token_hex(16), worker=worker)
    shared = shared or SharedTransactions(db)
    source = await shared.write(
        partial(sources.claim_source, source_id=source_id, claim=claim, now=now, lease=LEASE, only_due=only_due)
    )
    if source is None:
        return NOT_CLAIMED
    # 2. Ask and read.
    try:
        news = await _ask(fetcher, parser, source)
        if page_reader is not None and source.content is Content.PAGE and news.feed.items:
            pages = await _read_pages(db, shared, page_reader, source, news.feed.items, claim=claim, now=now)
            if pages is None:
                return NOT_CLAIMED
            news = replace(news, pages=pages)
    except FetchError as error:
        return await _record_failure(shared, source, error, claim=claim, now=now, jitter=jitter)
    except asyncio.CancelledError:  # anything else is a fault of ours: the lease keeps it from being tried at once
        async with db.transaction() as tx:
            await sources.release_source(tx, source.id, claim=claim)
        raise
    # 3. Store what came, and that it came.
    record = partial(
        _record_success, source, news, claim=claim, now=now, jitter=jitter, enlist=enlist, may_subscribe=may_subscribe
    )
    if not news.feed.items:
        return await shared.write(record)
    async with db.transaction() as tx:
        return await record(tx)


async def _ask(fetcher: Fetcher, parser: FeedParser, source: Source) -> _News:
    """Return what is new to us; a body that is the same as last time is not parsed again."""
    fetched = await fetcher.fetch(
        source.moved_to or source.location,
        etag=source.etag,
        last_modified=source.last_modified,
        allow_private=source.allow_private,
    )
    nothing = ParsedFeed(items=())
    if fetched.body is None:
        kept = replace(
            fetched, etag=fetched.etag or source.etag, last_modified=fetched.last_modified or source.last_modified
        )
        return _News(fetched=kept, body_hash=source.body_hash, feed=nothing)
    body_hash = hashlib.sha256(fetched.body).hexdigest()
    if body_hash == source.body_hash:
        return _News(fetched=fetched, body_hash=body_hash, feed=nothing)
    feed = await parser.parse(fetched.body, url=fetched.url, charset=fetched.charset)
    feed = replace(feed, items=chosen(feed.items, source.content))
    links = fetched.links if fetched.links.are_there else feed.links  # headers first (WebSub, 4)
    return _News(fetched=fetched, body_hash=body_hash, feed=feed, links=links)


async def _read_pages(
    db: Database,
    shared: SharedTransactions,
    reader: PageReader,
    source: Source,
    items: Sequence[Item],
    *,
    claim: str,
    now: datetime,
) -> Pages | None:
    """Return what the pages of the items say that will be mailed, unless they are a flood; None: the claim was lost."""
    async with db.reading() as tx:
        wanted = await worth_reading(tx, source=source, items=items, first_poll=source.polled_at is None, now=now)
    if not wanted:
        return Pages()
    hold = partial(sources.extend_lease, source_id=source.id, claim=claim, now=now, lease=2 * LEASE)
    if not await shared.write(hold):
        return None
    host = host_of(source.moved_to or source.location)
    return await reader.read(wanted, private_host=host if source.allow_private else None)


async def _record_success(
    source: Source,
    news: _News,
    tx: AsyncConnection,
    *,
    claim: str,
    now: datetime,
    jitter: float,
    enlist: Enlist | None,
    may_subscribe: bool,
) -> Polled:
    """Store what came and when to come back, unless the claim was lost meanwhile."""
    fetched, stored = news.fetched, _NOTHING
    moved_to = new_address(source, moved_to=fetched.moved_to, gave_the_feed=fetched.body is not None)
    if news.feed.items:
        if not await sources.extend_lease(tx, source.id, claim=claim, now=now, lease=LEASE):
            return NOT_CLAIMED
        stored = await store_items(tx, source=source, items=news.feed.items, now=now, page_texts=news.pages.texts)
    pace = learn(Pace(gap=source.gap, news_at=source.news_at), now=now, new=stored.new, at_most=source.every_at_most)
    live = may_subscribe and await websub.is_live(tx, source.id, now=now, within=TRUSTED_FOR)
    held = await sources.record_success(
        tx,
        source.id,
        claim=claim,
        now=now,
        next_poll_at=_again_at(source, news, pace, now=now, jitter=jitter, live=live),
        etag=fetched.etag,
        last_modified=fetched.last_modified,
        body_hash=news.body_hash,
        reason=f"moved for good to {moved_to}; write that address instead" if moved_to else None,
        pace=pace,
        moved_to=moved_to if may_be_kept(source) else None,
    )
    if not held:
        return NOT_CLAIMED
    if stored.new and enlist is not None:
        await enlist(tx, Job(Step.MATCH))
    if may_subscribe:
        await _note_hub(tx, source, news, now=now, found_news=bool(stored.new))
    return Polled(
        worked=True,
        new=stored.new,
        changed=stored.changed,
        seen=stored.seen,
        article_ids=stored.article_ids,
        held=stored.held,
        holding=stored.holding,
        health=Health.RECOVERED if source.warned_at else Health.SAME,
        pages=news.pages,
    )


async def _note_hub(tx: AsyncConnection, source: Source, news: _News, *, now: datetime, found_news: bool) -> None:
    """Take over what the feed says of its hub; one that let a poll find the news is not waited for."""
    if news.links is not None:
        token, secret = token_urlsafe(TOKEN_LENGTH), token_urlsafe(SECRET_LENGTH)
        await websub.offer(tx, source.id, news.links, token=token, secret=secret, now=now)
    if found_news:
        await websub.distrust(tx, source.id)


def _again_at(source: Source, news: _News, pace: Pace, *, now: datetime, jitter: float, live: bool) -> datetime:
    """Return when to poll next: by its pace, not before it wants us back, and rarer while a hub pushes."""
    wait = interval(pace, now=now, every=source.every, at_most=source.every_at_most)
    hint = max(news.fetched.fresh_for or timedelta(0), news.feed.ttl or timedelta(0), calmer(source.every, live=live))
    return next_poll_at(now=now, every=wait, jitter=jitter, hint=hint)


async def _record_failure(
    shared: SharedTransactions, source: Source, error: FetchError, *, claim: str, now: datetime, jitter: float
) -> Polled:
    """Record what went wrong and when to come back; decide whether the operator is told."""
    failures, since = source.failures + 1, source.failing_since_at or now
    moved_back = source.moved_to is not None and is_back_at_its_first_place(
        now=now, failing_since_at=since, permanent=error.permanent
    )
    stopped = error.permanent and not moved_back
    warned = is_worth_a_warning(
        now=now, failures=failures, failing_since_at=since, stopped=stopped, warned=source.warned_at is not None
    )
    again_at = next_poll_at(
        now=now, every=source.every, jitter=jitter, failures=failures, retry_after=error.retry_after
    )
    held = await shared.write(
        partial(
            sources.record_failure,
            source_id=source.id,
            claim=claim,
            now=now,
            next_poll_at=again_at,
            reason=str(error),
            stopped=stopped,
            warned=warned,
            moved_back=moved_back,
        )
    )
    if not held:
        return NOT_CLAIMED
    told = (Health.STOPPED if stopped else Health.FAILING) if warned or stopped else Health.SAME
    return Polled(worked=False, reason=str(error), health=told)
