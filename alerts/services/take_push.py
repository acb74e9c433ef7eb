"""Answer hubs: confirm what we asked for, and take what they push. Read and stored as a polled answer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.core.errors import FetchError
from alerts.core.full_text import chosen
from alerts.core.hosts import host_of
from alerts.core.model import Content, Item, Source, SourceState
from alerts.core.text import excerpt
from alerts.core.websub import AFTER_DENIAL, SubscriptionState, is_signed, read_lease, renew_at
from alerts.queue import Enlist, Job, Step
from alerts.sources.entries import ParsedFeed
from alerts.sources.page_reader import Pages
from alerts.storage import sources, websub
from alerts.storage.articles import Stored, sighted, store_items, worth_reading
from alerts.storage.engine import Database
from alerts.storage.websub import HubSubscription

HUBS_WAIT = timedelta(seconds=8)  # a hub that waited in vain tries again, and some do not wait for longer than ten
_POLLED = (SourceState.OK, SourceState.FAILING)


class FeedParser(Protocol):
    """What reads a feed's bytes without holding up anybody else."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        """Return what the feed holds; raise FetchError."""
        ...


class PageReader(Protocol):
    """What reads the pages behind items' links."""

    async def read(
        self, items: Sequence[Item], *, private_host: str | None = None, within: timedelta | None = None
    ) -> Pages:
        """Return their texts, and why some have none; raise nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a hub asks us to confirm (WebSub, 5.3), or tells us (5.2)."""

    mode: str
    topic: str
    lease_seconds: str | None = None
    reason: str | None = None  # of a denial


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a hub sent to a callback."""

    body: bytes
    signature: str | None
    charset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push came to."""

    is_known: bool  # the callback is one of ours
    source: str | None = None
    new: int = 0
    ignored: str | None = None  # why nothing of it was taken


async def confirm_intent(db: Database, token: str, intent: Intent, *, now: datetime) -> bool:
    """Say whether a hub's question is about something that we want, and note the answer; False: we did not ask."""
    async with db.transaction() as tx:
        held = await websub.by_token(tx, token)
        if held is None or held.topic != intent.topic or held.asked_at is None:
            return False
        leaving = held.state is SubscriptionState.LEAVING
        match intent.mode:
            case "subscribe" if not leaving:
                lease = read_lease(intent.lease_seconds)
                await websub.activate(tx, held.id, lease_until=now + lease, renew_at=renew_at(now=now, lease=lease))
            case "unsubscribe" if leaving:
                await websub.forget(tx, held.id)
            case "denied" if leaving:
                await websub.forget(tx, held.id)
            case "denied":
                reason = f"denied by the hub: {excerpt(intent.reason or 'without a reason', 200)}"
                await websub.deny(tx, held.id, reason=reason, again_at=now + AFTER_DENIAL)
            case _:
                return False
    return True


async def is_callback(db: Database, token: str) -> bool:
    """Say whether a token is that of a callback of ours, before a body is read for it."""
    async with db.reading() as tx:
        return await websub.by_token(tx, token) is not None


async def take_push(
    db: Database,
    parser: FeedParser,
    token: str,
    push: Push,
    *,
    now: datetime,
    enlist: Enlist,
    page_reader: PageReader | None = None,
) -> Pushed:
    """Store what a hub pushed, in one transaction; what is not signed by it, or is no feed, is ignored.

    ``page_reader`` reads pages for the sources that want them, for no longer than a hub waits.
    """
    # 1. Whose is it?
    async with db.reading() as tx:
        held = await websub.by_token(tx, token)
        source = None if held is None else await sources.source_by_id(tx, held.source_id)
    if held is None or source is None:
        return Pushed(is_known=False)
    why_not = _why_not(held, source, push)
    if why_not is not None:
        return Pushed(is_known=True, source=source.name, ignored=why_not)
    # 2. Read it.
    try:
        feed = await parser.parse(push.body, url=held.topic, charset=push.charset)
    except FetchError as error:
        return Pushed(is_known=True, source=source.name, ignored=str(error))
    items = chosen(feed.items, source.content)
    page_texts: Mapping[str, str] = {}
    if page_reader is not None and source.content is Content.PAGE:
        page_texts = await _read_pages(db, page_reader, source, items, now=now)
    # 3. Store it.
    stored = await _store(db, held, items, page_texts, now=now, enlist=enlist)
    ignored = None if stored is not None else "the subscription ended meanwhile"
    return Pushed(is_known=True, source=source.name, new=stored.new if stored else 0, ignored=ignored)


def _why_not(held: HubSubscription, source: Source, push: Push) -> str | None:
    if not is_signed(push.signature, secret=held.secret, body=push.body):
        return "it is not signed with our secret"
    if held.state is not SubscriptionState.ACTIVE:
        return f"the subscription is {held.state.value}"
    return None if source.state in _POLLED else f"the source is {source.state.value}"


async def _read_pages(
    db: Database, reader: PageReader, source: Source, items: Sequence[Item], *, now: datetime
) -> Mapping[str, str]:
    async with db.reading() as tx:
        wanted = await worth_reading(tx, source=source, items=items, first_poll=False, now=now)
    host = host_of(source.moved_to or source.location)
    pages = await reader.read(wanted, private_host=host if source.allow_private else None, within=HUBS_WAIT)
    return pages.texts


async def _store(
    db: Database,
    held: HubSubscription,
    items: Sequence[Item],
    page_texts: Mapping[str, str],
    *,
    now: datetime,
    enlist: Enlist,
) -> Stored | None:
    sightings = await sighted(items, now=now)
    async with db.transaction() as tx:
        source = await sources.source_by_id(tx, held.source_id)
        if source is None or source.state not in _POLLED or not await websub.record_push(tx, held.id, now=now):
            return None
        stored = await store_items(
            tx, source=source, items=items, now=now, first_poll=False, page_texts=page_texts, sightings=sightings
        )
        if stored.new:
            await enlist(tx, Job(Step.MATCH))
    return stored
