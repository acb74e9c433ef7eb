"""Stamps: a form comes back in a person's time, and a wait counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.stamps import is_timely, proof_of, stamp, waited, waiting_stamp
from alerts.core.tokens import Purpose, Secrets, sign

SHOWN = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEYS = Secrets(((1, b"k" * 32),))
OTHERS = Secrets(((1, b"x" * 32),))
S = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("after", "timely"),
    [(-S, False), (0 * S, False), (1.499 * S, False), (1.5 * S, True), (86_400 * S, True), (86_401 * S, False)],
)
def test_a_form_is_timely_from_a_second_and_a_half_to_a_day(after: timedelta, *, timely: bool) -> None:
    assert is_timely(stamp(SHOWN, 7, KEYS), SHOWN + after, KEYS) is timely


@pytest.mark.parametrize(
    ("after", "counts"), [(-S, False), (4.999 * S, False), (5 * S, True), (86_400 * S, True), (86_401 * S, False)]
)
def test_a_wait_counts_from_five_seconds_on(after: timedelta, *, counts: bool) -> None:
    assert (waited(waiting_stamp(SHOWN, 7, KEYS), SHOWN + after, KEYS) is not None) is counts


def test_a_stamp_serves_one_purpose_and_one_site() -> None:
    later = SHOWN + 10 * S
    for token in (waiting_stamp(SHOWN, 7, KEYS), stamp(SHOWN, 7, OTHERS), sign(Purpose.MANAGE, 10**12, 7, KEYS)):
        assert not is_timely(token, later, KEYS)
    for token in (stamp(SHOWN, 7, KEYS), waiting_stamp(SHOWN, 7, OTHERS), sign(Purpose.UNSUBSCRIBE, 10**12, 7, KEYS)):
        assert waited(token, later, KEYS) is None


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert not is_timely(text, SHOWN, KEYS)
    assert waited(text, SHOWN, KEYS) is None
    assert len(proof_of(text, expires_at=SHOWN).hash) == 64


def test_two_waits_are_two_proofs_and_one_wait_is_one() -> None:
    first, second = waiting_stamp(SHOWN, 1, KEYS), waiting_stamp(SHOWN, 2, KEYS)
    proofs = [waited(one, SHOWN + 9 * S, KEYS) for one in (first, first, second)]
    assert proofs[0] == proofs[1] != proofs[2]
    assert proofs[0] is not None
    assert proofs[0].expires_at == SHOWN + 86_400 * S
