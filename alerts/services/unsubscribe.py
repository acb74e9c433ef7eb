"""Unsubscribe: a person leaves channels, and what was about to be sent to them from there is dropped; or takes it back.

When one of these returns, it is on disk (U2); doing it again changes nothing (U4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Lane, SubscriberState, Subscription
from alerts.core.subscriptions import Event
from alerts.core.undo import is_open, moment_of_leaving, taken_back
from alerts.queue import Enlist, Job, Step
from alerts.storage import confirmations, owed, subscribers, subscriptions
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


async def unsubscribe_by_mail(
    db: Database, *, subscriber_id: int, article_id: int, digest_run_id: int = 0, now: datetime
) -> Unsubscribed:
    """End the subscriptions to the channels that one mail named, no others: one-click (U9).

    A mail whose article is gone, or that was about none, can no longer say what it named; then all of them end, since
    whoever presses that button must hear no more of it.
    """
    async with db.transaction() as tx:
        named = await _named(tx, subscriber_id, article_id=article_id, digest_run_id=digest_run_id)
        return await _leave(tx, subscriber_id, [one.channel_id for one in named] or None, now)


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


async def channels_of_mail(
    db: Database, *, subscriber_id: int, article_id: int, digest_run_id: int = 0
) -> tuple[Subscription, ...]:
    """List the subscriptions that one mail named, as they are now, ended ones too; for the page with the button."""
    async with db.reading() as tx:
        return tuple(await _named(tx, subscriber_id, article_id=article_id, digest_run_id=digest_run_id))


async def _named(tx: AsyncConnection, subscriber_id: int, *, article_id: int, digest_run_id: int) -> list[Subscription]:
    """List the subscriptions that an alert named, or a digest, where one is given."""
    if digest_run_id:
        return await subscriptions.subscriptions_of_digest(tx, subscriber_id=subscriber_id, run_id=digest_run_id)
    return await subscriptions.subscriptions_of_mail(tx, subscriber_id=subscriber_id, article_id=article_id)


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
