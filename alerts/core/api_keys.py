"""Keys with which a publisher's system posts articles: how one looks, and what of it is kept. Draws no dice."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode

PREFIX = "nak_"  # "news alert key": found by whoever looks for secrets in logs and repositories
RANDOM_SIZE = 32  # octets
LONGEST_NAME = 60

_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
_NAME = re.compile(rf"[a-z0-9](?:[a-z0-9_.-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?", re.ASCII)


def make_key(random: bytes) -> str:
    """Write a key out of ``RANDOM_SIZE`` random octets."""
    return PREFIX + urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


def hash_of(key: str) -> str | None:
    """Return what is kept of a key, and found by; None for what is no key.

    A plain hash: what has 256 random bits cannot be guessed, so it need not be slow.
    """
    return hashlib.sha256(key.encode("ascii")).hexdigest() if _SHAPE.fullmatch(key) else None


def bearer_of(authorization: str | None) -> str | None:
    """Return the hash of the key in an Authorization header (RFC 6750, 2.1); None where none is in it."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return hash_of(key.strip()) if scheme.lower() == "bearer" else None


def is_key_name(name: str) -> bool:
    """Say whether a key may be called so: small letters, digits, and ``-``, ``_`` or ``.`` between them."""
    return _NAME.fullmatch(name) is not None
