"""The glossary in code: what flows from a source to an SMTP server, and who asked for it.

Values only. Every time is aware and in UTC, and is named ``*_at``; rows become these by hand
in ``alerts.storage``. The words are those of ``docs/words.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple


class SourceKind(StrEnum):
    """Where articles come from."""

    FOLDER = "folder"  # files in the seed folder
    FEED = "feed"  # RSS, Atom or JSON Feed behind a URL
    API = "api"  # whoever holds a key posts articles to us; never polled


class SourceState(StrEnum):
    """How a source does."""

    OK = "ok"  # the last poll worked
    FAILING = "failing"  # the last poll failed; polled again with back-off
    PAUSED = "paused"  # the operator paused it
    STOPPED = "stopped"  # gone for good (410), polled no more
    REMOVED = "removed"  # no longer configured; its articles stay


class FirstPoll(StrEnum):
    """What a source's first poll does with what it finds."""

    SEEN = "seen"  # stored, mailed to nobody
    ALERT = "alert"  # mailed like anything new


class Disposition(StrEnum):
    """Whether a stored article is mailed: decided at first sight, and once more by the operator where it was held.

    Matching decides once more where it finds that its story was told.
    """

    ALERT = "alert"  # new: matched and mailed
    SEEN = "seen"  # was there at the first poll: matched, not mailed
    STALE = "stale"  # older than the source's max_age at first sight: matched, not mailed
    HELD = "held"  # part of a flood: matched, mailed to nobody until the operator decides
    DIGEST = "digest"  # of a flood that was released as one mail a subscriber
    DROPPED = "dropped"  # of a flood that was dropped: never mailed
    REPEATED = "repeated"  # another source told the same story before, in every channel: matched, not mailed


class Content(StrEnum):
    """Which text of an item of a feed is the article's."""

    SUMMARY = "summary"  # the feed's summary alone
    CONTENT = "content"  # the feed's full text, or the summary where it gives none
    PAGE = "page"  # what the page behind the item's link says; the feed's own text where that cannot be had


class FloodWatch(StrEnum):
    """Whether a source is held that brings far more than its habit; a number in its place is the limit itself."""

    AUTO = "auto"  # the limit follows the habit
    OFF = "off"  # never held


class FloodDecision(StrEnum):
    """What the operator did with a flood."""

    RELEASED = "released"  # each article is mailed, as usual
    DIGEST = "digest"  # one mail a subscriber lists them all
    DROPPED = "dropped"  # never mailed


class Novelty(StrEnum):
    """What an item is to the articles that we already have."""

    NEW = "new"  # never seen
    CHANGED = "changed"  # known, with other content: stored again, mailed to nobody
    SEEN = "seen"  # known and the same


class ChannelState(StrEnum):
    """Whether a channel still matches."""

    ACTIVE = "active"  # matched against every new article
    RETIRED = "retired"  # no longer configured; its subscriptions stay, it matches nothing


class Frequency(StrEnum):
    """How often a subscriber wants mail from a channel."""

    IMMEDIATE = "immediate"  # one mail per article, at once
    DAILY = "daily"  # one digest a day
    WEEKLY = "weekly"  # one digest a week


class SubscriberState(StrEnum):
    """Whether we may mail an address."""

    PENDING = "pending"  # asked for, never confirmed
    ACTIVE = "active"  # confirmed at least once
    SUPPRESSED = "suppressed"  # never mailed again, but for its own new confirmation


class SubscriptionState(StrEnum):
    """pending → active → ended."""

    PENDING = "pending"  # waits for its confirmation
    ACTIVE = "active"  # mailed
    ENDED = "ended"  # over; ``end_reason`` says why


class EndReason(StrEnum):
    """Why a subscription ended."""

    UNSUBSCRIBED = "unsubscribed"  # the person left
    BOUNCED = "bounced"  # the address does not exist
    COMPLAINED = "complained"  # the person called it spam
    FORGOTTEN = "forgotten"  # the person's data was erased
    EXPIRED = "expired"  # never confirmed in time


class DeliveryKind(StrEnum):
    """Which mail a delivery owes."""

    ALERT = "alert"  # one article
    CONFIRMATION = "confirmation"  # "did you ask for this?"
    WELCOME = "welcome"  # "you are in", after the first confirmation
    MANAGE_LINK = "manage_link"  # the link to the preferences, asked for by somebody who lost it
    ADDRESS_CONFIRMATION = "address_confirmation"  # "is this your new address?", to the new one
    ADDRESS_CHANGED = "address_changed"  # "your alerts go elsewhere now", to the old one
    DIGEST = "digest"  # the articles of a window
    TEST = "test"  # `alerts mail send-test`


class Lane(IntEnum):
    """Who goes first when there is more to send than the relays take; lower is sooner."""

    CONFIRMATION = 0  # somebody sits there and waits
    IMMEDIATE = 1  # alerts
    DIGEST = 2  # may be minutes late


