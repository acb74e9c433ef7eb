"""What a poll came to: what is told of it, and what it leaves in the source's row for the next one. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from alerts.core.errors import FetchError
from alerts.core.feed_moves import may_be_kept, new_address
from alerts.core.feed_pace import Pace, interval, learn
from alerts.core.health import is_back_at_its_first_place, is_worth_a_warning
from alerts.core.model import Source
from alerts.core.schedule import next_poll_at
from alerts.core.websub import HubLinks, calmer
from alerts.sources.entries import ParsedFeed
from alerts.sources.fetch import Fetched
from alerts.sources.page_reader import Pages
from alerts.storage.claims import Failed, Worked
from alerts.storage.floods import Holding


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
    source: Source | None = None  # as it was when it was claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
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
class News:
    """What an answer brought."""

    fetched: Fetched
    body_hash: str | None
    feed: ParsedFeed
    links: HubLinks | None = None  # where its news can be heard of; None: it was not read anew
    pages: Pages = field(default_factory=Pages)


def worked(poll: Poll, news: News, *, new: int) -> Worked:
    """Return what a poll that worked leaves for the next one; ``new`` articles were found."""
    source, fetched = poll.source, news.fetched
    # An answer without a body need not repeat every validator.
    etag, last_modified = (source.etag, source.last_modified) if fetched.body is None else (None, None)
    moved_to = new_address(source, moved_to=fetched.moved_to, gave_the_feed=fetched.body is not None)
    pace = learn(Pace(gap=source.gap, news_at=source.news_at), now=poll.now, new=new, at_most=source.every_at_most)
    return Worked(
        source.id,
        poll.claim,
        poll.now,
        next_poll_at=_again_at(poll, news, pace),
        etag=fetched.etag or etag,
        last_modified=fetched.last_modified or last_modified,
        body_hash=news.body_hash,
        reason=f"moved for good to {moved_to}; write that address instead" if moved_to else None,
        pace=pace,
        moved_to=moved_to if moved_to and may_be_kept(source) else None,
    )


def failed(poll: Poll, error: FetchError) -> Failed:
    """Return what a poll that failed leaves, and whether the operator is told of it."""
    source, now = poll.source, poll.now
    failures, since = source.failures + 1, source.failing_since_at or now
    moved_back = source.moved_to is not None and is_back_at_its_first_place(
        now=now, failing_since_at=since, permanent=error.permanent
    )
    stopped = error.permanent and not moved_back
    again_at = next_poll_at(
        now=now, every=source.every, jitter=poll.jitter, failures=failures, retry_after=error.retry_after
    )
    return Failed(
        source.id,
        poll.claim,
        now,
        next_poll_at=again_at,
        reason=str(error),
        stopped=stopped,
        warned=is_worth_a_warning(
            now=now, failures=failures, failing_since_at=since, stopped=stopped, warned=source.warned_at is not None
        ),
        moved_back=moved_back,
    )


def _again_at(poll: Poll, news: News, pace: Pace) -> datetime:
    """Return when to poll next: by its pace, not before it wants us back, and rarer while a hub pushes."""
    source, nothing = poll.source, timedelta(0)
    wait = interval(pace, now=poll.now, every=source.every, at_most=source.every_at_most)
    hint = max(news.fetched.fresh_for or nothing, news.feed.ttl or nothing, calmer(source.every, live=poll.is_live))
    return next_poll_at(now=poll.now, every=wait, jitter=poll.jitter, hint=hint)
