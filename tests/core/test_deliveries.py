from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.deliveries import (
    LANES,
    LIFETIMES,
    TRANSITIONS,
    Dropped,
    Fault,
    InDoubt,
    Outcome,
    Reply,
    Result,
    Stage,
    Untried,
    Verdict,
    cancelled,
    expires_at,
    outcome,
    put_off,
    retry_at,
    verdict,
)
from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def standing(*, attempts: int = 0, faults: int = 0, in_doubt: bool = False, dated_at: datetime = NOON) -> Delivery:
    return Delivery(
        id=1,
        kind=DeliveryKind.ALERT,
        lane=Lane.IMMEDIATE,
        subscriber_id=1,
        article_id=1,
        confirmation_id=None,
        digest_run_id=None,
        state=DeliveryState.CLAIMED,
        dated_at=dated_at,
        due_at=NOON,
        attempts=attempts,
        faults=faults,
        in_doubt=in_doubt,
    )


def after(result: Result, *, attempts: int = 0, faults: int = 0, in_doubt: bool = False) -> Outcome:
    return outcome(result, standing(attempts=attempts, faults=faults, in_doubt=in_doubt), now=NOON, jitter=0.0)


@pytest.mark.parametrize(
    ("code", "text", "stage", "said"),
    [
        (250, "2.0.0 Ok", Stage.BODY, Verdict.TAKEN),
        (250, "2.1.0 Ok", Stage.RCPT, Verdict.LATER),
        (450, "4.2.1 greylisted", Stage.RCPT, Verdict.LATER),
        (421, "4.7.0 too busy", Stage.BODY, Verdict.LATER),
        (550, "5.1.1 no such user", Stage.RCPT, Verdict.HARD),
        (550, "5.1.10 null MX", Stage.RCPT, Verdict.HARD),
        (550, "5.2.1 disabled", Stage.BODY, Verdict.HARD),
        (552, "5.2.2 over quota", Stage.RCPT, Verdict.LATER),
        (552, "no room", Stage.RCPT, Verdict.LATER),
        (550, "5.7.26 unauthenticated", Stage.BODY, Verdict.OURS),
        (552, "5.3.4 too big", Stage.BODY, Verdict.OURS),
        (554, "5.4.6 loop", Stage.BODY, Verdict.OURS),
        (550, "5.3.2 closed", Stage.RCPT, Verdict.REFUSED),
        (550, "no such user", Stage.RCPT, Verdict.REFUSED),
        (554, "spam", Stage.BODY, Verdict.REFUSED),
        (550, "5.1.1 sender unknown", Stage.MAIL, Verdict.OURS),
        (535, "5.7.8 bad login", Stage.MAIL, Verdict.RELAY),
        (530, "5.7.0 log in first", Stage.RCPT, Verdict.RELAY),
        (999, "?", Stage.BODY, Verdict.LATER),
        (550, "4.1.1 of another class", Stage.RCPT, Verdict.REFUSED),
    ],
)
def test_a_reply_says_what_to_do_and_whose_fault_it_is(code: int, text: str, stage: Stage, said: Verdict) -> None:
    assert verdict(Reply(code=code, text=text, stage=stage)) is said


@given(st.integers(-10, 1200), st.text(), st.sampled_from(Stage))
def test_every_reply_has_a_verdict_and_a_bounded_text(code: int, text: str, stage: Stage) -> None:
    reply = Reply(code=code, text=text, stage=stage)
    assert verdict(reply) in Verdict
    assert len(str(reply)) <= 400


@given(st.text(st.characters(exclude_categories=[])), st.sampled_from([Dropped, InDoubt, Untried, Fault]))
def test_what_a_stranger_said_is_kept_as_one_line_that_any_database_takes(
    text: str, kind: type[Dropped | InDoubt | Untried | Fault]
) -> None:
    for result in (kind(reason=text), Reply(code=450, text=text, stage=Stage.RCPT)):
        kept = after(result).reply or ""
        assert kept.encode("utf-8").decode("utf-8") == kept
        assert kept.isprintable()
        assert len(kept) <= 400


def test_a_taken_mail_is_sent() -> None:
    done = after(Reply(code=250, text="2.0.0 queued", stage=Stage.BODY))
    assert (done.state, done.attempts, done.finished) == (DeliveryState.SENT, 1, True)


def test_no_such_user_at_rcpt_fails_and_suppresses() -> None:
    done = after(Reply(code=550, text="5.1.1 no such user", stage=Stage.RCPT))
    assert (done.state, done.suppress) == (DeliveryState.FAILED, True)