class DeliveryState(StrEnum):
    """pending → claimed → sent, or pending again, failed, expired, cancelled."""

    PENDING = "pending"  # due at ``due_at``
    CLAIMED = "claimed"  # a worker holds it until ``lease_until``
    SENT = "sent"  # the relay took it (250 after the final dot)
    FAILED = "failed"  # refused for good, or set aside
    EXPIRED = "expired"  # not taken in time
    CANCELLED = "cancelled"  # no longer wanted: unsubscribed, suppressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item as a source gives it, before we know whether it is new.

    All text is plain text (HTML already taken out), NFC, without control characters.
    ``summary`` is a tuple of lines (the bullets of a page text; one line for a feed's summary).
    ``tickers`` look like ``"HKG: 1810"``.
    """

    item_id: str  # the source's own id (guid, front-matter id, relative path); stable as far as the source is
    title: str
    summary: tuple[str, ...] = ()
    body: str = ""  # paragraphs parted by a blank line
    url: str | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    language: str | None = None
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One item, stored once."""

    id: int
    source_id: int
    source_name: str
    item: Item
    content_hash: str
    first_seen_at: datetime
    disposition: Disposition
    matched_at: datetime | None = None
    same_story_as: int | None = None  # the article of another source that told the story first


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A feed URL or the seed folder that we poll."""

    id: int
    name: str
    kind: SourceKind
    location: str  # a URL, or the folder's path
    every: timedelta
    first_poll: FirstPoll
    max_age: timedelta | None
    allow_private: bool
    state: SourceState
    reason: str | None
    next_poll_at: datetime
    polled_at: datetime | None  # the last poll that worked; None until the first did
    failures: int = 0  # failed polls in a row
    failing_since_at: datetime | None = None  # the first of them
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    flood: FloodWatch | int = FloodWatch.AUTO  # a number: so many new articles in 24 hours, and it is held
    every_at_most: timedelta | None = None  # the longest interval that its pace may lead to; None: ``every`` exactly
    gap: timedelta | None = None  # its pace: the usual time between two articles
    news_at: datetime | None = None  # when a poll last brought something new
    moved_to: str | None = None  # where it is really asked for; ``location`` stays what the operator wrote
    warned_at: datetime | None = None  # when the operator was told that it fails; None again once it works
    content: Content = Content.CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A named saved query, "Xiaomi"."""

    id: int
    slug: str
    name: str
    query: str
    state: ChannelState = ChannelState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Why an article answers: a term, the zone it stood in, how often."""

    term: str
    zone: str  # title | summary | lead | body | tag | ticker | author | source | lang
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address that may hold subscriptions."""

    id: int
    email: str
    state: SubscriberState
    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    created_at: datetime
    confirmed_at: datetime | None = None  # when consent was first given
    paused_until_at: datetime | None = None  # no alerts before then, by the person's own wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Subscriber × channel, with frequency and state."""

    id: int
    subscriber_id: int
    channel_id: int
    channel_slug: str
    channel_name: str
    state: SubscriptionState
    frequency: Frequency
    created_at: datetime
    activated_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A request that waits for the person to press the button in our mail; its token is stored as a hash only."""

    id: int
    subscriber_id: int
    channel_ids: tuple[int, ...]
    salt: bytes = field(repr=False)  # with a secret, makes the token
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None = None
    email: str | None = None  # the address that the person wants instead; None: the request is for channels
    former_email: str | None = None  # the one that it took the place of


class Delivery(NamedTuple):
    """A mail that we owe one subscriber; a tuple, as a fan-out makes a million of them."""

    id: int
    kind: DeliveryKind
    lane: Lane
    subscriber_id: int
    article_id: int | None  # alerts
    confirmation_id: int | None  # confirmations
    digest_run_id: int | None  # digests
    state: DeliveryState
    due_at: datetime
    dated_at: datetime  # when it first became due: the mail's Date, the same over retries
    attempts: int = 0  # tries that a relay answered, or left in doubt
    faults: int = 0  # tries that our own code could not finish (see R: set aside after 3)
    in_doubt: bool = False  # a connection dropped after the final dot: the mail may have been taken
    claim: str | None = None  # the claim's token: every write to the row carries it
    lease_until: datetime | None = None
    reply: str | None = None  # the last answer, e.g. "250 2.0.0 Ok"
    relay: str | None = None
    finished_at: datetime | None = None


class Envelope(NamedTuple):
    """A message on its way: what a transport needs, and which delivery to report about."""

    delivery_id: int
    sender: str  # MAIL FROM
    recipient: str  # RCPT TO
    message: bytes  # CRLF lines, not dot-stuffed, ends in CRLF
    smtputf8: bool = False  # the recipient's local part is not ASCII
    may_have_dots: bool = True  # False: surely no line begins with a dot, which SMTP would have to double

    def __repr__(self) -> str:
        return f"Envelope(delivery_id={self.delivery_id})"  # neither address nor letter in a log
