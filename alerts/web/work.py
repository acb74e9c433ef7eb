"""The proof of work: challenges by the ALTCHA protocol, and the judging of what a browser brings back (C4).

``templates/web/work.js`` solves them. A challenge is signed with a key of the ledger's own, so another site's, or one
that somebody made easier, is worth nothing; whether a proof was spent before, the ledger knows.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta

import altcha

from alerts.core.stamps import Proof, proof_of

ALGORITHM = "PBKDF2/SHA-256"  # browsers have it built in
ITERATIONS = 2_000  # of one try: a millisecond here, for a challenge and for a check
FEWEST_TRIES, MOST_TRIES = 300, 1_000  # half a second of a desktop's work, some seconds of an old telephone's
LIFETIME = timedelta(hours=1)
_LARGEST = 4_096  # characters of what a browser brings


def challenge(key: bytes, now: datetime) -> str:
    """Make a challenge, as JSON."""
    made = altcha.create_challenge(
        ALGORITHM,
        ITERATIONS,
        counter=FEWEST_TRIES + secrets.randbelow(MOST_TRIES - FEWEST_TRIES),
        expires_at=now + LIFETIME,
        hmac_secret=key,
    )
    return json.dumps(made.to_dict(), separators=(",", ":"))


def judge(written: str, key: bytes) -> Proof | None:
    """Return the proof that a payload is; None for one that is expired, tampered with, somebody else's or nonsense."""
    if len(written) > _LARGEST:
        return None
    try:
        payload = altcha.Payload.from_base64(written)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not altcha.verify_solution(payload, key).verified:
        return None
    # The signature names the challenge: the same one cannot be spent twice in two spellings.
    signature, expires = payload.challenge.signature, payload.challenge.parameters.expires_at
    if signature is None or expires is None:
        return None
    return proof_of(signature, expires_at=datetime.fromtimestamp(expires, UTC))