@pytest.mark.parametrize(
    ("text", "stage"), [("5.1.1 no such user", Stage.BODY), ("5.1.2 bad domain", Stage.RCPT), ("gone", Stage.RCPT)]
)
def test_what_is_less_than_an_explicit_no_such_user_suppresses_nobody(text: str, stage: Stage) -> None:
    assert not after(Reply(code=550, text=text, stage=stage)).suppress


def test_a_policy_refusal_is_tried_again_and_suppresses_nobody() -> None:
    done = after(Reply(code=550, text="5.7.26 unauthenticated", stage=Stage.BODY))
    assert (done.state, done.suppress, done.due_at) == (DeliveryState.PENDING, False, NOON + timedelta(minutes=5))


def test_a_condemned_relay_costs_the_recipient_nothing() -> None:
    done = after(Reply(code=535, text="bad login", stage=Stage.MAIL), attempts=2)
    assert (done.state, done.attempts, done.due_at) == (DeliveryState.PENDING, 2, NOON)


def test_an_untried_mail_goes_back_as_it_was() -> None:
    done = after(Untried(reason="the relay closed"), attempts=3)
    assert (done.state, done.attempts, done.due_at, done.reply) == (DeliveryState.PENDING, 3, NOON, None)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 70), (6, 70), (99, 70)]
)
def test_the_waits_between_tries_grow_by_the_rule(attempts: int, minutes: int) -> None:
    assert retry_at(attempts, now=NOON, jitter=0.0) == NOON + timedelta(minutes=minutes)


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_jitter_delays_by_a_fifth_at_most_and_never_hastens(attempts: int, jitter: float) -> None:
    wait = retry_at(attempts, now=NOON, jitter=jitter) - NOON
    plain = retry_at(attempts, now=NOON, jitter=0) - NOON
    assert plain <= wait <= plain * 1.2


def test_a_mail_that_would_come_too_late_expires() -> None:
    old = standing(attempts=40, dated_at=NOON - timedelta(hours=47))
    done = outcome(Dropped(reason="reset"), old, now=NOON, jitter=0.0)
    assert (done.state, done.finished) == (DeliveryState.EXPIRED, True)


def test_a_mail_in_doubt_is_tried_once_more_after_five_minutes() -> None:
    first = after(InDoubt(reason="drop after the dot"))
    assert (first.state, first.in_doubt, first.due_at) == (DeliveryState.PENDING, True, NOON + timedelta(minutes=5))
    second = after(InDoubt(reason="drop after the dot"), in_doubt=True, attempts=1)
    assert (second.state, second.finished) == (DeliveryState.FAILED, True)


def test_the_third_fault_of_our_own_sets_a_mail_aside() -> None:
    first = after(Fault(reason="KeyError"))
    assert (first.state, first.faults, first.attempts) == (DeliveryState.PENDING, 1, 0)
    third = after(Fault(reason="KeyError"), faults=2)
    assert (third.state, third.faults) == (DeliveryState.FAILED, 3)
    assert "set aside" in (third.reply or "")


def test_every_kind_of_delivery_has_a_lane_and_a_life() -> None:
    assert set(LANES) == set(LIFETIMES) == set(DeliveryKind)
    assert expires_at(DeliveryKind.CONFIRMATION, NOON) == NOON + timedelta(hours=24)


@given(
    st.one_of(
        st.builds(Reply, code=st.integers(0, 700), text=st.text(max_size=60), stage=st.sampled_from(Stage)),
        st.builds(Dropped, reason=st.text(max_size=9)),
        st.builds(InDoubt, reason=st.text(max_size=9)),
        st.builds(Untried, reason=st.text(max_size=9)),
        st.builds(Fault, reason=st.text(max_size=9)),
    ),
    st.integers(0, 60),
    st.booleans(),
)
def test_every_result_leads_along_a_transition_of_the_claimed_state(
    result: Result, attempts: int, in_doubt: bool
) -> None:
    done = after(result, attempts=attempts, in_doubt=in_doubt)
    assert done.state in TRANSITIONS[DeliveryState.CLAIMED]
    assert done.finished == (done.state is not DeliveryState.PENDING)
    assert done.attempts in {attempts, attempts + 1}


def test_what_nobody_wants_any_more_ends_and_says_so() -> None:
    decided = cancelled(standing(attempts=2, in_doubt=True))
    assert (decided.state, decided.finished, decided.attempts) == (DeliveryState.CANCELLED, True, 2)
    assert (decided.reply, decided.in_doubt, decided.suppress) == ("no longer wanted", True, False)


def test_what_is_put_off_waits_at_no_cost() -> None:
    later = NOON + timedelta(minutes=5)
    decided = put_off(standing(attempts=2, faults=1), due_at=later)
    assert (decided.state, decided.due_at, decided.attempts, decided.faults) == (DeliveryState.PENDING, later, 2, 1)
