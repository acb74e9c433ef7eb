"""Change address: a person's alerts go elsewhere, once the new address has said yes; the old one is told.

Whoever holds the link to the preferences may ask, for any address: the answer and the mail are the same whether we know
that address or not. If it is somebody's already, the two are one person: they just proved it, by a mail to each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import Address, normalise
from alerts.core.asking import Asking
from alerts.core.model import Confirmation, DeliveryKind, Lane, Subscriber
from alerts.core.people import Person
from alerts.core.tokens import hash_address
from alerts.queue import Enlist, Job, Step
from alerts.storage import budgets, confirmations, merging, owed, subscribers, suppressions
from alerts.storage.confirmations import Asked
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets


class ChangeOutcome(StrEnum):
    """What the link in our mail to the new address is worth."""

    OPEN = "open"  # only from look_at_change: pressing the button would change the address
    CHANGED = "changed"  # just now
    ALREADY = "already"  # before: a second press is a friendly success
    EXPIRED = "expired"  # too late, or a later wish took its place


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """A wish for another address, and what became of it."""

    outcome: ChangeOutcome
    email: str  # the new one
    subscriber: Subscriber


async def ask_to_change(
    db: Database, *, subscriber_id: int, address: str, now: datetime, asking: Asking, enlist: Enlist
) -> bool:
    """Mail the new address the question whether it is theirs; False when there were too many mails already (C3).

    A page answers the same either way. Only the last wish counts: an earlier one may have been a slip of the finger,
    and its mail is with a stranger. Raise AddressError for what is no address.
    """
    wanted = normalise(address)
    async with db.transaction() as tx:
        may = await budgets.spend(
            tx,
            address_hash=hash_address(asking.secrets, wanted.key),
            network=asking.network,
            now=now,
            site_limit=asking.site_limit,
        )
        if not may or await subscribers.lock_subscriber(tx, subscriber_id) is None:
            return False
        await confirmations.close_address_changes(tx, subscriber_id, now=now)
        asked = Asked(subscriber_id=subscriber_id, channel_ids=(), salt=asking.salt, email=wanted.email)
        keys = await confirmations.add(tx, [asked], secrets=asking.secrets, now=now)
        owing = [(subscriber_id, key) for key in keys]
        await owed.owe_confirmations(tx, owing, now=now, kind=DeliveryKind.ADDRESS_CONFIRMATION)
        await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
    return True


async def look_at_change(db: Database, *, token: str, now: datetime) -> AddressChange | None:
    """Say what a press of the button would do, changing nothing; None for a token that is about something else."""
    async with db.reading() as tx:
        found = await confirmations.confirmation_by_token(tx, token)
        subscriber = await subscribers.subscriber_by_id(tx, found.subscriber_id) if found else None
    if found is None or found.email is None or subscriber is None:
        return None
    return AddressChange(outcome=_worth(found, now), email=found.email, subscriber=subscriber)


async def change_address(
    db: Database, *, token: str, now: datetime, enlist: Enlist | None = None
) -> AddressChange | None:
    """Let the new address take the place of the old one; a second time changes nothing.

    None for a token that is about something else.
    """
    async with db.transaction() as tx:
        found = await confirmations.confirmation_by_token(tx, token)
        if found is None or found.email is None:
            return None
        wanted = normalise(found.email)
        own, other = await subscribers.lock_with_address(tx, found.subscriber_id, wanted.key)
        if own is None:  # another press was quicker, and the two rows are one already
            return _already(found, other)
        outcome = _worth(found, now)
        if outcome is ChangeOutcome.OPEN and not await confirmations.mark_confirmed(tx, found.id, now=now):
            outcome = ChangeOutcome.ALREADY  # likewise
        if outcome is not ChangeOutcome.OPEN:
            return AddressChange(outcome=outcome, email=found.email, subscriber=own)
        person = await _take_over(tx, own, other, wanted, now)
        await _tell_the_old_one(tx, found, former=own.email, person=person, now=now)
        if enlist is not None:
            await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
    return AddressChange(outcome=ChangeOutcome.CHANGED, email=wanted.email, subscriber=person)


def _already(found: Confirmation, person: Subscriber | None) -> AddressChange | None:
    if person is None or found.email is None:
        return None
    return AddressChange(outcome=ChangeOutcome.ALREADY, email=found.email, subscriber=person)


async def _take_over(
    tx: AsyncConnection, own: Subscriber, other: Subscriber | None, wanted: Address, now: datetime
) -> Subscriber:
    """Write the new address; where a row has it already, that row stays and takes all that the person's own has.

    So the links in every mail that lies in the mailbox we go on mailing to stay good (U5).
    """
    person = other or own
    if other is not None:
        await merging.move_everything(tx, giver=own.id, taker=other.id, now=now)
        await subscribers.erase(tx, [own.id])
        about = Person(address=wanted, name=own.name, language=own.language, time_zone=own.time_zone)
        await subscribers.describe(tx, [(other.id, about)])
        await subscribers.set_pause(tx, other.id, own.paused_until_at)
    await subscribers.set_address(tx, person.id, wanted)
    await subscribers.mark_confirmed(tx, [person.id], now=now)
    await suppressions.lift(tx, wanted.key, secrets=await load_secrets(tx))
    return await subscribers.subscriber_by_id(tx, person.id) or person


async def _tell_the_old_one(
    tx: AsyncConnection, found: Confirmation, *, former: str, person: Subscriber, now: datetime
) -> None:
    """Owe the old address a mail that says so, unless it is the same, or one that nobody may mail."""
    key = normalise(former).key
    if key == normalise(person.email).key:
        return
    await confirmations.keep_former_address(tx, found.id, former)
    if not await suppressions.suppressed_among(tx, [key], secrets=await load_secrets(tx)):
        owing = [(person.id, found.id)]
        await owed.owe_confirmations(tx, owing, now=now, kind=DeliveryKind.ADDRESS_CHANGED)


def _worth(found: Confirmation, now: datetime) -> ChangeOutcome:
    if found.confirmed_at is not None:
        return ChangeOutcome.ALREADY
    return ChangeOutcome.OPEN if now < found.expires_at else ChangeOutcome.EXPIRED
