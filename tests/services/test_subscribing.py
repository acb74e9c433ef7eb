"""The people flow over both databases: Alice subscribes, Bob runs the site, Mallory tries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from cast import World
from sqlalchemy import func, insert, select, update

from alerts.core.addresses import normalise
from alerts.core.errors import AddressError, InputError, NotFoundError, SuppressedError
from alerts.core.leaving import MailClaims
from alerts.core.model import (
    DeliveryState,
    EndReason,
    Frequency,
    Lane,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from alerts.core.people import Person, Request
from alerts.core.subscriptions import Event, Listed, Refusal
from alerts.core.tokens import Secrets, confirmation_token
from alerts.services.confirm import Confirmed, ConfirmOutcome, confirm, look_at_confirmation
from alerts.services.expire_pending import expire_pending
from alerts.services.forget import forget
from alerts.services.preferences import each_person, person_by_address, person_for_manage, set_frequency
from alerts.services.subscribe import Subscribed, subscribe, subscribe_listed
from alerts.services.unsubscribe import Unsubscribed, look_at_leaving, unsubscribe, unsubscribe_by_mail
from alerts.storage import schema, suppressions
from alerts.storage.engine import Database
from alerts.storage.owed import owe_confirmation
from alerts.storage.secrets import load_secrets, rotate
from alerts.storage.subscribers import lock_subscribers

ACTIVE, PENDING, ENDED = SubscriptionState.ACTIVE, SubscriptionState.PENDING, SubscriptionState.ENDED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(slots=True)
class Site:
    """Bob's site: what its people can do, at a time that tests move."""

    db: Database
    now: datetime
    world: World
    salts: int = 0
    channels: dict[str, int] = field(default_factory=dict)

    async def secrets(self) -> Secrets:
        async with self.db.reading() as tx:
            return await load_secrets(tx)

    def salt(self) -> bytes:
        self.salts += 1
        return self.salts.to_bytes(16, "big")

    async def subscribe(
        self,
        address: str = "alice@example.com",
        slugs: Sequence[str] = ("xiaomi",),
        *,
        confirmed: bool = False,
        frequency: Frequency | None = None,
        **more: Any,
    ) -> Subscribed:
        return await subscribe(
            self.db,
            address=address,
            slugs=slugs,
            frequency=frequency,
            confirmed=confirmed,
            now=self.now,
            secrets=await self.secrets(),
            salt=self.salt(),
            **more,
        )

    async def listed(self, *addresses: str, confirmed: bool = True, frequency: Frequency | None = None) -> Listed:
        return await subscribe_listed(
            self.db,
            [Request(person=Person(address=normalise(one)), frequency=frequency) for one in addresses],
            slugs=["xiaomi"],
            confirmed=confirmed,
            now=self.now,
            secrets=await self.secrets(),
            new_salt=self.salt,
        )

    async def tokens(self) -> list[str]:
        """Read the tokens as the mails would have them, oldest first."""
        rows = schema.confirmations.c
        async with self.db.reading() as tx:
            secrets = await load_secrets(tx)
            found = (await tx.execute(select(rows.id, rows.salt).order_by(rows.id))).all()
        return [confirmation_token(secrets, key, bytes(salt)) for key, salt in found]

    async def confirm(self, token: str) -> Confirmed:
        return await confirm(self.db, token=token, now=self.now)

    async def states(self, address: str = "alice@example.com") -> dict[str, SubscriptionState]:
        return {one.channel_slug: one.state for one in await self.held(address)}

    async def held(self, address: str = "alice@example.com") -> tuple[Subscription, ...]:
        found = await person_by_address(self.db, address)
        return found[1] if found else ()

    async def suppress(self, address: str = "alice@example.com", event: Event = Event.COMPLAINED) -> None:
        async with self.db.transaction() as tx:
            people = list((await lock_subscribers(tx, [normalise(address).key])).values())
            await suppressions.suppress(tx, people, event, secrets=await load_secrets(tx), now=self.now)

    async def count(self, table: str, **where: object) -> int:
        rows = schema.metadata.tables[table]
        statement = select(func.count()).select_from(rows)
        for column, value in where.items():
            statement = statement.where(rows.c[column] == value)
        async with self.db.reading() as tx:
            return await tx.scalar(statement) or 0

    async def owe_alert(self, subscriber_id: int, *slugs: str, state: DeliveryState = DeliveryState.PENDING) -> int:
        """Publish an article of these channels and owe it; return the article's id."""
        title = f"Article {await self.count('articles')}"
        source = await self.world.source(title)
        channel_ids = tuple(self.channels[slug] for slug in slugs)
        article_id = await self.world.article(source, title=title, channels=channel_ids)
        row = {"kind": "alert", "lane": int(Lane.IMMEDIATE), "subscriber_id": subscriber_id, "state": state}
        async with self.db.transaction() as tx:
            await tx.execute(
                insert(schema.deliveries).values(**row, article_id=article_id, due_at=self.now, dated_at=self.now)
            )
        return article_id

    async def delivery_states(self) -> list[str]:
        async with self.db.reading() as tx:
            found = await tx.scalars(select(schema.deliveries.c.state).order_by(schema.deliveries.c.id))
            return list(found.all())


