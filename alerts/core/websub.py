"""What a subscriber of WebSub (https://www.w3.org/TR/websub/) decides: whom to ask, when to ask again, whom to believe.

A hub tells us of a feed's news at once. It is never relied on: who polls goes on polling.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from alerts.core.items import web_url

LEASE = timedelta(days=10)  # what we ask for, and what counts where a hub does not say
SHORTEST_LEASE, LONGEST_LEASE = timedelta(seconds=1), timedelta(days=60)
ANSWER_WITHIN = timedelta(hours=1)  # a hub that took our request verifies it by then, or is asked again
AFTER_DENIAL = timedelta(days=1)
TRUSTED_FOR = timedelta(days=1)  # a hub from which nothing came for so long is not waited for
MOST_GOODBYES = 3  # requests to end a subscription, before it is forgotten
SECRET_LENGTH, TOKEN_LENGTH = 32, 32  # octets; a secret may have 200 at most in the protocol

_SIGNATURES = frozenset({"sha1", "sha256", "sha384", "sha512"})
_LONGEST_HEADER, _MOST_LINKS = 2_000, 20
_LINK = re.compile(
    r'<([^<>"\s]{1,2000})>((?:[ \t]{0,5};[ \t]{0,5}[^\s;,="<>]{1,40}(?:="[^"<>]{0,200}"|=[^\s;,"<>]{0,200})?)*)'
)
_REL = re.compile(r';[ \t]{0,5}rel="?([^";,]{1,200})', re.IGNORECASE)
_FIRST_RETRY, _LONGEST_RETRY = timedelta(minutes=5), timedelta(days=1)


class SubscriptionState(StrEnum):
    """How a subscription at a hub does."""

    WANTED = "wanted"  # asked for, or to be asked for; the hub has not verified it
    ACTIVE = "active"  # verified; what the hub pushes is taken
    LEAVING = "leaving"  # its source is gone; the hub is told so


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLinks:
    """Where a feed says that its news can be heard of."""

    hub: str | None = None
    topic: str | None = None  # the feed's own name of itself, which the hub knows it by

    @property
    def are_there(self) -> bool:
        """Whether there is somebody to ask, and something to ask for."""
        return self.hub is not None and self.topic is not None


NO_LINKS = HubLinks()


def links_in_headers(values: Iterable[str], *, base: str) -> HubLinks:
    """Read Link headers (RFC 8288): the first hub and the first self count; anything may come in."""
    return hub_links(_relations(values), base=base)


def hub_links(relations: Iterable[tuple[str, str]], *, base: str) -> HubLinks:
    """Return the first hub and the first self among pairs of relation types (parted by spaces) and addresses."""
    found: dict[str, str] = {}
    for rel, href in relations:
        target = _address(href, base)
        for one in rel.lower().split():
            if target is not None:
                found.setdefault(one, target)
    return HubLinks(hub=found.get("hub"), topic=found.get("self"))


def is_reachable(site_url: str) -> bool:
    """Say whether hubs on the Internet may reach a site, by its address: https, or no private name or number."""
    parts = urlsplit(site_url)
    host = parts.hostname or ""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".test"))


def request_form(*, mode: str, topic: str, callback: str, secret: str, lease: timedelta = LEASE) -> Mapping[str, str]:
    """Return what is posted to a hub to subscribe or unsubscribe."""
    form = {"hub.mode": mode, "hub.topic": topic, "hub.callback": callback}
    if mode == "subscribe":
        form |= {"hub.secret": secret, "hub.lease_seconds": str(round(lease.total_seconds()))}
    return form


def read_lease(written: str | None) -> timedelta:
    """Read ``hub.lease_seconds``; what is no number counts as what we asked for."""
    text = (written or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 12):  # noqa: PLR2004 - more seconds than there will be
        return LEASE
    return min(max(timedelta(seconds=int(text)), SHORTEST_LEASE), LONGEST_LEASE)


def renew_at(*, now: datetime, lease: timedelta) -> datetime:
    """Return when to ask for another lease: in good time for several tries before this one ends."""
    return now + lease * 0.8


def ask_again_at(*, now: datetime, failures: int) -> datetime:
    """Return when to ask a hub again that failed so many times in a row."""
    return now + min(_FIRST_RETRY * (1 << min(failures, 20)), _LONGEST_RETRY)


def is_signed(signature: str | None, *, secret: str, body: bytes) -> bool:
    """Say whether an ``X-Hub-Signature`` proves that a body comes from who knows the secret."""
    method, _, digest = (signature or "").strip().partition("=")
    if method.lower() not in _SIGNATURES:
        return False
    wanted = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(wanted.encode(), digest.lower().encode("utf-8", "replace"))


def calmer(every: timedelta, *, live: bool) -> timedelta:
    """Return how long a polled answer counts as fresh while a hub tells us of news: ten times the interval."""
    return every * 10 if live else timedelta(0)


def _relations(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    text = ", ".join(value[:_LONGEST_HEADER] for value in list(values)[:_MOST_LINKS])
    for link in _LINK.finditer(text):
        rel = _REL.search(link[2])
        if rel is not None:
            yield rel[1], link[1]


def _address(href: str, base: str) -> str | None:
    try:
        return web_url(urljoin(base, href.strip()))
    except ValueError:
        return None
