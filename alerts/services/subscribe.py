"""Subscribe: somebody asks for channels; the person confirms by mail, unless the operator vouches for them.

One transaction writes the subscriber, the subscriptions, the confirmation and the mail that is owed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.errors import InputError, NotFoundError, SuppressedError
from alerts.core.model import (
    Channel,
    ChannelState,
    Frequency,
    Lane,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from alerts.core.people import Request, describe, did_you_mean
from alerts.core.stamps import Proof
from alerts.core.subscriptions import (
    CONFIRMATIONS_A_DAY,
    Change,
    Event,
    Listed,
    Refusal,
    ask,
    may_be_described_by,
    refusal_of_import,
)
from alerts.core.tokens import Secrets, hash_address
from alerts.queue import Enlist, Job, Step
from alerts.storage import budgets, confirmations, owed, spent_proofs, subscribers, subscriptions, suppressions
from alerts.storage.channels import active_channels, channels_by_slugs
from alerts.storage.confirmations import Asked
from alerts.storage.engine import Database

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """What became of one request."""

    subscriber: Subscriber
    subscriptions: tuple[Subscription, ...]  # those asked for, as they are now
    confirmation_owed: bool  # a confirmation mail is on its way
    throttled: bool  # a confirmation would be due, but three were mailed to this address within a day (C3)


async def subscribe(
    db: Database,
    *,
    address: str,
    slugs: Sequence[str],
    frequency: Frequency | None,
    confirmed: bool,
    now: datetime,
    secrets: Secrets,
    salt: bytes,
    name: str | None = None,
    language: str | None = None,
    time_zone: str | None = None,
    enlist: Enlist | None = None,
) -> Subscribed:
    """Subscribe one address to channels; asking again is harmless.

    ``confirmed`` is the operator's word that the person agreed: the subscriptions are active at once. Otherwise they
    are pending until the person confirms, within 48 h; what is active already stays so. ``frequency`` None keeps what
    there is (immediate for a new one). ``salt`` is 16 random bytes. ``enlist`` asks for the confirmation's delivering.

    A web form answers the same whatever comes back (C2). Raises AddressError and InputError for what cannot be meant,
    NotFoundError for a channel that is not there, SuppressedError for vouching for a suppressed address.
    """
    person = describe(normalise(address), name=name, language=language, time_zone=time_zone, known_zones=known_zones())
    event = Event.VOUCHED if confirmed else Event.REQUESTED
    async with db.transaction() as tx:
        chosen = await _choose(tx, slugs)
        batch = _Batch(event=event, channels=chosen, secrets=secrets, new_salt=lambda: salt, now=now)
        await batch.write(tx, [Request(person=person, frequency=frequency)])
        key = person.address.key
        if key in batch.refused:
            raise SuppressedError(
                f"{person.address.email} is suppressed: it bounced, or its owner complained. "
                "Only the person can bring it back: add it without --confirmed, and they will be asked."
            )
        wanted = {channel.id for channel in chosen}
        held = await subscriptions.subscriptions_of(tx, [batch.people[key].id])
        subscriber = await subscribers.subscriber_by_id(tx, batch.people[key].id)
        if key in batch.asked and enlist is not None:
            await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
    return Subscribed(
        subscriber=subscriber or batch.people[key],
        subscriptions=tuple(one for one in held if one.channel_id in wanted),
        confirmation_owed=key in batch.asked,
        throttled=key in batch.throttled,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What somebody whom nobody knows typed into a form of the site, and what came along with it."""

    address: str
    slugs: Sequence[str]
    language: str  # of the page that they read
    network: str  # where it came from, as budgets count it
    proof: Proof | None  # what must be spent with it


class FormOutcome(StrEnum):
    """What became of a form; only a spent proof may show in the answer (C2)."""

    TAKEN = "taken"
    OVER_BUDGET = "over_budget"  # nothing was done
    PROOF_SPENT = "proof_spent"  # nothing was done: it came with another form before