@pytest.fixture
async def site(db: Database, now: datetime) -> Site:
    world = World(db, now)
    made = Site(db, now, world)
    for slug in ("xiaomi", "tesla", "evs"):
        made.channels[slug] = await world.channel(slug)
    return made


class TestAsking:
    async def test_a_request_is_pending_and_owes_one_confirmation(self, site: Site) -> None:
        done = await site.subscribe("Alice@Example.com", ["xiaomi", "tesla"])
        assert done.confirmation_owed
        assert done.subscriber.state is SubscriberState.PENDING
        assert {one.state for one in done.subscriptions} == {PENDING}
        assert await site.count("deliveries", kind="confirmation", lane=0, state="pending") == 1

    async def test_a_person_is_one_row_however_the_address_is_typed(self, site: Site) -> None:
        first = await site.subscribe("Alice@Example.com")
        second = await site.subscribe(" aLICE@example.COM ", ["tesla"])
        assert first.subscriber.id == second.subscriber.id
        assert second.subscriber.email == "Alice@example.com"

    async def test_vouched_for_is_active_from_now_on_and_owes_nothing(self, site: Site) -> None:
        done = await site.subscribe(confirmed=True, frequency=Frequency.DAILY)
        (held,) = done.subscriptions
        assert (held.state, held.activated_at, held.frequency) == (ACTIVE, site.now, Frequency.DAILY)
        assert (done.subscriber.state, done.subscriber.confirmed_at) == (SubscriberState.ACTIVE, site.now)
        assert not done.confirmation_owed
        assert await site.count("deliveries") == 0

    async def test_vouching_again_changes_only_the_frequency(self, site: Site) -> None:
        started = site.now
        await site.subscribe(confirmed=True)
        site.now += DAY
        done = await site.subscribe(confirmed=True, frequency=Frequency.WEEKLY)
        assert done.subscriptions[0].frequency is Frequency.WEEKLY
        assert done.subscriptions[0].activated_at == started
        assert done.subscriber.confirmed_at == started

    async def test_asking_again_never_unconfirms_and_changes_nothing(self, site: Site) -> None:
        before = await site.subscribe(confirmed=True, name="Alice", time_zone="Europe/Berlin")
        done = await site.subscribe(frequency=Frequency.WEEKLY, name="Mallory", language="tlh")
        assert done.subscriptions == before.subscriptions
        assert done.subscriber == before.subscriber
        assert not done.confirmation_owed

    async def test_a_confirmed_person_still_confirms_a_new_channel(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        done = await site.subscribe(slugs=["xiaomi", "tesla"])
        assert done.confirmation_owed
        assert await site.states() == {"xiaomi": ACTIVE, "tesla": PENDING}

    async def test_at_most_three_confirmations_a_day_go_to_one_address(self, site: Site) -> None:
        throttled = [(await site.subscribe()).throttled for _ in range(5)]
        assert throttled == [False, False, False, True, True]
        assert await site.count("deliveries") == 3
        site.now += DAY
        assert (await site.subscribe()).confirmation_owed

    async def test_what_is_said_of_a_person_is_kept_and_completed(self, site: Site) -> None:
        await site.subscribe(name="Alice", language="en")
        done = await site.subscribe(confirmed=True, language="de", time_zone="UTC")
        person = done.subscriber
        assert (person.name, person.language, person.time_zone) == ("Alice", "de", "UTC")

    async def test_an_unknown_channel_is_named_with_those_there_are_and_nothing_is_written(self, site: Site) -> None:
        with pytest.raises(NotFoundError, match=r"“xiomi”; did you mean “xiaomi”.*evs, tesla, xiaomi"):
            await site.subscribe(slugs=["tesla", "xiomi"])
        assert await site.count("subscribers") == 0

    async def test_a_retired_channel_is_unknown(self, site: Site) -> None:
        async with site.db.transaction() as tx:
            await tx.execute(update(schema.channels).values(state="retired"))
        with pytest.raises(NotFoundError, match="none yet"):
            await site.subscribe()

    async def test_no_channel_and_no_address_are_refused(self, site: Site) -> None:
        with pytest.raises(InputError, match="at least one channel"):
            await site.subscribe(slugs=[])
        with pytest.raises(AddressError):
            await site.subscribe("nobody")

    async def test_two_requests_at_once_are_one_person_and_one_subscription(self, site: Site) -> None:
        done = await asyncio.gather(*(site.subscribe(confirmed=number % 2 == 0) for number in range(8)))
        assert len({one.subscriber.id for one in done}) == 1
        assert await site.states() == {"xiaomi": ACTIVE}


class TestConfirming:
    async def test_the_button_starts_what_was_asked_for(self, site: Site) -> None:
        await site.subscribe(slugs=["xiaomi", "tesla"])
        (token,) = await site.tokens()
        site.now += HOUR
        done = await site.confirm(token)
        assert done.outcome is ConfirmOutcome.CONFIRMED
        assert {(one.state, one.activated_at) for one in done.subscriptions} == {(ACTIVE, site.now)}
        person, _ = (await person_for_manage(site.db, done.subscriber_id or 0)) or pytest.fail("gone")
        assert (person.state, person.confirmed_at) == (SubscriberState.ACTIVE, site.now)

    async def test_a_second_press_is_a_friendly_success_that_changes_nothing(self, site: Site) -> None:
        await site.subscribe()
        (token,) = await site.tokens()
        first = await site.confirm(token)
        site.now += 30 * DAY
        second = await site.confirm(token)
        assert second.outcome is ConfirmOutcome.ALREADY
        assert second.subscriptions == first.subscriptions

    async def test_an_old_link_brings_nothing_back_after_leaving(self, site: Site) -> None:
        done = await site.subscribe()
        (token,) = await site.tokens()
        await site.confirm(token)
        await unsubscribe(site.db, subscriber_id=done.subscriber.id, channel_ids=None, now=site.now)
        assert (await site.confirm(token)).outcome is ConfirmOutcome.ALREADY
        assert await site.states() == {"xiaomi": ENDED}

    async def test_leaving_everything_closes_what_still_waits(self, site: Site) -> None:
        done = await site.subscribe()
        await unsubscribe(site.db, subscriber_id=done.subscriber.id, channel_ids=None, now=site.now)
        (token,) = await site.tokens()
        assert (await site.confirm(token)).outcome is ConfirmOutcome.EXPIRED
        assert await site.states() == {"xiaomi": ENDED}
        assert await site.delivery_states() == ["cancelled"]

    async def test_after_48_hours_it_is_too_late(self, site: Site) -> None:
        await site.subscribe()
        (token,) = await site.tokens()
        site.now += 48 * HOUR
        assert (await site.confirm(token)).outcome is ConfirmOutcome.EXPIRED
        assert await site.states() == {"xiaomi": PENDING}

    async def test_a_token_is_bound_to_the_channels_it_was_made_for(self, site: Site) -> None:
        await site.subscribe()
        await site.subscribe(slugs=["tesla"])
        await site.confirm((await site.tokens())[0])
        assert await site.states() == {"xiaomi": ACTIVE, "tesla": PENDING}

    @pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "é" * 40, "A" * 32, "0" * 100_000])
    async def test_any_other_string_is_unknown(self, site: Site, token: str) -> None:
        await site.subscribe()
        assert await site.confirm(token) == Confirmed(outcome=ConfirmOutcome.UNKNOWN)
        looked = await look_at_confirmation(site.db, token=token, now=site.now)
        assert looked == Confirmed(outcome=ConfirmOutcome.UNKNOWN)

    async def test_looking_changes_nothing(self, site: Site) -> None:
        await site.subscribe()
        (token,) = await site.tokens()
        looked = await look_at_confirmation(site.db, token=token, now=site.now)
        assert looked.outcome is ConfirmOutcome.OPEN
        assert [one.channel_slug for one in looked.subscriptions] == ["xiaomi"]
        assert await site.states() == {"xiaomi": PENDING}

    async def test_a_token_outlives_a_rotation_of_the_secrets(self, site: Site) -> None:
        await site.subscribe()
        (before,) = await site.tokens()
        async with site.db.transaction() as tx:
            await rotate(tx, now=site.now)
        assert await site.tokens() == [before]
        assert (await site.confirm(before)).outcome is ConfirmOutcome.CONFIRMED

    async def test_only_a_hash_of_the_token_is_stored(self, site: Site) -> None:
        await site.subscribe()
        (token,) = await site.tokens()
        async with site.db.reading() as tx:
            row = (await tx.execute(select(schema.confirmations))).one()
        assert token not in str(row)

    async def test_of_many_presses_at_once_one_confirms(self, site: Site) -> None:
        await site.subscribe()
        (token,) = await site.tokens()
        done = await asyncio.gather(*(site.confirm(token) for _ in range(6)))
        outcomes = sorted(one.outcome for one in done)
        assert outcomes == [ConfirmOutcome.ALREADY] * 5 + [ConfirmOutcome.CONFIRMED]


