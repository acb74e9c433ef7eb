"""Why an article went to whom: one sentence for every way in which it did or did not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import Update, update

from alerts.core.domains import Breaker, BreakerState
from alerts.core.errors import AddressError, NotFoundError
from alerts.core.model import Article, DeliveryState, Lane
from alerts.core.subscriptions import Event
from alerts.services.explain import Explanation, Person, explain_article
from alerts.services.fan_out import fan_out
from alerts.services.unsubscribe import unsubscribe
from alerts.storage import schema
from alerts.storage.articles import article_by_id
from alerts.storage.breakers import keep_breakers
from alerts.storage.engine import Database
from alerts.storage.owed import owe_confirmation
from alerts.storage.secrets import load_secrets
from alerts.storage.subscribers import lock_subscribers
from alerts.storage.suppressions import suppress

ALICE = "reader1@example.org"


@pytest.fixture
def world(db: Database, now: datetime) -> World:
    return World(db, now)


async def explain(
    world: World, article_id: int, *, email: str | None = ALICE, slug: str | None = None, stored: bool = True
) -> Explanation:
    return await explain_article(
        world.db, await stored_article(world, article_id), slug=slug, email=email, stored=stored
    )


async def stored_article(world: World, article_id: int) -> Article:
    async with world.db.reading() as tx:
        article = await article_by_id(tx, article_id)
    assert article is not None
    return article


async def why(world: World, article_id: int, *, stored: bool = True) -> str:
    person = (await explain(world, article_id, stored=stored)).person
    assert person is not None
    return person.why


async def change(world: World, statement: Update) -> None:
    async with world.db.transaction() as tx:
        await tx.execute(statement)


async def test_each_channel_says_yes_or_no_with_reasons(world: World) -> None:
    await world.channel()
    await world.channel("tesla", "about:Tesla")
    await world.channel("broken", "((")
    found = await explain(world, await world.article(await world.source()), email=None)
    assert [(it.channel.slug, it.matched) for it in found.answers] == [
        ("broken", False),
        ("tesla", False),
        ("xiaomi", True),
    ]
    broken, tesla, xiaomi = found.answers
    assert "cannot be read" in broken.why
    assert tesla.hits == ()
    assert [hit.zone for hit in xiaomi.hits] == ["title"]
    assert xiaomi.why == "about:Xiaomi 0.80 ≥ 0.50 (title 0.80)"
    assert found.person is None


async def test_one_channel_can_be_asked_retired_or_not(world: World) -> None:
    channel = await world.channel()
    await world.channel("tesla", "about:Tesla")
    article = await world.article(await world.source())
    assert [it.channel.slug for it in (await explain(world, article, slug="xiaomi")).answers] == ["xiaomi"]
    await change(world, update(schema.channels).where(schema.channels.c.id == channel).values(state="retired"))
    (answer,) = (await explain(world, article, slug="xiaomi")).answers
    assert not answer.matched
    assert "retired" in answer.why
    with pytest.raises(NotFoundError, match='no channel "nio"'):
        await explain(world, article, slug="nio")


async def test_a_delivery_is_the_whole_answer(world: World) -> None:
    channel = await world.channel()
    await world.readers(1, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    assert await why(world, article) == "no mail: its fan-out is still under way"
    await fan_out(world.db, article, now=world.now)
    person = (await explain(world, article)).person
    assert person is not None
    assert person.delivery is not None
    assert person.delivery.state is DeliveryState.PENDING
    assert person.why == f"delivery {person.delivery.delivery_id} is pending"
    await change(world, update(schema.deliveries).values(state="sent", reply="250 2.0.0 Ok", finished_at=world.now))
    assert (await why(world, article)).endswith("is sent: 250 2.0.0 Ok")


async def test_a_file_would_be_mailed(world: World) -> None:
    await world.readers(1, (await world.channel(),))
    article = await world.article(await world.source())
    assert await why(world, article, stored=False) == "would get it: the article is not stored"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"matched_at": None}, "the article still waits to be matched"),
        ({"set_aside": "matching failed"}, "the article was set aside: matching failed"),
        ({"disposition": "seen"}, "it was there when its source was first polled"),
        ({"disposition": "stale"}, "it was older than its source's max_age"),
    ],
)
async def test_what_stopped_an_article_is_said(world: World, values: dict[str, object], says: str) -> None:
    channel = await world.channel()
    await world.readers(1, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    await change(world, update(schema.articles).values(**values))
    assert (await why(world, article)).startswith(f"no mail: {says}")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"state": "pending", "activated_at": None}, "the subscription is pending"),
        ({"state": "ended"}, "the subscription is ended"),
        ({"frequency": "daily"}, "the subscription is daily"),
        ({"activated_at": datetime.fromisoformat("2026-01-05T13:00:00Z")}, "the subscription began after"),
    ],
)
async def test_what_stopped_a_subscription_is_said(world: World, values: dict[str, object], says: str) -> None:
    channel = await world.channel()
    await world.readers(1, (channel,))
    article = await world.article(await world.source(), channels=(channel,))
    await change(world, update(schema.subscriptions).values(**values))
    assert (await why(world, article)).startswith(f"no mail: {says}")


async def test_who_is_not_subscribed_gets_nothing(world: World) -> None:
    channel, other = await world.channel(), await world.channel("tesla", "about:Tesla")
    article = await world.article(await world.source(), channels=(channel,))
    assert await why(world, article) == "no mail: nobody has subscribed with this address"
    await world.readers(1, (other,))
    assert await why(world, article) == "no mail: no subscription to a channel that the article answers"
    await change(world, update(schema.subscribers).values(state="suppressed"))
    assert "suppressed" in await why(world, article)


async def test_what_the_queries_said_when_it_was_matched_counts(world: World) -> None:
    channel = await world.channel()
    await world.readers(1, (channel,))
    article = await world.article(await world.source())
    await change(world, update(schema.articles).values(matched_at=world.now + timedelta(hours=1)))
    assert await why(world, article) == "no mail: when the article was matched, no channel answered"


async def test_a_fan_out_that_is_over_passed_this_person_by(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await change(world, update(schema.fan_outs).values(finished_at=world.now))
    await world.readers(1, (channel,))
    assert await why(world, article) == "no mail: its fan-out is over"


async def person_of(world: World, article_id: int) -> Person:
    person = (await explain(world, article_id, slug="xiaomi")).person
    assert person is not None
    return person


async def test_each_hit_is_quoted_from_the_text_as_written(world: World) -> None:
    await world.channel(query="title:XIAOMI plant")
    (answer,) = (await explain(world, await world.article(await world.source()))).answers
    assert [(one.zone, str(one)) for one in answer.quotes] == [
        ("title", "[Xiaomi] opens a plant"),
        ("title", "Xiaomi opens a [plant]"),
    ]


async def test_one_mail_names_all_channels_that_it_was_for(world: World) -> None:
    xiaomi, plants, daily = (
        await world.channel(),
        await world.channel("plants", "plant"),
        await world.channel("d", "plant"),
    )
    article = await world.article(await world.source(), channels=(xiaomi, plants, daily))
    (alice,) = await world.readers(1, (xiaomi, plants, daily))
    of_daily = (schema.subscriptions.c.subscriber_id == alice) & (schema.subscriptions.c.channel_id == daily)
    await change(world, update(schema.subscriptions).where(of_daily).values(frequency="daily"))
    assert (await person_of(world, article)).named == ()
    await fan_out(world.db, article, now=world.now)
    person = await person_of(world, article)
    assert set(person.named) == {"xiaomi", "plants"}
    assert person.limits == ("frequency: d is daily, not mailed at once",)
    sent = update(schema.deliveries).values(
        state="sent", reply="250 Ok", relay="smtp://relay.example", finished_at=world.now
    )
    await change(world, sent)
    left_at = world.now + timedelta(hours=1)
    of_plants = (schema.subscriptions.c.subscriber_id == alice) & (schema.subscriptions.c.channel_id == plants)
    await change(world, update(schema.subscriptions).where(of_plants).values(state="ended", ended_at=left_at))
    assert set((await person_of(world, article)).named) == {"xiaomi", "plants"}, "it named them when it went out"
    await change(world, update(schema.subscriptions).where(of_plants).values(ended_at=world.now - timedelta(hours=1)))
    assert (await person_of(world, article)).named == ("xiaomi",)


async def test_the_queue_and_the_reply_are_shown(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    await fan_out(world.db, article, now=world.now)
    claimed = {"state": "claimed", "claim": "c", "worker_id": "node-1", "lease_until": world.now, "attempts": 2}
    await change(world, update(schema.deliveries).values(**claimed))
    trace = (await person_of(world, article)).delivery
    assert trace is not None
    assert (trace.worker, trace.lease_until, trace.attempts, trace.lane) == ("node-1", world.now, 2, Lane.IMMEDIATE)
    done = {"state": "sent", "reply": "250 Ok", "relay": "smtp://relay.example", "finished_at": world.now}
    await change(world, update(schema.deliveries).values(**done))
    trace = (await person_of(world, article)).delivery
    assert trace is not None
    assert (trace.worker, trace.reply, trace.relay) == (None, "250 Ok", "smtp://relay.example")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"state": "pending", "attempts": 2, "reply": "451 4.7.1 later"},
            "pending: deferred, tried again {}: 451 4.7.1",
        ),
        ({"state": "pending", "attempts": 1}, "pending: deferred, tried again {}: no reply"),
        (
            {"state": "expired", "reply": "451 4.2.2 full"},
            "expired: no server took it in time; the last reply: 451 4.2.2",
        ),
        ({"state": "failed", "reply": "550 5.1.1 unknown"}, "failed: 550 5.1.1 unknown"),
        (
            {"state": "failed", "reply": "set aside after 3 faults: KeyError"},
            "failed: set aside after 3 faults: KeyError",
        ),
        ({"state": "cancelled"}, "cancelled: it was no longer wanted before its turn came"),
    ],
)
async def test_each_end_of_a_mail_says_why(world: World, values: dict[str, object], says: str) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    await fan_out(world.db, article, now=world.now)
    due_at = world.now + timedelta(minutes=10)
    await change(world, update(schema.deliveries).values(due_at=due_at, **values))
    told = (await why(world, article)).partition(" is ")[2]
    assert told.startswith(says.format(f"{due_at:%Y-%m-%d %H:%M} UTC"))


async def test_a_mail_that_was_dropped_says_what_the_person_did(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    (alice,) = await world.readers(1, (channel,))
    await fan_out(world.db, article, now=world.now)
    await unsubscribe(world.db, subscriber_id=alice, channel_ids=[channel], now=world.now)
    assert (await why(world, article)).endswith(
        "is cancelled: the subscription is ended: unsubscribed 2026-01-05 12:00 UTC"
    )


async def test_a_query_that_was_edited_since_is_told_apart_from_a_fan_out(world: World) -> None:
    tesla, xiaomi = await world.channel("tesla", "about:Tesla"), await world.channel()
    article = await world.article(await world.source(), channels=(tesla,))
    await world.readers(1, (xiaomi,))
    assert await why(world, article) == (
        "no mail: xiaomi did not answer when the article was matched; its query changed since"
    )


async def test_a_pause_is_an_obstacle_while_it_lasts(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    until = world.now + timedelta(days=2)
    await change(world, update(schema.subscribers).values(paused_until_at=until))
    person = await person_of(world, article)
    assert person.why == "no mail: alerts are paused until 2026-01-07 12:00 UTC, by the person's own wish"
    assert person.limits == ("paused: no alerts before 2026-01-07 12:00 UTC, by the person's own wish",)
    await change(world, update(schema.subscribers).values(paused_until_at=world.now - timedelta(days=2)))
    assert "paused" not in await why(world, article)


async def test_a_suppression_says_what_it_is_for(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    async with world.db.transaction() as tx:
        people = list((await lock_subscribers(tx, [ALICE])).values())
        await suppress(tx, people, Event.BOUNCED, secrets=await load_secrets(tx), now=world.now)
    person = await person_of(world, article)
    assert "suppressed" in person.why
    assert person.limits == ("suppressed: the address bounced; it is never mailed again",)


@pytest.mark.parametrize("disposition", ["seen", "stale"])
async def test_what_the_article_came_too_late_for_is_a_limit(world: World, disposition: str) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    await change(world, update(schema.articles).values(disposition=disposition))
    (limit,) = (await person_of(world, article)).limits
    assert limit.startswith({"seen": "first poll: ", "stale": "max_age: "}[disposition])


async def test_a_confirmation_that_waits_is_a_limit(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    (alice,) = await world.readers(1, (channel,))
    await change(world, update(schema.subscriptions).values(state="pending", activated_at=None))
    assert "budgets were spent" in (await person_of(world, article)).limits[0]
    async with world.db.transaction() as tx:
        await owe_confirmation(tx, subscriber_id=alice, confirmation_id=1, now=world.now)
    assert (await person_of(world, article)).limits == (
        "confirmation: not given yet; the mail that asks for it is pending",
    )
    await change(world, update(schema.deliveries).values(state="failed", reply="550 No", finished_at=world.now))
    assert (await person_of(world, article)).limits[0].endswith("is failed (550 No)")


async def test_a_domain_that_refuses_us_is_a_limit(world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    await world.readers(1, (channel,))
    breaker = Breaker(
        domain="example.org",
        state=BreakerState.OPEN,
        reason="550 5.7.1 no",
        opened_at=world.now,
        probe_at=world.now,
        times=1,
    )
    async with world.db.transaction() as tx:
        await keep_breakers(tx, {"example.org": breaker})
    assert (await person_of(world, article)).limits == (
        "breaker: example.org refuses us (550 5.7.1 no); tried again 2026-01-05 12:00 UTC",
    )


async def test_what_is_no_address_is_refused(world: World) -> None:
    with pytest.raises(AddressError):
        await explain(world, await world.article(await world.source()), email="nobody")
