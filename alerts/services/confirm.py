"""Confirm: the person presses the button of our mail, and what they asked for starts. Once, within 48 h, by POST."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.model import Confirmation, DeliveryKind, Lane, Subscriber, Subscription
from alerts.queue import Enlist, Job, Step
from alerts.storage import confirmations, owed, subscribers, subscriptions, suppressions
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets


class ConfirmOutcome(StrEnum):
    """What a confirmation link is worth."""

    OPEN = "open"  # only from look_at_confirmation: pressing the button would confirm
    CONFIRMED = "confirmed"  # just now
    ALREADY = "already"  # before: a second press is a friendly success
    EXPIRED = "expired"  # too late: ask again
    UNKNOWN = "unknown"  # no such token; an old one looks the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What a press of the button did, and the subscriptions that it is about (none when unknown)."""

    outcome: ConfirmOutcome
    subscriber_id: int | None = None
    language: str | None = None  # the person's own
    subscriptions: tuple[Subscription, ...] = ()


async def confirm(
    db: Database, *, token: str, now: datetime, welcome: bool = False, enlist: Enlist | None = None
) -> Confirmed:
    """Confirm what a token stands for; any string has an answer, and a second time changes nothing.

    A suppressed address comes back by this, and by this only (C5). ``welcome`` owes a person a mail the first time
    that they ever confirm; ``enlist`` asks for its delivering.
    """
    async with db.transaction() as tx:
        found = await confirmations.confirmation_by_token(tx, token)
        subscriber = await subscribers.lock_subscriber(tx, found.subscriber_id) if found else None
        if found is None or subscriber is None or found.email is not None:  # another address: services.change_address
            return Confirmed(outcome=ConfirmOutcome.UNKNOWN)
        outcome = _worth(found, now)
        if outcome is ConfirmOutcome.OPEN and await confirmations.mark_confirmed(tx, found.id, now=now):
            outcome = ConfirmOutcome.CONFIRMED
            await subscriptions.confirm(tx, subscriber_id=subscriber.id, channel_ids=found.channel_ids, now=now)
            await subscribers.mark_confirmed(tx, [subscriber.id], now=now)
            if welcome and subscriber.confirmed_at is None:
                await _welcome(tx, found, now, enlist)
            await suppressions.lift(tx, normalise(subscriber.email).key, secrets=await load_secrets(tx))
        elif outcome is ConfirmOutcome.OPEN:
            outcome = ConfirmOutcome.ALREADY  # another press was quicker
        return await _about(tx, found, subscriber, outcome)


async def look_at_confirmation(db: Database, *, token: str, now: datetime) -> Confirmed:
    """Say what a press of the button would do, changing nothing: for the page that shows the button (U6)."""
    async with db.reading() as tx:
        found = await confirmations.confirmation_by_token(tx, token)
        subscriber = await subscribers.subscriber_by_id(tx, found.subscriber_id) if found else None
        if found is None or subscriber is None or found.email is not None:
            return Confirmed(outcome=ConfirmOutcome.UNKNOWN)
        return await _about(tx, found, subscriber, _worth(found, now))


async def _welcome(tx: AsyncConnection, found: Confirmation, now: datetime, enlist: Enlist | None) -> None:
    await owed.owe_confirmations(tx, [(found.subscriber_id, found.id)], now=now, kind=DeliveryKind.WELCOME)
    if enlist is not None:
        await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))


def _worth(found: Confirmation, now: datetime) -> ConfirmOutcome:
    if found.confirmed_at is not None:
        return ConfirmOutcome.ALREADY
    return ConfirmOutcome.OPEN if now < found.expires_at else ConfirmOutcome.EXPIRED


async def _about(
    tx: AsyncConnection, found: Confirmation, subscriber: Subscriber, outcome: ConfirmOutcome
) -> Confirmed:
    held = await subscriptions.subscriptions_of(tx, [found.subscriber_id])
    about = tuple(one for one in held if one.channel_id in found.channel_ids)
    return Confirmed(outcome=outcome, subscriber_id=subscriber.id, language=subscriber.language, subscriptions=about)