class TestLeaving:
    async def test_a_person_leaves_one_channel_and_stays_in_the_other(self, site: Site) -> None:
        done = await site.subscribe(slugs=["xiaomi", "tesla"], confirmed=True)
        left = await unsubscribe(
            site.db, subscriber_id=done.subscriber.id, channel_ids=[site.channels["xiaomi"]], now=site.now
        )
        assert left.ended == 1
        assert await site.states() == {"xiaomi": ENDED, "tesla": ACTIVE}
        gone = next(one for one in await site.held() if one.state is ENDED)
        assert (gone.ended_at, gone.end_reason) == (site.now, EndReason.UNSUBSCRIBED)

    async def test_leaving_twice_keeps_the_first_time(self, site: Site) -> None:
        done = await site.subscribe(confirmed=True)
        await unsubscribe(site.db, subscriber_id=done.subscriber.id, channel_ids=None, now=site.now)
        before = await site.held()
        again = await unsubscribe(site.db, subscriber_id=done.subscriber.id, channel_ids=None, now=site.now + DAY)
        assert again == Unsubscribed(ended=0, cancelled=0)
        assert await site.held() == before

    async def test_nobody_and_nothing_can_be_left_too(self, site: Site) -> None:
        nothing = Unsubscribed(ended=0, cancelled=0)
        assert await unsubscribe(site.db, subscriber_id=404, channel_ids=None, now=site.now) == nothing
        done = await site.subscribe(confirmed=True)
        assert await unsubscribe(site.db, subscriber_id=done.subscriber.id, channel_ids=[], now=site.now) == nothing
        assert await site.states() == {"xiaomi": ACTIVE}

    async def test_what_waits_from_a_left_channel_is_dropped_and_the_rest_is_not(self, site: Site) -> None:
        alice = (await site.subscribe(slugs=["xiaomi", "tesla"], confirmed=True)).subscriber.id
        bob = (await site.subscribe("bob@example.com", confirmed=True)).subscriber.id
        await site.owe_alert(alice, "xiaomi")
        await site.owe_alert(alice, "xiaomi", "tesla")
        await site.owe_alert(alice, "xiaomi", "evs")
        await site.owe_alert(alice, "xiaomi", state=DeliveryState.CLAIMED)
        await site.owe_alert(alice, "xiaomi", state=DeliveryState.SENT)
        await site.owe_alert(bob, "xiaomi")
        left = await unsubscribe(site.db, subscriber_id=alice, channel_ids=[site.channels["xiaomi"]], now=site.now)
        assert left.cancelled == 2
        assert await site.delivery_states() == ["cancelled", "pending", "cancelled", "claimed", "sent", "pending"]

    async def test_one_click_leaves_the_channels_that_the_mail_named(self, site: Site) -> None:
        alice = (await site.subscribe(slugs=["xiaomi", "tesla", "evs"], confirmed=True)).subscriber.id
        article = await site.owe_alert(alice, "xiaomi", "evs")
        mail = MailClaims(subscriber_id=alice, article_id=article)
        named = (await look_at_leaving(site.db, mail)).named
        assert {one.channel_slug for one in named} == {"xiaomi", "evs"}
        for _ in range(2):
            await unsubscribe_by_mail(site.db, mail=MailClaims(subscriber_id=alice, article_id=article), now=site.now)
            assert await site.states() == {"xiaomi": ENDED, "tesla": ACTIVE, "evs": ENDED}

    async def test_one_click_in_an_old_mail_works_for_who_left_and_came_back(self, site: Site) -> None:
        alice = (await site.subscribe(confirmed=True)).subscriber.id
        article = await site.owe_alert(alice, "xiaomi")
        await unsubscribe_by_mail(site.db, mail=MailClaims(subscriber_id=alice, article_id=article), now=site.now)
        site.now += DAY
        await site.subscribe(confirmed=True)
        await unsubscribe_by_mail(site.db, mail=MailClaims(subscriber_id=alice, article_id=article), now=site.now)
        assert await site.states() == {"xiaomi": ENDED}

    async def test_one_click_does_not_touch_a_channel_that_the_person_came_to_later(self, site: Site) -> None:
        alice = (await site.subscribe(confirmed=True)).subscriber.id
        article = await site.owe_alert(alice, "xiaomi", "tesla")
        site.now += DAY
        await site.subscribe(slugs=["tesla"], confirmed=True)
        await unsubscribe_by_mail(site.db, mail=MailClaims(subscriber_id=alice, article_id=article), now=site.now)
        assert await site.states() == {"xiaomi": ENDED, "tesla": ACTIVE}

    async def test_one_click_in_a_mail_whose_article_is_gone_leaves_everything(self, site: Site) -> None:
        alice = (await site.subscribe(slugs=["xiaomi", "tesla"], confirmed=True)).subscriber.id
        await unsubscribe_by_mail(site.db, mail=MailClaims(subscriber_id=alice, article_id=404), now=site.now)
        assert set((await site.states()).values()) == {ENDED}

    async def test_less_often_drops_what_was_to_come_at_once(self, site: Site) -> None:
        alice = (await site.subscribe(confirmed=True)).subscriber.id
        await site.owe_alert(alice, "xiaomi")
        changed = await set_frequency(
            site.db,
            subscriber_id=alice,
            channel_ids=[site.channels["xiaomi"], site.channels["tesla"]],
            frequency=Frequency.DAILY,
            now=site.now,
        )
        assert changed == 1
        assert (await site.held())[0].frequency is Frequency.DAILY
        assert await site.delivery_states() == ["cancelled"]


