"""Forget: everything that tells who a person is goes; what stays is nameless.

Counted deliveries stay, by a number that is never given out again. Of a suppressed address a keyed hash stays, so that
nobody mails it by mistake; nothing leads back from that to the address but the address itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.core.addresses import normalise
from alerts.core.errors import NotFoundError
from alerts.storage import owed, subscribers, subscriptions
from alerts.storage.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What went."""

    subscriptions: int
    cancelled: int  # mails that will not be sent


async def forget(db: Database, *, address: str, now: datetime) -> Forgotten:
    """Erase the person with this address; raise NotFoundError when there is none, AddressError when it is none."""
    wanted = normalise(address)
    async with db.transaction() as tx:
        found = (await subscribers.lock_subscribers(tx, [wanted.key])).get(wanted.key)
        if found is None:
            raise NotFoundError(f"there is no subscriber {wanted.email}")
        held = await subscriptions.subscriptions_of(tx, [found.id])
        cancelled = await owed.cancel_all(tx, [found.id], now=now)
        await owed.forget_replies(tx, [found.id])
        await subscribers.erase(tx, [found.id])
    return Forgotten(subscriptions=len(held), cancelled=cancelled)
