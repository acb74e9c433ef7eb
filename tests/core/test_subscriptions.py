"""The life of a subscription: every state by every event, and what a request may change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import EndReason, Frequency, SubscriberState, Subscription, SubscriptionState
from alerts.core.subscriptions import (
    CONFIRMATION_LIFETIME,
    ENDINGS,
    PURGE_AFTER,
    TRANSITIONS,
    Change,
    Event,
    Refusal,
    after,
    ask,
    may_be_described_by,
    refusal_of_import,
    states_left_by,
)

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PENDING, ACTIVE, ENDED = SubscriptionState.PENDING, SubscriptionState.ACTIVE, SubscriptionState.ENDED
ends = st.sampled_from(sorted(ENDINGS))
events = st.sampled_from(Event)
anything = st.sampled_from([None, *SubscriptionState])


def held(
    state: SubscriptionState, frequency: Frequency = Frequency.IMMEDIATE, end_reason: EndReason | None = None
) -> Subscription:
    return Subscription(
        id=1,
        subscriber_id=7,
        channel_id=3,
        channel_slug="xiaomi",
        channel_name="Xiaomi",
        state=state,
        frequency=frequency,
        created_at=NOON,
        end_reason=end_reason,
    )


def change(state: SubscriptionState, frequency: Frequency, *, starts: bool) -> Change:
    return Change(subscriber_id=7, channel_id=3, state=state, frequency=frequency, starts=starts)


def asked(event: Event, before: Subscription | None, frequency: Frequency | None = None) -> Change | None:
    return ask(event, subscriber_id=7, channel_id=3, before=before, frequency=frequency)


def test_a_request_waits_for_its_confirmation_and_a_vouched_one_does_not() -> None:
    assert after(None, Event.REQUESTED) is PENDING
    assert after(PENDING, Event.CONFIRMED) is ACTIVE
    assert after(None, Event.VOUCHED) is ACTIVE


def test_a_new_request_never_unconfirms() -> None:
    assert after(ACTIVE, Event.REQUESTED) is ACTIVE


def test_what_ended_begins_again_by_a_new_request() -> None:
    assert after(ENDED, Event.REQUESTED) is PENDING


def test_only_what_waits_can_expire() -> None:
    assert states_left_by(Event.EXPIRED) == (PENDING,)


@given(anything, events)
def test_every_state_has_an_answer_to_every_event(state: SubscriptionState | None, event: Event) -> None:
    assert after(state, event) in {None, *SubscriptionState}
    begins = {Event.REQUESTED, Event.VOUCHED, Event.CHOSEN}
    assert (after(state, event) is None) == (state is None and event not in begins)


@given(anything, events)
def test_the_same_event_twice_is_the_same_as_once(state: SubscriptionState | None, event: Event) -> None:
    assert after(after(state, event), event) == after(state, event)


@given(ends)
def test_an_ending_leaves_nothing_active_but_what_cannot_expire(event: Event) -> None:
    assert ACTIVE in states_left_by(event) or event is Event.EXPIRED
    assert ENDED not in states_left_by(event)


@given(st.lists(events, max_size=12))
def test_nothing_becomes_active_without_the_persons_or_the_operators_word(happened: list[Event]) -> None:
    state: SubscriptionState | None = None
    for event in happened:
        state = after(state, event)
    words = {Event.CONFIRMED, Event.VOUCHED, Event.CHOSEN, Event.UNDONE}  # what never was active has nothing to undo
    assert state is not ACTIVE or words & set(happened)


def test_an_undo_brings_back_only_what_ended() -> None:
    assert states_left_by(Event.UNDONE) == (ENDED,)
    assert after(None, Event.UNDONE) is None


def test_every_ending_has_its_reason_and_no_transition_is_idle() -> None:
    assert {event for (_, event), to in TRANSITIONS.items() if to is ENDED} == set(ENDINGS)
    assert set(ENDINGS.values()) == set(EndReason)
    assert all(before is not to for (before, _), to in TRANSITIONS.items())


def test_a_purge_never_takes_what_can_still_be_confirmed() -> None:
    assert CONFIRMATION_LIFETIME < PURGE_AFTER < timedelta(days=7)


@pytest.mark.parametrize(
    ("event", "before", "frequency", "expected"),
    [
        (Event.REQUESTED, None, None, change(PENDING, Frequency.IMMEDIATE, starts=False)),
        (Event.REQUESTED, None, Frequency.DAILY, change(PENDING, Frequency.DAILY, starts=False)),
        (Event.VOUCHED, None, Frequency.WEEKLY, change(ACTIVE, Frequency.WEEKLY, starts=True)),
        (Event.REQUESTED, held(PENDING), None, None),
        (Event.REQUESTED, held(PENDING), Frequency.DAILY, change(PENDING, Frequency.DAILY, starts=False)),
        (Event.REQUESTED, held(ACTIVE), Frequency.DAILY, None),  # Mallory typed Alice's address
        (Event.VOUCHED, held(ACTIVE), Frequency.DAILY, change(ACTIVE, Frequency.DAILY, starts=False)),
        (Event.VOUCHED, held(ACTIVE, Frequency.DAILY), None, None),
        (Event.VOUCHED, held(PENDING, Frequency.DAILY), None, change(ACTIVE, Frequency.DAILY, starts=True)),
        (Event.VOUCHED, held(ENDED), None, change(ACTIVE, Frequency.IMMEDIATE, starts=True)),
        (Event.REQUESTED, held(ENDED), None, change(PENDING, Frequency.IMMEDIATE, starts=False)),
        (Event.UNSUBSCRIBED, None, None, None),
    ],
)
def test_asking_changes_only_what_the_asker_may(
    event: Event, before: Subscription | None, frequency: Frequency | None, expected: Change | None
) -> None:
    assert asked(event, before, frequency) == expected


@pytest.mark.parametrize(
    ("before", "refusal"),
    [
        (None, None),
        (held(PENDING), None),
        (held(ACTIVE), None),
        (held(ENDED, end_reason=EndReason.EXPIRED), None),
        (held(ENDED, end_reason=EndReason.UNSUBSCRIBED), Refusal.LEFT),
        (held(ENDED, end_reason=EndReason.COMPLAINED), Refusal.LEFT),
    ],
)
def test_a_list_does_not_bring_back_who_left(before: Subscription | None, refusal: Refusal | None) -> None:
    assert refusal_of_import(before) is refusal


def test_who_is_confirmed_is_described_by_nobody_else() -> None:
    assert may_be_described_by(Event.REQUESTED, SubscriberState.PENDING)
    assert not may_be_described_by(Event.REQUESTED, SubscriberState.ACTIVE)
    assert may_be_described_by(Event.VOUCHED, SubscriberState.ACTIVE)