class TestSuppressed:
    async def test_a_complaint_ends_everything_and_cancels_what_waits(self, site: Site) -> None:
        alice = (await site.subscribe(slugs=["xiaomi"], confirmed=True)).subscriber.id
        await site.subscribe(slugs=["tesla"])
        await site.owe_alert(alice, "xiaomi")
        await site.suppress()
        person, held = (await person_for_manage(site.db, alice)) or pytest.fail("gone")
        assert person.state is SubscriberState.SUPPRESSED
        assert {one.end_reason for one in held} == {EndReason.COMPLAINED}
        assert await site.delivery_states() == ["cancelled", "cancelled"]
        assert (await site.confirm((await site.tokens())[0])).outcome is ConfirmOutcome.EXPIRED

    async def test_nobody_vouches_for_a_suppressed_address(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.suppress()
        with pytest.raises(SuppressedError, match="without --confirmed"):
            await site.subscribe("ALICE@example.com", confirmed=True)
        assert await site.states() == {"xiaomi": ENDED}

    async def test_its_own_new_confirmation_brings_it_back(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.suppress()
        site.now += DAY
        done = await site.subscribe()
        assert done.confirmation_owed
        assert done.subscriber.state is SubscriberState.SUPPRESSED
        await site.confirm((await site.tokens())[-1])
        assert await site.states() == {"xiaomi": ACTIVE}
        assert await site.count("suppressions") == 0
        assert (await site.subscribe(slugs=["tesla"], confirmed=True)).subscriptions[0].state is ACTIVE

    async def test_being_forgotten_does_not_make_an_address_mailable(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.suppress(event=Event.BOUNCED)
        await forget(site.db, address="alice@example.com", now=site.now)
        with pytest.raises(SuppressedError):
            await site.subscribe(confirmed=True)
        assert await site.count("subscribers") == 0
        assert (await site.subscribe()).subscriber.state is SubscriberState.SUPPRESSED

    async def test_a_rotation_of_the_secrets_forgets_no_suppression(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.suppress()
        async with site.db.transaction() as tx:
            await rotate(tx, now=site.now)
        with pytest.raises(SuppressedError):
            await site.subscribe(confirmed=True)

    async def test_a_refused_recipient_is_suppressed_by_the_delivery(self, site: Site) -> None:
        alice = (await site.subscribe(confirmed=True)).subscriber.id
        await site.owe_alert(alice, "xiaomi", state=DeliveryState.FAILED)
        for _ in range(2):
            async with site.db.transaction() as tx:
                (delivery_id,) = (await tx.scalars(select(schema.deliveries.c.id))).all()
                await suppressions.suppress_recipients(tx, delivery_ids=[delivery_id, 404], now=site.now)
        async with site.db.reading() as tx:
            secrets = await load_secrets(tx)
            assert await suppressions.reason_of(tx, "alice@example.com", secrets=secrets) is EndReason.BOUNCED
            assert await suppressions.reason_of(tx, "bob@example.com", secrets=secrets) is None
        assert await site.states() == {"xiaomi": ENDED}

    async def test_nothing_in_a_suppression_leads_to_the_address(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.suppress()
        async with site.db.reading() as tx:
            row = (await tx.execute(select(schema.suppressions))).one()
        assert "alice" not in str(row)


class TestAList:
    async def test_everybody_in_it_is_subscribed_once(self, site: Site) -> None:
        done = await site.listed("alice@example.com", "bob@example.com")
        assert done.subscribed == {"alice@example.com", "bob@example.com"}
        again = await site.listed("alice@example.com", "Carol@example.com")
        assert again.subscribed == {"carol@example.com"}
        assert again.unchanged == {"alice@example.com"}

    async def test_without_the_operators_word_each_is_asked_and_only_once(self, site: Site) -> None:
        first = await site.listed("alice@example.com", "bob@example.com", confirmed=False)
        second = await site.listed("bob@example.com", "carol@example.com", confirmed=False)
        assert first.asked == {"alice@example.com", "bob@example.com"}
        assert second.asked == {"carol@example.com"}
        assert second.unchanged == {"bob@example.com"}
        assert await site.count("deliveries", kind="confirmation") == 3
        for token in await site.tokens():
            assert (await site.confirm(token)).outcome is ConfirmOutcome.CONFIRMED

    @pytest.mark.parametrize("confirmed", [True, False])
    async def test_it_never_brings_back_who_complained_or_left(self, site: Site, *, confirmed: bool) -> None:
        left = (await site.subscribe(confirmed=True)).subscriber.id
        await unsubscribe(site.db, subscriber_id=left, channel_ids=None, now=site.now)
        await site.subscribe("bob@example.com", confirmed=True)
        await site.suppress("bob@example.com")
        done = await site.listed("alice@example.com", "bob@example.com", "carol@example.com", confirmed=confirmed)
        assert done.refused == {"alice@example.com": Refusal.LEFT, "bob@example.com": Refusal.SUPPRESSED}
        assert await site.states("alice@example.com") == {"xiaomi": ENDED}
        assert await site.states("bob@example.com") == {"xiaomi": ENDED}
        assert await site.states("carol@example.com") == {"xiaomi": ACTIVE if confirmed else PENDING}

    async def test_it_takes_who_never_confirmed_before(self, site: Site) -> None:
        await site.subscribe()
        site.now += 3 * DAY
        await expire_pending(site.db, now=site.now)
        assert (await site.listed("alice@example.com")).subscribed == {"alice@example.com"}
        (held,) = await site.held()
        assert (held.state, held.ended_at, held.end_reason) == (ACTIVE, None, None)

    async def test_an_empty_batch_is_fine(self, site: Site) -> None:
        assert (await site.listed()).subscribed == frozenset()


class TestForgetting:
    async def test_nothing_of_the_person_stays_but_nameless_numbers(self, site: Site) -> None:
        alice = (await site.subscribe(confirmed=True, name="Alice Liu")).subscriber.id
        await site.subscribe(slugs=["tesla"])
        await site.owe_alert(alice, "xiaomi", state=DeliveryState.FAILED)
        async with site.db.transaction() as tx:
            await tx.execute(update(schema.deliveries).values(reply="550 5.1.1 <alice@example.com> unknown"))
        done = await forget(site.db, address="ALICE@example.com", now=site.now)
        assert (done.subscriptions, done.cancelled) == (2, 1)
        async with site.db.reading() as tx:
            for table in schema.metadata.sorted_tables:
                assert "alice" not in str((await tx.execute(select(table))).all()).lower(), table.name
        assert await site.delivery_states() == ["cancelled", "failed"]

    async def test_the_number_of_a_forgotten_person_is_never_given_out_again(self, site: Site) -> None:
        first = (await site.subscribe(confirmed=True)).subscriber.id
        await forget(site.db, address="alice@example.com", now=site.now)
        assert (await site.subscribe("bob@example.com", confirmed=True)).subscriber.id != first

    async def test_who_is_not_there_cannot_be_forgotten(self, site: Site) -> None:
        with pytest.raises(NotFoundError, match=r"no subscriber mallory@example\.com"):
            await forget(site.db, address="mallory@example.com", now=site.now)


class TestExpiring:
    async def test_what_nobody_confirmed_ends_after_48_hours_and_is_gone_within_7_days(self, site: Site) -> None:
        await site.subscribe()
        assert (await expire_pending(site.db, now=site.now + 47 * HOUR)).ended == 0
        assert (await expire_pending(site.db, now=site.now + 48 * HOUR)).ended == 1
        (held,) = await site.held()
        assert held.end_reason is EndReason.EXPIRED
        done = await expire_pending(site.db, now=site.now + 6 * DAY + HOUR)
        assert done.purged == 1
        for table in ("subscribers", "subscriptions", "confirmations"):
            assert await site.count(table) == 0
        assert await site.delivery_states() == ["cancelled"]

    async def test_a_person_who_confirmed_once_stays_and_only_the_request_goes(self, site: Site) -> None:
        await site.subscribe(confirmed=True)
        await site.subscribe(slugs=["tesla"])
        for days in (3, 7):
            done = await expire_pending(site.db, now=site.now + days * DAY)
            assert done.purged == 0
        assert await site.states() == {"xiaomi": ACTIVE}

    async def test_a_newer_request_keeps_the_person(self, site: Site) -> None:
        await site.subscribe()
        site.now += 6 * DAY
        await site.subscribe()
        await expire_pending(site.db, now=site.now + HOUR)
        assert await site.states() == {"xiaomi": PENDING}
        assert (await site.confirm((await site.tokens())[-1])).outcome is ConfirmOutcome.CONFIRMED

    async def test_more_than_a_batch_goes_too(self, site: Site) -> None:
        await site.listed(*(f"reader{number}@example.com" for number in range(1_001)), confirmed=False)
        assert (await expire_pending(site.db, now=site.now + 2 * DAY)).ended == 1_001
        assert (await expire_pending(site.db, now=site.now + 7 * DAY)).purged == 1_001


class TestLooking:
    async def test_everybody_is_listed_page_by_page(self, site: Site) -> None:
        await site.listed(*(f"reader{number}@example.com" for number in range(1_001)))
        seen = [(person.email, len(held)) async for person, held in each_person(site.db)]
        assert len(set(seen)) == 1_001
        assert {count for _, count in seen} == {1}

    async def test_an_unknown_person_is_nobody(self, site: Site) -> None:
        assert await person_for_manage(site.db, 404) is None
        assert await person_by_address(site.db, "nobody@example.com") is None
        assert [one async for one in each_person(site.db)] == []

    async def test_a_confirmation_is_owed_once(self, site: Site) -> None:
        for _ in range(2):
            async with site.db.transaction() as tx:
                await owe_confirmation(tx, subscriber_id=1, confirmation_id=9, now=site.now)
        assert await site.count("deliveries", confirmation_id=9) == 1
