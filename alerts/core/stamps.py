"""Stamps in our forms: when we showed one, sealed. What comes back too soon, or too late, no person has filled in.

A stamp is no proof of work, and a form without one may still be somebody's: that is for whoever takes the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from alerts.core.tokens import Purpose, Secrets, read, sign

SOONEST = timedelta(seconds=1.5)  # to find the field, type an address and press: nobody is quicker
LATEST = timedelta(hours=24)
WAIT = timedelta(seconds=5)  # what counts as much as a browser's work, for who has no JavaScript

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a form brought along that counts once."""

    hash: str
    expires_at: datetime  # from then on it would not be taken anyway


def stamp(shown_at: datetime, nonce: int, secrets: Secrets) -> str:
    """Seal the time at which a form was shown; ``nonce`` is 64 random bits."""
    return sign(Purpose.STAMP, (shown_at - _EPOCH) // _MILLISECOND, nonce, secrets)


def is_timely(token: str, now: datetime, secrets: Secrets) -> bool:
    """Say whether a form was shown by us, and neither a moment nor a day ago."""
    shown_at = _shown_at(token, Purpose.STAMP, secrets)
    return shown_at is not None and SOONEST <= now - shown_at <= LATEST


def waiting_stamp(shown_at: datetime, nonce: int, secrets: Secrets) -> str:
    """Seal the time at which somebody was asked to wait a little and press once more."""
    return sign(Purpose.WAIT, (shown_at - _EPOCH) // _MILLISECOND, nonce, secrets)


def waited(token: str, now: datetime, secrets: Secrets) -> Proof | None:
    """Return the proof that somebody waited; None for who did not."""
    shown_at = _shown_at(token, Purpose.WAIT, secrets)
    if shown_at is None or not WAIT <= now - shown_at <= LATEST:
        return None
    return proof_of(token, expires_at=shown_at + LATEST)


def proof_of(what: str, *, expires_at: datetime) -> Proof:
    """Return a proof by what tells it from every other: a token, or a signature."""
    return Proof(sha256(what.encode("utf-8", "surrogatepass")).hexdigest(), expires_at)


def _shown_at(token: str, purpose: Purpose, secrets: Secrets) -> datetime | None:
    claims = read(token, purpose, secrets)
    return None if claims is None else _EPOCH + claims.subscriber_id * _MILLISECOND
