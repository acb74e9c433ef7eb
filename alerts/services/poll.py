"""Poll one feed: ask its server, read what came, store it and how it went. Folders are read elsewhere.

The fetch happens outside any transaction and the rest in one, which begins by making sure that the claim still holds:
a worker that slept through its lease, or whose source was paused meanwhile, writes nothing. Most polls bring nothing
new: their claims and outcomes are written together with those of the polls beside them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from secrets import token_hex, token_urlsafe
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import FetchError
from alerts.core.feed_pace import Pace, interval, learn
from alerts.core.health import is_back_at_its_first_place, is_worth_a_warning
from alerts.core.model import Source, SourceKind
from alerts.core.schedule import next_poll_at
from alerts.core.websub import SECRET_LENGTH, TOKEN_LENGTH, HubLinks, calmer
from alerts.queue import Enlist, Job, Step
from alerts.sources.entries import ParsedFeed
from alerts.sources.fetch import Fetched
from alerts.storage import sources, websub
from alerts.storage.articles import store_items
from alerts.storage.claims import Ask, Failed, Worked, claim_sources, record_failed, record_worked
from alerts.storage.engine import Database
from alerts.storage.floods import Holding
from alerts.storage.polls import worker_claim
from alerts.storage.shared import SharedTransactions

LEASE = timedelta(minutes=5)  # the longest fetch and the longest parse, several times over
_HASHED_HERE = 256 << 10  # bytes; a larger body in a thread


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
    source: Source | None = None  # as it was when it was claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Poll:
    """A poll under way."""

    source: Source  # as it was claimed
    claim: str
    now: datetime
    jitter: float
    is_live: bool  # a hub tells us of the source's news

    @property
    def health(self) -> Health:
        """What to tell if it works."""
        return Health.RECOVERED if self.source.warned_at else Health.SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What an answer brought."""

    fetched: Fetched
    body_hash: str | None
    feed: ParsedFeed
    links: HubLinks | None = None  # where its news can be heard of; None: it was not read anew


NOT_CLAIMED = Polled(worked=True, claimed=False)


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
) -> Polled:
    """Poll a feed if its time has come (or whatever its time, without ``only_due``) and nobody else does.

    ``enlist`` asks for the matching of what is new, in the transaction that stores it. ``may_subscribe`` lets the hub
    that the feed names be asked for its news. ``worker`` is who polls, as the ledger knows it: when it dies, its claims
    are taken back at once and not only after their lease.

    ``shared`` are the transactions that polls side by side write their claims and outcomes in.

    Whatever the server does, the poll ends within the fetcher's and the parser's limits. A poll that failed changes no
    article and leaves the source's last success as it was.
    """
    # 1. Take the source.
    shared = shared or SharedTransactions(db)
    claim = worker_claim(token_hex(16), worker=worker)
    taken = await shared.write(claim_sources, Ask(source_id, claim, now, LEASE, only_due, SourceKind.FEED))
    if taken is None:
        return NOT_CLAIMED
    poll = _Poll(source=taken.source, claim=claim, now=now, jitter=jitter, is_live=may_subscribe and taken.is_live)
    # 2. Ask and read.
    try:
        news = await _ask(fetcher, parser, poll.source)
    except FetchError as error:
        return await _record_failure(shared, poll, error)
    except asyncio.CancelledError:  # anything else is a fault of ours: the lease keeps it from being tried at once
        async with db.transaction() as tx:
            await sources.release_source(tx, source_id, claim=claim)
        raise
    # 3. Store what came, and that it came.
    if news.feed.items or (may_subscribe and news.links is not None):
        async with db.transaction() as tx:
            return await _store(tx, poll, news, enlist=enlist, may_subscribe=may_subscribe)
    if not await shared.write(record_worked, _worked(poll, news, new=0)):
        return NOT_CLAIMED
    return Polled(worked=True, health=poll.health, source=poll.source)


async def _ask(fetcher: Fetcher, parser: FeedParser, source: Source) -> _News:
    """Return what is new to us; a body that is the same as last time is not parsed again."""
    fetched = await fetcher.fetch(
        source.moved_to or source.location,
        etag=source.etag,
        last_modified=source.last_modified,
        allow_private=source.allow_private,
    )
    if fetched.body is None:
        return _News(fetched=fetched, body_hash=source.body_hash, feed=_NO_FEED)
    body_hash = await _hash(fetched.body)
    if body_hash == source.body_hash:
        return _News(fetched=fetched, body_hash=body_hash, feed=_NO_FEED)
    feed = await parser.parse(fetched.body, url=fetched.url, charset=fetched.charset)
    links = fetched.links if fetched.links.are_there else feed.links  # headers first (WebSub, 4)
    return _News(fetched=fetched, body_hash=body_hash, feed=feed, links=links)


