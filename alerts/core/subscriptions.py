"""What becomes of a subscription: one table, so that whoever asks, confirms, leaves or bounces gets the same answer.

             confirmed, vouched, chosen
      pending ──────────────────────▶ active          a new request leaves active as it is (C6)
       ▲   │                            │
       │   └──────────┬─────────────────┘
       │              │ unsubscribed, bounced, complained, forgotten; from pending also: expired
       │              ▼
       └─────────── ended ──────────▶ active
        requested         confirmed, vouched, chosen; undone

It decides; ``alerts.storage.subscriptions`` keeps the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from alerts.core.model import EndReason, Frequency, SubscriberState, Subscription, SubscriptionState

CONFIRMATION_LIFETIME = timedelta(hours=48)  # C1
PURGE_AFTER = timedelta(days=6)  # after the request; C1 asks for 7 days, a daemon may have been off for one
CONFIRMATIONS_A_DAY = 3  # C3: at most so many confirmation mails to one address in 24 h


class Event(StrEnum):
    """What happens to a subscription."""

    REQUESTED = "requested"  # somebody asked with this address: who, only a confirmation can say
    CONFIRMED = "confirmed"  # the person pressed the button in our mail
    VOUCHED = "vouched"  # the operator says that the person agreed (--confirmed)
    CHOSEN = "chosen"  # the person picked it on their own page, whose link only our mail tells
    UNSUBSCRIBED = "unsubscribed"  # the person left
    UNDONE = "undone"  # … and took it back within a minute; only for what was active (``core.undo``)
    BOUNCED = "bounced"  # the address does not exist
    COMPLAINED = "complained"  # the person called our mail spam
    FORGOTTEN = "forgotten"  # the person's data was erased
    EXPIRED = "expired"  # no confirmation came in time


_PENDING, _ACTIVE, _ENDED = SubscriptionState.PENDING, SubscriptionState.ACTIVE, SubscriptionState.ENDED

#: From a state (None: there was no subscription) by an event to a state. What is not here changes nothing.
TRANSITIONS: Mapping[tuple[SubscriptionState | None, Event], SubscriptionState] = MappingProxyType(
    {
        (None, Event.REQUESTED): _PENDING,
        (None, Event.VOUCHED): _ACTIVE,
        (None, Event.CHOSEN): _ACTIVE,
        # pending: waits for its confirmation
        (_PENDING, Event.CONFIRMED): _ACTIVE,
        (_PENDING, Event.VOUCHED): _ACTIVE,
        (_PENDING, Event.CHOSEN): _ACTIVE,
        (_PENDING, Event.UNSUBSCRIBED): _ENDED,
        (_PENDING, Event.BOUNCED): _ENDED,
        (_PENDING, Event.COMPLAINED): _ENDED,
        (_PENDING, Event.FORGOTTEN): _ENDED,
        (_PENDING, Event.EXPIRED): _ENDED,
        # active: mailed. A new request does not un-confirm it (C6), and no confirmation is missing that could expire.
        (_ACTIVE, Event.UNSUBSCRIBED): _ENDED,
        (_ACTIVE, Event.BOUNCED): _ENDED,
        (_ACTIVE, Event.COMPLAINED): _ENDED,
        (_ACTIVE, Event.FORGOTTEN): _ENDED,
        # ended: over, until somebody asks again. Pressing the button of a confirmation that is still open is asking.
        (_ENDED, Event.REQUESTED): _PENDING,
        (_ENDED, Event.CONFIRMED): _ACTIVE,
        (_ENDED, Event.VOUCHED): _ACTIVE,
        (_ENDED, Event.CHOSEN): _ACTIVE,
        (_ENDED, Event.UNDONE): _ACTIVE,
    }
)

ENDINGS: Mapping[Event, EndReason] = MappingProxyType(
    {
        Event.UNSUBSCRIBED: EndReason.UNSUBSCRIBED,
        Event.BOUNCED: EndReason.BOUNCED,
        Event.COMPLAINED: EndReason.COMPLAINED,
        Event.FORGOTTEN: EndReason.FORGOTTEN,
        Event.EXPIRED: EndReason.EXPIRED,
    }
)


def after(state: SubscriptionState | None, event: Event) -> SubscriptionState | None:
    """Say which state an event leads to; the same state when it changes nothing, None when there is still nothing."""
    return TRANSITIONS.get((state, event), state)


def states_left_by(event: Event) -> tuple[SubscriptionState, ...]:
    """Name the states that an event changes, so that one conditional update can apply it to many rows."""
    return tuple(state for state in SubscriptionState if after(state, event) is not state)


class Refusal(StrEnum):
    """Why an operator's list cannot bring somebody in."""

    SUPPRESSED = "suppressed"  # bounced or complained: only the person's own confirmation brings the address back (C5)
    LEFT = "left"  # unsubscribed from this channel: a list is no new wish


def refusal_of_import(before: Subscription | None) -> Refusal | None:
    """Say why a list may not subscribe somebody with this past in the channel; None when it may."""
    left = before is not None and before.end_reason in {EndReason.UNSUBSCRIBED, EndReason.COMPLAINED}
    return Refusal.LEFT if left else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What became of a batch of a list; people are named by the keys of their addresses."""

    subscribed: frozenset[str]  # active now, and were not before
    asked: frozenset[str]  # a confirmation mail is on its way
    unchanged: frozenset[str]
    refused: dict[str, Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How one subscription is to be written."""

    subscriber_id: int
    channel_id: int
    state: SubscriptionState
    frequency: Frequency
    starts: bool  # it becomes active now: only articles from now on are mailed


def ask(
    event: Event, *, subscriber_id: int, channel_id: int, before: Subscription | None, frequency: Frequency | None
) -> Change | None:
    """Decide what a request or a vouching changes for one person and channel; None when nothing does.

    ``frequency`` None keeps the one there is. A request changes nothing about what is active: anybody can type an
    address.
    """
    old = before.state if before else None
    new = after(old, event)
    kept = before.frequency if before else Frequency.IMMEDIATE
    wanted = kept if frequency is None or (event is Event.REQUESTED and old is _ACTIVE) else frequency
    if new is None or (new is old and wanted is kept):
        return None
    return Change(
        subscriber_id=subscriber_id,
        channel_id=channel_id,
        state=new,
        frequency=wanted,
        starts=new is _ACTIVE and old is not _ACTIVE,
    )


def may_be_described_by(event: Event, state: SubscriberState) -> bool:
    """Say whether a request may set a person's name, language and time zone: not for one who is confirmed."""
    return event is not Event.REQUESTED or state is SubscriberState.PENDING
