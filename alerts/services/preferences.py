"""Preferences: what one person sees and changes of their own subscriptions; leaving is ``services.unsubscribe``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from alerts.core.addresses import normalise
from alerts.core.model import Channel, Frequency, Subscriber, Subscription
from alerts.storage import owed, subscribers, subscriptions
from alerts.storage.channels import active_channels
from alerts.storage.engine import Database

_PAGE = 1_000

Held = tuple[Subscriber, tuple[Subscription, ...]]


async def person_for_manage(db: Database, subscriber_id: int) -> Held | None:
    """Find a person and all their subscriptions, ended ones too; None when they were forgotten."""
    async with db.reading() as tx:
        found = await subscribers.subscriber_by_id(tx, subscriber_id)
        return (found, tuple(await subscriptions.subscriptions_of(tx, [found.id]))) if found else None


async def channels_to_follow(db: Database) -> list[Channel]:
    """List the channels that a person may choose among, in the operator's order."""
    async with db.reading() as tx:
        return await active_channels(tx)


async def person_by_address(db: Database, address: str) -> Held | None:
    """Find a person by any spelling of the address; raise AddressError for what is none."""
    key = normalise(address).key
    async with db.reading() as tx:
        found = await subscribers.subscriber_by_key(tx, key)
        return (found, tuple(await subscriptions.subscriptions_of(tx, [found.id]))) if found else None


async def each_person(db: Database) -> AsyncIterator[Held]:
    """Go through everybody in the order in which they came, a page at a time, so that a million need little memory."""
    after = 0
    while True:
        async with db.reading() as tx:
            people = await subscribers.list_subscribers(tx, after=after, limit=_PAGE)
            held = await subscriptions.subscriptions_of(tx, [one.id for one in people])
        by_person: dict[int, list[Subscription]] = {one.id: [] for one in people}
        for subscription in held:
            by_person[subscription.subscriber_id].append(subscription)
        for person in people:
            yield person, tuple(by_person[person.id])
        if len(people) < _PAGE:
            return
        after = people[-1].id


async def set_frequency(
    db: Database, *, subscriber_id: int, channel_ids: Sequence[int], frequency: Frequency, now: datetime
) -> int:
    """Change how often a person hears from these channels; return for how many that was possible.

    Alerts that wait to be sent from a channel that is no longer immediate are dropped.
    """
    async with db.transaction() as tx:
        await subscribers.lock_subscriber(tx, subscriber_id)
        changed = await subscriptions.set_frequency(
            tx, subscriber_id=subscriber_id, channel_ids=channel_ids, frequency=frequency
        )
        await owed.cancel_unwanted_alerts(tx, subscriber_id, now=now)
    return changed


async def set_language(db: Database, *, subscriber_id: int, language: str | None) -> None:
    """Write in which language a person wants to read us; None leaves that to the browser and the site."""
    async with db.transaction() as tx:
        await subscribers.set_language(tx, subscriber_id, language)


async def pause(db: Database, *, subscriber_id: int, until: datetime, now: datetime) -> int:
    """Send a person no alerts before a moment, and save none up; drop what waits to be sent, and return how many."""
    async with db.transaction() as tx:
        await subscribers.lock_subscriber(tx, subscriber_id)
        await subscribers.set_pause(tx, subscriber_id, until)
        return await owed.cancel_alerts(tx, subscriber_id, now=now)


async def resume(db: Database, *, subscriber_id: int) -> None:
    """End a person's pause: alerts come again from now on."""
    async with db.transaction() as tx:
        await subscribers.set_pause(tx, subscriber_id, None)
