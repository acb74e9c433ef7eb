"""Take articles that a key's holder posts, and say later what became of one. HTTP is the web's business.

They are read by the same child process as a feed, judged by the same rules, and stored before anybody is told so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import FetchError, InputError
from alerts.core.model import Article, Channel, DeliveryState, Disposition, Item, Novelty, Source, SourceState
from alerts.core.posted import Post
from alerts.queue import Enlist, Job, Step
from alerts.sources.entries import ParsedFeed
from alerts.storage import api_keys, articles, delivery_counts, directory, sources, traces
from alerts.storage.api_keys import ApiKey
from alerts.storage.engine import Database

_VERSION = "https://jsonfeed.org/version/1.1"


class FeedParser(Protocol):
    """What reads a feed's bytes without holding up anybody else."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        """Return what the feed holds; raise FetchError."""
        ...


class BudgetSpentError(Exception):
    """The key's hour is used up."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("the budget of this key is used up")
        self.retry_after = retry_after


class RestingError(Exception):
    """The operator takes nothing from this key for now, or no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What one item of a post came to."""

    article_id: int
    item_id: str  # as it was posted
    novelty: Novelty
    disposition: Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of an article."""

    article: Article
    set_aside: str | None
    is_fanned_out: bool  # every mail that it owes is among the deliveries
    channels: tuple[Channel, ...]
    deliveries: dict[DeliveryState, int]


async def holder_of(db: Database, key_hash: str) -> ApiKey | None:
    """Return the living key with this hash, or None."""
    async with db.reading() as tx:
        key = await api_keys.key_by_hash(tx, key_hash)
    return None if key is None or key.revoked_at is not None else key


async def post_articles(
    db: Database, parser: FeedParser, key: ApiKey, post: Post, *, now: datetime, enlist: Enlist
) -> list[Placed]:
    """Store a post, all of it or nothing; return what each item came to, in the order given.

    Raises InputError for items that hold nothing to read, RestingError and BudgetSpentError.
    """
    # 1. Read, as a feed is read.
    items = await _read(parser, post)
    async with db.transaction() as tx:
        # 2. May they, still and now?
        if not await api_keys.spend(tx, key.id, articles=len(items), now=now):
            raise await _why_not(tx, key, now)
        source = await sources.source_by_id(tx, key.source_id)
        if source is None or not await sources.record_post(tx, source.id, now=now):
            raise RestingError(_rest_of(source))
        # 3. Store, one after the other: each answers for itself.
        placed = [await _place(tx, source, item, now) for item in items]
        # 4. What is new is matched at once.
        if any(one.novelty is Novelty.NEW for one in placed):
            await enlist(tx, Job(Step.MATCH))
    return placed


async def report_on(db: Database, key: ApiKey, article_id: int) -> Report | None:
    """Say what became of an article of this key's; None where it has no such article."""
    async with db.reading() as tx:
        article = await articles.article_by_id(tx, article_id)
        progress = await traces.progress_of(tx, article_id)
        if article is None or progress is None or article.source_id != key.source_id:
            return None
        counts = await delivery_counts.counts_of(tx, [article_id])
        matched = await directory.channels_of(tx, article_id)
    return Report(
        article=article,
        set_aside=progress.set_aside,
        is_fanned_out=progress.fanned_out_at is not None,
        channels=tuple(one.channel for one in matched),
        deliveries=counts[0].counts if counts else dict.fromkeys(DeliveryState, 0),
    )


async def _read(parser: FeedParser, post: Post) -> Sequence[Item]:
    document = {"version": _VERSION, "items": list(post.items)}
    try:
        feed = await parser.parse(json.dumps(document).encode(), url="", charset="utf-8")
    except FetchError as error:
        raise InputError(f"the articles cannot be read: {error}") from error
    if len(feed.items) != len(post.items):
        told = {item.item_id for item in feed.items}
        empty = [str(item["id"]) for item in post.items if item["id"] not in told]
        raise InputError(f"holds nothing to read, only markup: {', '.join(empty)[:500]}")
    return feed.items


async def _place(tx: AsyncConnection, source: Source, item: Item, now: datetime) -> Placed:
    decision = await articles.judge(tx, source=source, item=item, now=now)
    stored = await articles.store_items(tx, source=source, items=[item], now=now, first_poll=False)
    article_id = decision.known.article_id if decision.known else stored.article_ids[0]
    article = await articles.article_by_id(tx, article_id)
    if article is None:
        raise LookupError(f"article {article_id} is gone within its own transaction")
    return Placed(
        article_id=article_id, item_id=item.item_id, novelty=decision.novelty, disposition=article.disposition
    )


async def _why_not(tx: AsyncConnection, key: ApiKey, now: datetime) -> Exception:
    ends_at = await api_keys.hour_ends_at(tx, key.id)
    if ends_at is None or ends_at <= now:
        return RestingError("this key was revoked a moment ago")
    return BudgetSpentError(ends_at - now)


def _rest_of(source: Source | None) -> str:
    if source is not None and source.state is SourceState.PAUSED:
        return f"the operator has paused the source {source.name}; try again later, or ask"
    return "the operator takes nothing from this source any more"
