"""Follow: a person adds channels on their own page. Its link came by our mail, so nothing has to be confirmed again.

Only who is suppressed does: such an address comes back by its own new confirmation, and by nothing else (C5).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.asking import Asking
from alerts.core.model import Channel, Lane, Subscriber, SubscriberState
from alerts.core.subscriptions import Event, ask
from alerts.core.tokens import hash_address
from alerts.queue import Enlist, Job, Step
from alerts.storage import budgets, confirmations, owed, subscribers, subscriptions
from alerts.storage.channels import active_channels
from alerts.storage.confirmations import Asked
from alerts.storage.engine import Database


class FollowOutcome(StrEnum):
    """What became of the wish."""

    FOLLOWS = "follows"  # from now on
    ASKED = "asked"  # the address is suppressed: a confirmation mail is on its way
    THROTTLED = "throttled"  # likewise, but there were too many mails already (C3)
    UNKNOWN = "unknown"  # no such channel, or no such person


async def follow(
    db: Database, *, subscriber_id: int, slugs: Collection[str], now: datetime, asking: Asking, enlist: Enlist
) -> FollowOutcome:
    """Subscribe a person to channels; asking again is harmless."""
    async with db.transaction() as tx:
        subscriber = await subscribers.subscriber_by_id(tx, subscriber_id)
        chosen = [one for one in await active_channels(tx) if one.slug in slugs]
        if subscriber is None or not chosen:
            return FollowOutcome.UNKNOWN
        if subscriber.state is SubscriberState.SUPPRESSED:
            outcome = await _ask(tx, subscriber, chosen, now, asking)
            if outcome is FollowOutcome.ASKED:
                await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
            return outcome
        await subscribers.lock_subscriber(tx, subscriber_id)
        await _write(tx, Event.CHOSEN, subscriber, chosen, now)
        await subscribers.mark_confirmed(tx, [subscriber_id], now=now)
    return FollowOutcome.FOLLOWS


async def _ask(
    tx: AsyncConnection, subscriber: Subscriber, chosen: Collection[Channel], now: datetime, asking: Asking
) -> FollowOutcome:
    """Let what a suppressed person chose wait for the button of a new mail, if there may be one."""
    address_hash = hash_address(asking.secrets, normalise(subscriber.email).key)
    if not await budgets.spend(
        tx, address_hash=address_hash, network=asking.network, now=now, site_limit=asking.site_limit
    ):
        return FollowOutcome.THROTTLED
    await subscribers.lock_subscriber(tx, subscriber.id)  # after the budget, as everybody does: else two wait in a ring
    await _write(tx, Event.REQUESTED, subscriber, chosen, now)
    ids = tuple(one.id for one in chosen)
    asked = Asked(subscriber_id=subscriber.id, channel_ids=ids, salt=asking.salt)
    (key,) = await confirmations.add(tx, [asked], secrets=asking.secrets, now=now)
    await owed.owe_confirmation(tx, subscriber_id=subscriber.id, confirmation_id=key, now=now)
    return FollowOutcome.ASKED


async def _write(
    tx: AsyncConnection, event: Event, subscriber: Subscriber, chosen: Collection[Channel], now: datetime
) -> None:
    held = {one.channel_id: one for one in await subscriptions.subscriptions_of(tx, [subscriber.id])}
    changes = [
        ask(event, subscriber_id=subscriber.id, channel_id=one.id, before=held.get(one.id), frequency=None)
        for one in chosen
    ]
    await subscriptions.write(tx, [one for one in changes if one is not None], now=now)
