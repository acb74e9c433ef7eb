"""Unsubscribe: a person leaves channels, and what was about to be sent to them from there is dropped; or takes it back.

When one of these returns, it is on disk (U2); doing it again changes nothing (U4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.leaving import THESE, Choice, Leaver, MailClaims, leaver
from alerts.core.model import Lane, SubscriberState, Subscription
from alerts.core.subscriptions import Event
from alerts.core.undo import is_open, moment_of_leaving, taken_back
from alerts.queue import Enlist, Job, Step
from alerts.storage import confirmations, merging, named, owed, subscribers, subscriptions
from alerts.storage.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """What leaving changed."""

    ended: int  # subscriptions that were not over yet
    cancelled: int  # mails that will not be sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What taking a leaving back changed."""

    in_time: bool  # False: more than a minute ago, and nothing changed
    restored: tuple[Subscription, ...] = ()  # as they were when they had ended


async def unsubscribe(
    db: Database, *, subscriber_id: int, channel_ids: Sequence[int] | None, now: datetime
) -> Unsubscribed:
    """End a person's subscriptions to these channels, or to all (None); an unknown person has none."""
    async with db.transaction() as tx:
        return await _leave(tx, subscriber_id, channel_ids, now)


async def unsubscribe_by_mail(db: Database, *, mail: MailClaims, choice: Choice = THESE, now: datetime) -> Unsubscribed:
    """End what a link's owner chose, of what it may end; without a choice it is what the mail named: one-click (U9)."""
    async with db.transaction() as tx:
        who = await _leaver(tx, mail, lock=True)
        return await _leave(tx, who.subscriber.id if who.subscriber else 0, who.channels_to_leave(choice), now)


async def look_at_leaving(db: Database, mail: MailClaims) -> Leaver:
    """Say whom a link belongs to and what it may end, changing nothing: for the page with the buttons (U6)."""
    async with db.reading() as tx:
        return await _leaver(tx, mail)


async def undo(
    db: Database, *, subscriber_id: int, moment: datetime, now: datetime, enlist: Enlist | None = None
) -> Undone:
    """Take back what a person left at a moment, if it is at most a minute ago; a second time changes nothing.

    The alerts that leaving dropped are owed again. A suppressed person comes back by a confirmation only (C5).
    """
    async with db.transaction() as tx:
        subscriber = await subscribers.lock_subscriber(tx, subscriber_id)
        if subscriber is None or subscriber.state is SubscriberState.SUPPRESSED or not is_open(moment, now):
            return Undone(in_time=False)
        restored = taken_back(await subscriptions.subscriptions_of(tx, [subscriber_id]), moment)
        if restored:
            await subscriptions.take_back(tx, subscriber_id=subscriber_id, ended_at=moment)
            owing = await owed.owe_again(tx, subscriber_id, cancelled_since=moment, now=now)
            if owing and enlist is not None:
                await enlist(tx, Job(Step.DELIVER, Lane.IMMEDIATE))
    return Undone(in_time=True, restored=tuple(restored))


async def _leaver(tx: AsyncConnection, mail: MailClaims, *, lock: bool = False) -> Leaver:
    """Find who a link belongs to now; nobody costs the same statements as somebody (U7)."""
    find = subscribers.lock_subscriber if lock else subscribers.subscriber_by_id
    person, former = await find(tx, mail.subscriber_id), None
    if person is None:
        former = await merging.former(tx, mail.subscriber_id)
        person = await find(tx, former.subscriber_id) if former else None
    held = await subscriptions.subscriptions_of(tx, [person.id if person else 0])
    answered = await named.channels_answered(tx, mail)
    return leaver(mail, person, held, former=former, answered=answered)


async def _leave(
    tx: AsyncConnection, subscriber_id: int, channel_ids: Sequence[int] | None, now: datetime
) -> Unsubscribed:
    moment = moment_of_leaving(now)
    await subscribers.lock_subscriber(tx, subscriber_id)
    ended = await subscriptions.end(
        tx, Event.UNSUBSCRIBED, subscriber_ids=[subscriber_id], channel_ids=channel_ids, now=moment
    )
    if channel_ids is None:  # nor does a request that still waits for its button bring anything back
        await confirmations.close(tx, [subscriber_id], now=moment)
        cancelled = await owed.cancel_all(tx, [subscriber_id], now=moment)
    else:
        cancelled = await owed.cancel_unwanted_alerts(tx, subscriber_id, now=moment)
    return Unsubscribed(ended=ended, cancelled=cancelled)