async def subscribe_by_form(
    db: Database,
    form: Form,
    *,
    mails_an_hour: int,
    now: datetime,
    secrets: Secrets,
    salt: bytes,
    enlist: Enlist,
) -> FormOutcome:
    """Subscribe whom a form of the site names, once they confirm; within the budgets for mails (C3).

    The outcome says nothing of what we know about the address. Raises AddressError and InputError for what cannot be
    meant, NotFoundError for a channel that is not there.
    """
    person = describe(normalise(form.address), language=form.language)
    async with db.transaction() as tx:
        chosen = await _choose(tx, form.slugs)
        if form.proof is not None and not await spent_proofs.spend(tx, form.proof):
            return FormOutcome.PROOF_SPENT
        address_hash = hash_address(secrets, person.address.key)
        if not await budgets.spend(
            tx, address_hash=address_hash, network=form.network, now=now, site_limit=mails_an_hour
        ):
            return FormOutcome.OVER_BUDGET
        batch = _Batch(event=Event.REQUESTED, channels=chosen, secrets=secrets, new_salt=lambda: salt, now=now)
        await batch.write(tx, [Request(person=person, frequency=None)])
        if batch.asked:
            await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
    return FormOutcome.TAKEN


async def subscribe_listed(
    db: Database,
    requests: Sequence[Request],
    *,
    slugs: Sequence[str],
    confirmed: bool,
    now: datetime,
    secrets: Secrets,
    new_salt: Callable[[], bytes],
) -> Listed:
    """Subscribe many at once, from an operator's list: all of them, in one transaction; each address once.

    Refused are suppressed addresses, and people who left one of these channels themselves (C5). Nobody is asked a
    second time because a list was imported a second time.
    """
    event = Event.VOUCHED if confirmed else Event.REQUESTED
    async with db.transaction() as tx:
        chosen = await _choose(tx, slugs)
        batch = _Batch(event=event, channels=chosen, secrets=secrets, new_salt=new_salt, now=now, listed=True)
        await batch.write(tx, requests)
    keys = {one.person.address.key for one in requests}
    return Listed(
        subscribed=frozenset(batch.started),
        asked=frozenset(batch.asked),
        unchanged=frozenset(keys - batch.started - batch.asked - batch.refused.keys()),
        refused=batch.refused,
    )


async def have_counted(db: Database) -> None:
    """Let the database count anew, after many people came at once: it plans its look-ups by what it has counted."""
    async with db.transaction() as tx:
        await subscribers.have_counted(tx)


@cache
def known_zones() -> frozenset[str]:
    """Name the time zones of this machine's database."""
    return frozenset(available_timezones())


