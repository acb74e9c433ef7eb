"""Where a visitor comes from, and who may say so."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.web.visitor import visitor_address

PROXY = "10.0.0.1"
TRUSTED = (ip_network("10.0.0.0/24"), ip_network("::1"), ip_network("fd00::/8"))
READER = "203.0.113.9"


@pytest.mark.parametrize(
    ("socket", "forwarded", "found"),
    [
        (READER, [], READER),
        (READER, ["198.51.100.1"], READER),  # anybody can write that
        (READER, [PROXY], READER),
        (PROXY, [], PROXY),
        (PROXY, [READER], READER),
        (PROXY, [f"198.51.100.1, {READER}"], READER),  # the reader wrote the first
        (PROXY, ["198.51.100.1", READER], READER),  # or in a header of their own
        (PROXY, [f"198.51.100.1, {READER}, 10.0.0.7"], READER),
        (PROXY, [f"{READER},fd00::2, 10.0.0.7"], READER),
        (PROXY, [f"10.0.0.9, {READER}"], READER),  # claims to be a proxy
        (PROXY, ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        (PROXY, [f"{READER}:4711"], f"{READER}:4711"),
        (PROXY, ["[2001:db8::1]:4711"], "[2001:db8::1]:4711"),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", [READER], READER),
        (PROXY, [f"{READER}, unknown"], PROXY),
        (PROXY, [f"{READER}, "], PROXY),
        (PROXY, ["<script>"], PROXY),
        (PROXY, [""], PROXY),
        ("", [READER], ""),
    ],
)
def test_only_a_trusted_proxys_word_counts(socket: str, forwarded: list[str], found: str) -> None:
    assert visitor_address(socket, forwarded, TRUSTED).strip() == found


def test_where_no_proxy_is_trusted_nobodys_word_counts() -> None:
    assert visitor_address("127.0.0.1", [READER], ()) == "127.0.0.1"


@given(st.lists(st.text()))
def test_what_a_stranger_writes_never_moves_them(forwarded: list[str]) -> None:
    assert visitor_address(READER, forwarded, TRUSTED) == READER
    assert visitor_address(PROXY, [*forwarded, READER], TRUSTED).strip() == READER
