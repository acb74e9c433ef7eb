"""What an unsubscribe link may end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.leaving import THESE, Choice, Former, Leaver, MailClaims, leaver, read_leaving
from alerts.core.model import Frequency, Subscriber, SubscriberState, Subscription, SubscriptionState
from alerts.core.tokens import Purpose, Secrets, sign

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRETS = Secrets(((1, b"s" * 32),))
SLUGS = ("xiaomi", "tesla", "byd")
ALERT = MailClaims(subscriber_id=7, article_id=3)
WELCOME = MailClaims(subscriber_id=7, confirmation_id=3)
ALICE = Subscriber(
    id=7, email="alice@reader.example", state=SubscriberState.ACTIVE, name=None, language=None, time_zone=None,
    created_at=NOON, confirmed_at=NOON, paused_until_at=None,
)  # fmt: skip


def holds(channel: int, since: datetime, state: SubscriptionState = SubscriptionState.ACTIVE) -> Subscription:
    return Subscription(
        id=channel, subscriber_id=7, channel_id=channel, channel_slug=SLUGS[channel - 1], channel_name="", state=state,
        frequency=Frequency.IMMEDIATE, created_at=since, activated_at=since, ended_at=None, end_reason=None,
    )  # fmt: skip


HELD = (holds(1, NOON), holds(2, NOON, SubscriptionState.ENDED), holds(3, NOON + 2 * DAY))


def alice(
    answered: dict[int, datetime], mail: MailClaims = ALERT, former: Former | None = None, person: Subscriber = ALICE
) -> Leaver:
    return leaver(mail, person, HELD, former=former, answered=answered)


def slugs(who: Leaver, choice: Choice = THESE) -> list[str]:
    return [one.channel_slug for one in who.chosen(choice)]


@pytest.mark.parametrize(
    ("purpose", "claims"),
    [
        (Purpose.UNSUBSCRIBE, MailClaims(subscriber_id=7, article_id=9)),
        (Purpose.UNSUBSCRIBE_DIGEST, MailClaims(subscriber_id=7, digest_run_id=9)),
        (Purpose.UNSUBSCRIBE_WELCOME, MailClaims(subscriber_id=7, confirmation_id=9)),
        (Purpose.MANAGE, MailClaims(subscriber_id=0)),
    ],
)
def test_a_token_says_which_mail_it_came_with(purpose: Purpose, claims: MailClaims) -> None:
    assert read_leaving(sign(purpose, 7, 9, SECRETS), SECRETS) == claims


def test_a_mail_named_what_it_could_name_and_one_followed_by_then() -> None:
    who = alice({1: NOON + DAY, 2: NOON + DAY, 3: NOON + DAY})
    assert slugs(who) == ["xiaomi", "tesla"]
    assert who.channels_to_leave(THESE) == [1, 2]
    assert [one.channel_slug for one in who.still_held] == ["xiaomi", "byd"]


def test_one_channel_or_everything_can_be_chosen() -> None:
    who = alice({1: NOON})
    assert slugs(who, Choice(slug="byd")) == ["byd"]
    assert who.channels_to_leave(Choice(slug="byd")) == [3]
    assert who.channels_to_leave(Choice(slug="nobody")) == []
    assert slugs(who, Choice(everything=True)) == list(SLUGS)
    assert who.channels_to_leave(Choice(everything=True)) is None


def test_a_mail_that_can_no_longer_say_what_it_named_is_about_everything() -> None:
    assert slugs(alice({})) == list(SLUGS)
    assert alice({}).channels_to_leave(THESE) is None


def test_a_welcome_whose_request_is_purged_is_about_what_was_asked_for_by_then() -> None:
    assert slugs(alice({}, WELCOME)) == ["xiaomi", "tesla"]
    unconfirmed = Subscriber(
        id=7, email="", state=SubscriberState.PENDING, name=None, language=None, time_zone=None,
        created_at=NOON, confirmed_at=None, paused_until_at=None,
    )  # fmt: skip
    assert slugs(alice({}, WELCOME, person=unconfirmed)) == list(SLUGS)


def test_a_mailbox_that_was_given_up_reaches_what_it_was_mailed_about_and_no_more() -> None:
    """The other row followed 1 and 3; what this one followed since when is what counts."""
    former = Former(subscriber_id=7, since={2: NOON - DAY, 3: NOON - DAY})
    who = alice({1: NOON, 3: NOON}, former=former)
    assert who.moved
    assert slugs(who) == ["byd"]
    assert slugs(who, Choice(slug="xiaomi")) == []
    everything = Choice(everything=True)
    assert (slugs(who, everything), who.channels_to_leave(everything)) == (["tesla", "byd"], [2, 3])
    assert alice({}, former=former).channels_to_leave(THESE) == [2, 3]
    assert alice({}, WELCOME, former=former).channels_to_leave(THESE) == [2, 3]


def test_a_link_of_nobody_ends_nothing_that_is_anybody_s() -> None:
    who = leaver(ALERT, None, HELD, former=None, answered={1: NOON})
    assert (who.subscriber, who.held, who.named) == (None, (), ())
