"""What becomes of a delivery: the states, what an SMTP reply means, when to try again. Decides only; writes nothing.

pending ──▶ claimed ──▶ sent            the relay took it
   ▲           ├──────▶ pending         deferred, or given back untouched
   │           ├──────▶ failed          refused for good, or set aside
   │           └──────▶ cancelled       no longer wanted
   ├── rescue (a dead worker's claim)
   ├──────────────────▶ expired         not taken in time
   └──────────────────▶ cancelled       unsubscribed before anyone began
failed, expired ──▶ pending             `alerts deliveries retry`
cancelled ──▶ pending                   the person took the leaving back within a minute
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane

TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.CLAIMED, DeliveryState.EXPIRED, DeliveryState.CANCELLED}),
    DeliveryState.CLAIMED: frozenset(set(DeliveryState) - {DeliveryState.CLAIMED}),
    DeliveryState.SENT: frozenset(),
    DeliveryState.FAILED: frozenset({DeliveryState.PENDING}),
    DeliveryState.EXPIRED: frozenset({DeliveryState.PENDING}),
    DeliveryState.CANCELLED: frozenset({DeliveryState.PENDING}),
}

LANES = {
    DeliveryKind.CONFIRMATION: Lane.CONFIRMATION,
    DeliveryKind.WELCOME: Lane.CONFIRMATION,
    DeliveryKind.MANAGE_LINK: Lane.CONFIRMATION,
    DeliveryKind.ADDRESS_CONFIRMATION: Lane.CONFIRMATION,
    DeliveryKind.ADDRESS_CHANGED: Lane.CONFIRMATION,
    DeliveryKind.TEST: Lane.CONFIRMATION,
    DeliveryKind.ALERT: Lane.IMMEDIATE,
    DeliveryKind.DIGEST: Lane.DIGEST,
}

#: How long a delivery may wait before it is worth nothing any more (MAIL-RULES, R).
LIFETIMES = {
    DeliveryKind.CONFIRMATION: timedelta(hours=24),
    DeliveryKind.WELCOME: timedelta(hours=24),
    DeliveryKind.MANAGE_LINK: timedelta(hours=24),
    DeliveryKind.ADDRESS_CONFIRMATION: timedelta(hours=24),
    DeliveryKind.ADDRESS_CHANGED: timedelta(hours=24),
    DeliveryKind.TEST: timedelta(hours=24),
    DeliveryKind.ALERT: timedelta(hours=48),
    DeliveryKind.DIGEST: timedelta(hours=48),
}

_RETRY_MINUTES = (5, 10, 20, 40, 70)
_JITTER = 0.2  # a share of the wait, added: a retry is never earlier than the rule says
MAX_FAULTS = 3  # after so many failures of our own code a delivery is set aside
_REPLY_LENGTH = 400  # characters of a server's answer worth keeping

_ENHANCED = re.compile(r"\A\s*([245]\.\d{1,3}\.\d{1,3})(?=\s|\Z)")
_HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_SOFT = frozenset({"5.2.2"})
_OURS = ("5.7.", "5.4.", "5.5.", "5.6.")
_RELAY_CODES = frozenset({530, 534, 535, 538})  # RFC 4954: what they refuse is us, whoever the recipient is


class Stage(StrEnum):
    """The SMTP command that a reply answers."""

    MAIL = "mail"  # MAIL FROM
    RCPT = "rcpt"  # RCPT TO
    DATA = "data"  # DATA, before the body
    BODY = "body"  # the final dot


class Verdict(StrEnum):
    """What a reply says, and about whom."""

    TAKEN = "taken"  # the relay has it
    LATER = "later"  # try again
    HARD = "hard"  # this address does not work
    REFUSED = "refused"  # this mail is refused for good; says nothing sure about the address
    OURS = "ours"  # our own fault (policy, authentication, content): nobody is suppressed
    RELAY = "relay"  # the relay condemns us; no recipient pays


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An SMTP server's answer."""

    code: int
    text: str
    stage: Stage

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463) at the start of the text, if there is one of the reply's own class."""
        found = _ENHANCED.match(self.text)
        return found[1] if found and found[1][0] == str(self.code)[:1] else None

    def __str__(self) -> str:
        return readable(f"{self.code} {self.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The connection ended, or the server spoke nonsense, before the mail could have been taken."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """The connection ended after the final dot and before its reply: the mail may have been taken."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Untried:
    """Nothing was said to the server about this mail; it goes back as it was."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Our own code could not make or send this mail."""

    reason: str


Result = Reply | Dropped | InDoubt | Untried | Fault


class Outcome(NamedTuple):
    """What to write to the row; a tuple, as each mail costs one.

    ``finished`` when no step will touch it again by itself.
    """

    state: DeliveryState
    due_at: datetime
    attempts: int
    faults: int
    in_doubt: bool
    reply: str | None
    suppress: bool = False  # an explicit "no such user": never mail the address again (B3)

    @property
    def finished(self) -> bool:
        """Whether the delivery is over."""
        return self.state is not DeliveryState.PENDING and self.state is not DeliveryState.CLAIMED


def readable(text: str) -> str:
    """Make a stranger's words fit for a row and a log line: one line, bounded, no NUL, nothing that is no character.

    A database refuses both, and an outcome that cannot be written is a mail that is sent twice.
    """
    flat = text[: 4 * _REPLY_LENGTH]
    if not flat.isprintable():
        flat = "".join(one if one.isprintable() else " " for one in flat)
    return " ".join(flat.split())[:_REPLY_LENGTH]


def verdict(reply: Reply) -> Verdict:
    """Say what a reply means (MAIL-RULES B2, R); total over any code and text."""
    if 200 <= reply.code < 300:  # noqa: PLR2004 - RFC 5321's classes
        return Verdict.TAKEN if reply.stage is Stage.BODY else Verdict.LATER
    if reply.code in _RELAY_CODES:
        return Verdict.RELAY
    if not 500 <= reply.code < 600:  # noqa: PLR2004 - 4xx, and what no server should say
        return Verdict.LATER
    return _permanent(reply)


def _permanent(reply: Reply) -> Verdict:
    """Sort a 5xx by its enhanced status; without one, by the code and where it came."""
    status = reply.enhanced
    if reply.stage is Stage.MAIL:
        return Verdict.OURS  # what is refused is our sender, for whomever
    if status is None:
        return Verdict.LATER if reply.code == 552 else Verdict.REFUSED  # noqa: PLR2004 - 552: no room (RFC 5321)
    if status in _HARD:
        return Verdict.HARD
    if status in _SOFT:
        return Verdict.LATER
    return Verdict.OURS if status == "5.3.4" or status.startswith(_OURS) else Verdict.REFUSED


def retry_at(attempts: int, *, now: datetime, jitter: float) -> datetime:
    """When to try again after ``attempts`` failed tries; ``jitter`` in [0, 1)."""
    minutes = _RETRY_MINUTES[min(max(attempts, 1), len(_RETRY_MINUTES)) - 1]
    return now + timedelta(minutes=minutes * (1 + _JITTER * jitter))


def expires_at(kind: DeliveryKind, dated_at: datetime) -> datetime:
    """When a delivery of this kind is worth nothing any more."""
    return dated_at + LIFETIMES[kind]


def outcome(result: Result, delivery: Delivery, *, now: datetime, jitter: float) -> Outcome:
    """Decide what becomes of a delivery after one try; ``reply`` is fit to be written, whatever the server said."""
    if isinstance(result, Reply):
        return _after_reply(result, delivery, now=now, jitter=jitter)  # it shows itself readable
    decided = _decided(result, delivery, now=now, jitter=jitter)
    return decided if decided.reply is None else decided._replace(reply=readable(decided.reply))


def _decided(
    result: Dropped | InDoubt | Untried | Fault, delivery: Delivery, *, now: datetime, jitter: float
) -> Outcome:
    match result:
        case Untried():
            return _unchanged(delivery)
        case Dropped():
            return _later(delivery, result.reason, now=now, jitter=jitter)
        case InDoubt():
            return _after_doubt(result, delivery, now=now, jitter=jitter)
    return _after_fault(result, delivery, now=now, jitter=jitter)


def put_off(delivery: Delivery, *, due_at: datetime) -> Outcome:
    """Let a delivery that was not tried wait until then, at no attempt's cost."""
    return _unchanged(delivery)._replace(due_at=due_at)


def cancelled(delivery: Delivery) -> Outcome:
    """End a delivery that nobody wants any more."""
    return _unchanged(delivery, "no longer wanted")._replace(state=DeliveryState.CANCELLED)


def _unchanged(delivery: Delivery, reply: str | None = None) -> Outcome:
    return Outcome(
        state=DeliveryState.PENDING,
        due_at=delivery.due_at,
        attempts=delivery.attempts,
        faults=delivery.faults,
        in_doubt=delivery.in_doubt,
        reply=reply,
    )


def _after_reply(reply: Reply, delivery: Delivery, *, now: datetime, jitter: float) -> Outcome:
    said, words = verdict(reply), str(reply)
    if said is Verdict.RELAY:
        return _unchanged(delivery, words)
    if said is Verdict.LATER or said is Verdict.OURS:
        return _later(delivery, words, now=now, jitter=jitter)
    return Outcome(
        DeliveryState.SENT if said is Verdict.TAKEN else DeliveryState.FAILED,
        delivery.due_at,
        delivery.attempts + 1,
        delivery.faults,
        delivery.in_doubt,
        words,
        said is Verdict.HARD and reply.stage is Stage.RCPT and reply.enhanced == "5.1.1",
    )


def _later(delivery: Delivery, reason: str, *, now: datetime, jitter: float) -> Outcome:
    """Try again by the schedule, or give up when that is past the delivery's life."""
    attempts = delivery.attempts + 1
    due_at = retry_at(attempts, now=now, jitter=jitter)
    late = due_at >= expires_at(delivery.kind, delivery.dated_at)
    return _unchanged(delivery, reason)._replace(
        state=DeliveryState.EXPIRED if late else DeliveryState.PENDING,
        due_at=due_at,
        attempts=attempts,
    )


def _after_doubt(result: InDoubt, delivery: Delivery, *, now: datetime, jitter: float) -> Outcome:
    """Retry a mail in doubt once (it keeps its Message-ID); a second doubt ends it: two copies are enough."""
    if delivery.in_doubt:
        reason = f"in doubt twice, may have arrived: {result.reason}"
        return _unchanged(delivery, reason)._replace(state=DeliveryState.FAILED, attempts=delivery.attempts + 1)
    return _later(delivery, f"in doubt: {result.reason}", now=now, jitter=jitter)._replace(in_doubt=True)


def _after_fault(result: Fault, delivery: Delivery, *, now: datetime, jitter: float) -> Outcome:
    """Set a poison delivery aside after three faults, so that the rest goes on."""
    faults = delivery.faults + 1
    if faults >= MAX_FAULTS:
        reason = f"set aside after {faults} faults: {result.reason}"
        return _unchanged(delivery, reason)._replace(state=DeliveryState.FAILED, faults=faults)
    later = retry_at(1, now=now, jitter=jitter)
    return _unchanged(delivery, f"fault: {result.reason}")._replace(due_at=later, faults=faults)
