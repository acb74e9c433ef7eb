"""What a subscriber of WebSub decides."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.websub import (
    LEASE,
    LONGEST_LEASE,
    NO_LINKS,
    HubLinks,
    ask_again_at,
    calmer,
    hub_links,
    is_reachable,
    is_signed,
    links_in_headers,
    read_lease,
    renew_at,
    request_form,
)

BASE = "https://news.example/feed.xml"
BOTH = HubLinks(hub="https://hub.example/", topic="https://news.example/feed.xml")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "headers",
    [
        ['<https://hub.example/>; rel="hub"', '<https://news.example/feed.xml>; rel="self"'],
        ["<https://hub.example/>; rel=hub, </feed.xml>; rel=self"],
        ['</feed.xml>; title="x, y"; rel="alternate SELF",<https://hub.example/> ; REL="hub"; type=x'],
        ["<https://hub.example/>; rel=hub, <https://other.example/>; rel=hub, </feed.xml>; rel=self"],
        ["<javascript:1>; rel=hub, <http://[/>; rel=hub, <https://hub.example/>; rel=hub, </feed.xml>; rel=self"],
    ],
)
def test_hub_and_self_are_found_in_link_headers_however_they_are_written(headers: list[str]) -> None:
    assert links_in_headers(headers, base=BASE) == BOTH
    assert BOTH.are_there


@pytest.mark.parametrize("headers", [[], [""], ["<https://hub.example/>"], ["hub"], ["<x>; title=hub"]])
def test_other_headers_hold_no_hub(headers: list[str]) -> None:
    assert links_in_headers(headers, base=BASE) == NO_LINKS
    assert not NO_LINKS.are_there


@given(st.lists(st.text(alphabet='<>;, ="relhubsf\t'), max_size=5))
def test_whatever_a_server_says_is_read(headers: list[str]) -> None:
    assert links_in_headers(headers, base=BASE).hub is None or "<" in "".join(headers)


def test_a_hub_without_a_topic_is_nobody_to_ask() -> None:
    assert not hub_links([("hub", "https://hub.example/")], base=BASE).are_there


@pytest.mark.parametrize(
    ("site", "reachable"),
    [
        ("https://alerts.daily.example", True),
        ("http://daily.example:8000", True),
        ("http://8.8.8.8", True),
        ("http://127.0.0.1:8000", False),
        ("https://10.1.2.3", False),
        ("http://localhost:8000", False),
        ("https://alerts", False),
        ("https://alerts.internal", False),
        ("nothing", False),
    ],
)
def test_a_hub_cannot_call_back_a_site_at_home(site: str, reachable: bool) -> None:
    assert is_reachable(site) is reachable


def test_a_request_holds_what_the_protocol_asks_for() -> None:
    asked = request_form(mode="subscribe", topic=BASE, callback="https://us.example/websub/x", secret="s")
    assert asked["hub.secret"] == "s"
    assert asked["hub.lease_seconds"] == str(10 * 86400)
    ending = request_form(mode="unsubscribe", topic=BASE, callback="https://us.example/websub/x", secret="s")
    assert ending == {"hub.mode": "unsubscribe", "hub.topic": BASE, "hub.callback": "https://us.example/websub/x"}


@pytest.mark.parametrize(
    ("written", "lease"),
    [
        ("3600", timedelta(hours=1)),
        ("0", timedelta(seconds=1)),
        ("999999999999", LONGEST_LEASE),
        *((bad, LEASE) for bad in (None, "", "-1", "soon", "٣", "1" * 13)),
    ],
)
def test_a_lease_is_kept_within_reason(written: str | None, lease: timedelta) -> None:
    assert read_lease(written) == lease


def test_a_lease_is_renewed_before_it_ends() -> None:
    assert NOW < renew_at(now=NOW, lease=LEASE) < NOW + LEASE


def test_a_hub_that_fails_is_asked_less_and_less_up_to_once_a_day() -> None:
    waits = [ask_again_at(now=NOW, failures=failures) - NOW for failures in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(minutes=5), timedelta(days=1))


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signature_holds_for_its_body_and_secret_only(method: str) -> None:
    signature = f"{method}={hmac.new(b'secret', b'body', getattr(hashlib, method)).hexdigest()}"
    assert is_signed(signature, secret="secret", body=b"body")
    assert not is_signed(signature, secret="other", body=b"body")
    assert not is_signed(signature, secret="secret", body=b"bodY")
    assert not is_signed(signature[:-1], secret="secret", body=b"body")


@given(st.none() | st.text() | st.text().map("sha256={}".format))
def test_what_is_no_signature_proves_nothing(signature: str | None) -> None:
    assert not is_signed(signature, secret="secret", body=b"body")


def test_a_weak_method_proves_nothing() -> None:
    assert not is_signed(f"md5={hmac.new(b's', b'b', hashlib.md5).hexdigest()}", secret="s", body=b"b")


def test_polls_are_rarer_only_while_a_hub_tells() -> None:
    assert calmer(timedelta(minutes=5), live=True) == timedelta(minutes=50)
    assert calmer(timedelta(minutes=5), live=False) == timedelta(0)