async def _hash(body: bytes) -> str:
    """Return what tells a body from another; a large one takes longer than the event loop is kept waiting."""
    if len(body) > _HASHED_HERE:
        return await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
    return hashlib.sha256(body).hexdigest()


async def _store(
    tx: AsyncConnection, poll: _Poll, news: _News, *, enlist: Enlist | None, may_subscribe: bool
) -> Polled:
    """Store what came and when to come back, unless the claim was lost meanwhile."""
    source = poll.source
    if not await sources.extend_lease(tx, source.id, claim=poll.claim, now=poll.now, lease=LEASE):
        return NOT_CLAIMED
    stored = await store_items(tx, source=source, items=news.feed.items, now=poll.now)
    (held,) = await record_worked(tx, [_worked(poll, news, new=stored.new)])
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
        source=source,
    )


def _worked(poll: _Poll, news: _News, *, new: int) -> Worked:
    """Say what a poll that worked leaves for the next one."""
    source, fetched = poll.source, news.fetched
    kept = source if fetched.body is None else None  # an answer without a body need not repeat every validator
    moved_to = _new_address(source, fetched)
    pace = learn(Pace(gap=source.gap, news_at=source.news_at), now=poll.now, new=new, at_most=source.every_at_most)
    return Worked(
        source.id,
        poll.claim,
        poll.now,
        next_poll_at=_again_at(poll, news, pace),
        etag=fetched.etag or (kept and kept.etag),
        last_modified=fetched.last_modified or (kept and kept.last_modified),
        body_hash=news.body_hash,
        reason=f"moved for good to {moved_to}; write that address instead" if moved_to else None,
        pace=pace,
        moved_to=moved_to if moved_to and _may_be_kept(source) else None,
    )


async def _note_hub(tx: AsyncConnection, source: Source, news: _News, *, now: datetime, found_news: bool) -> None:
    """Take over what the feed says of its hub; one that let a poll find the news is not waited for."""
    if news.links is not None:
        token, secret = token_urlsafe(TOKEN_LENGTH), token_urlsafe(SECRET_LENGTH)
        await websub.offer(tx, source.id, news.links, token=token, secret=secret, now=now)
    if found_news:
        await websub.distrust(tx, source.id)


def _again_at(poll: _Poll, news: _News, pace: Pace) -> datetime:
    """Return when to poll next: by its pace, not before it wants us back, and rarer while a hub pushes."""
    source, nothing = poll.source, timedelta(0)
    wait = interval(pace, now=poll.now, every=source.every, at_most=source.every_at_most)
    hint = max(news.fetched.fresh_for or nothing, news.feed.ttl or nothing, calmer(source.every, live=poll.is_live))
    return next_poll_at(now=poll.now, every=wait, jitter=poll.jitter, hint=hint)


def _new_address(source: Source, fetched: Fetched) -> str | None:
    """Return where the feed is from now on, if not where the operator wrote; it counts once it gave the feed."""
    if fetched.moved_to is None or fetched.body is None:
        return source.moved_to
    return fetched.moved_to if fetched.moved_to != source.location else None


def _may_be_kept(source: Source) -> bool:
    """Return whether a new address may take the place of the old one: not where that holds a password to go along."""
    return "@" not in urlsplit(source.location).netloc


async def _record_failure(shared: SharedTransactions, poll: _Poll, error: FetchError) -> Polled:
    """Record what went wrong and when to come back; decide whether the operator is told."""
    source, now = poll.source, poll.now
    failures, since = source.failures + 1, source.failing_since_at or now
    moved_back = source.moved_to is not None and is_back_at_its_first_place(
        now=now, failing_since_at=since, permanent=error.permanent
    )
    stopped = error.permanent and not moved_back
    warned = is_worth_a_warning(
        now=now, failures=failures, failing_since_at=since, stopped=stopped, warned=source.warned_at is not None
    )
    again_at = next_poll_at(
        now=now, every=source.every, jitter=poll.jitter, failures=failures, retry_after=error.retry_after
    )
    failed = Failed(source.id, poll.claim, now, again_at, str(error), stopped, warned, moved_back)
    if not await shared.write(record_failed, failed):
        return NOT_CLAIMED
    told = (Health.STOPPED if stopped else Health.FAILING) if warned or stopped else Health.SAME
    return Polled(worked=False, reason=str(error), health=told, source=source)


_NO_FEED = ParsedFeed(items=())