async def _choose(tx: AsyncConnection, slugs: Sequence[str]) -> list[Channel]:
    """Find the channels that are meant, in their own order; each must be there and active."""
    if not slugs:
        raise InputError("name at least one channel")
    chosen = [one for one in await channels_by_slugs(tx, set(slugs)) if one.state is ChannelState.ACTIVE]
    missing = next((slug for slug in slugs if slug not in {one.slug for one in chosen}), None)
    if missing is not None:
        active = [one.slug for one in await active_channels(tx)]
        known = f"Known: {', '.join(active)}." if active else "There is none yet: add one to the config."
        raise NotFoundError(f"there is no channel “{missing}”{did_you_mean(missing, active)} {known}")
    return chosen


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Requests by people who each occur once, for the same channels, written together."""

    event: Event
    channels: Sequence[Channel]
    secrets: Secrets
    new_salt: Callable[[], bytes]
    now: datetime
    listed: bool = False
    people: dict[str, Subscriber] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    throttled: set[str] = field(default_factory=set)
    refused: dict[str, Refusal] = field(default_factory=dict)

    async def write(self, tx: AsyncConnection, requests: Sequence[Request]) -> None:
        """Write everything that the requests lead to, and note it by the people's keys."""
        # 1. who may come in; for whoever may not, nothing is written
        keys = [one.person.address.key for one in requests]
        suppressed = await suppressions.suppressed_among(tx, keys, secrets=self.secrets)
        if self.listed or self.event is Event.VOUCHED:
            self.refused = dict.fromkeys(suppressed, Refusal.SUPPRESSED)
        welcome = {key: one for key, one in zip(keys, requests, strict=True) if key not in self.refused}
        # 2. their rows, held until the end of the transaction
        persons = [one.person for one in welcome.values()]
        self.people = await subscribers.find_or_add(tx, persons, suppressed=suppressed, now=self.now)
        before = await self._held(tx)
        # 3. what changes
        changes = {key: self._changes(key, one, before) for key, one in welcome.items()}
        admitted = {key: one for key, one in welcome.items() if key not in self.refused}
        await subscriptions.write(tx, [it for key in admitted for it in changes[key]], now=self.now)
        self.started = {key for key in admitted if any(it.starts for it in changes[key])}
        # 4. who they are
        await self._describe(tx, admitted)
        # 5. the person's own word, where it is needed
        if self.event is Event.REQUESTED:
            await self._ask(tx, {key: self._to_confirm(key, changes[key], before) for key in admitted})

    async def _held(self, tx: AsyncConnection) -> dict[tuple[int, int], Subscription]:
        held = await subscriptions.subscriptions_of(tx, [one.id for one in self.people.values()])
        return {(one.subscriber_id, one.channel_id): one for one in held}

    def _changes(self, key: str, request: Request, before: dict[tuple[int, int], Subscription]) -> list[Change]:
        """Decide what one request changes; a list may not bring back whom its channel lost."""
        changes = []
        for channel in self.channels:
            old = before.get((self.people[key].id, channel.id))
            refusal = refusal_of_import(old) if self.listed else None
            if refusal is not None:
                self.refused[key] = refusal
                return []
            change = ask(
                self.event,
                subscriber_id=self.people[key].id,
                channel_id=channel.id,
                before=old,
                frequency=request.frequency,
            )
            if change is not None:
                changes.append(change)
        return changes

    async def _describe(self, tx: AsyncConnection, admitted: dict[str, Request]) -> None:
        known = [
            (self.people[key].id, one.person)
            for key, one in admitted.items()
            if may_be_described_by(self.event, self.people[key].state)
        ]
        await subscribers.describe(tx, known)
        if self.event is Event.VOUCHED:
            new = [it.id for key in admitted if (it := self.people[key]).state is not SubscriberState.ACTIVE]
            await subscribers.mark_confirmed(tx, new, now=self.now)

    def _to_confirm(
        self, key: str, changes: Iterable[Change], before: dict[tuple[int, int], Subscription]
    ) -> tuple[int, ...]:
        """Name the channels that wait for the person's word; of a list, only those that did not wait before."""
        new = {one.channel_id: one.state for one in changes}
        waiting = []
        for channel in self.channels:
            old = before.get((self.people[key].id, channel.id))
            old_state = old.state if old else None
            state = new.get(channel.id, old_state)
            if state is SubscriptionState.PENDING and not (self.listed and old_state is SubscriptionState.PENDING):
                waiting.append(channel.id)
        return tuple(waiting)

    async def _ask(self, tx: AsyncConnection, waiting: dict[str, tuple[int, ...]]) -> None:
        """Owe each person a confirmation for the channels that wait, at most three a day (C3)."""
        ids = {key: self.people[key].id for key, channel_ids in waiting.items() if channel_ids}
        lately = await confirmations.count_since(tx, ids.values(), since=self.now - _DAY)
        self.throttled = {key for key, one in ids.items() if lately.get(one, 0) >= CONFIRMATIONS_A_DAY}
        self.asked = set(ids) - self.throttled
        asked = [
            Asked(subscriber_id=ids[key], channel_ids=waiting[key], salt=self.new_salt())
            for key in waiting
            if key in self.asked
        ]
        confirmation_ids = await confirmations.add(tx, asked, secrets=self.secrets, now=self.now)
        owing = [(one.subscriber_id, key) for one, key in zip(asked, confirmation_ids, strict=True)]
        await owed.owe_confirmations(tx, owing, now=self.now)
