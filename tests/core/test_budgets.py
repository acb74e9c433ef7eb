"""To which network an address belongs."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.budgets import REMEMBERED, UNKNOWN_NETWORK, network_of, site_budget


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        (" 203.0.113.255 ", "203.0.113.0/24"),
        ("203.0.113.9:51234", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("[::ffff:cb00:7109]:443", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::1]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", UNKNOWN_NETWORK),
        ("unknown", UNKNOWN_NETWORK),
        ("203.0.113", UNKNOWN_NETWORK),
        ("203.0.113.09", UNKNOWN_NETWORK),
        ("203.0.113.9/8", UNKNOWN_NETWORK),
        ("1" * 5_000, UNKNOWN_NETWORK),
        ("٣.0.113.9", UNKNOWN_NETWORK),
    ],
)
def test_an_address_belongs_to_its_24_or_its_64(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.text())
def test_whatever_is_written_has_a_network(written: str) -> None:
    assert network_of(written)


@given(st.integers(0, 2**24 - 1), st.integers(0, 255), st.integers(0, 255))
def test_two_addresses_of_one_24_share_its_budget(network: int, one: int, other: int) -> None:
    assert network_of(str(IPv4Address(network << 8 | one))) == network_of(f"::ffff:{IPv4Address(network << 8 | other)}")


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_two_addresses_of_one_64_share_its_budget(network: int, one: int, other: int) -> None:
    assert network_of(str(IPv6Address(network << 64 | one))) == network_of(str(IPv6Address(network << 64 | other)))


def test_the_sites_budget_is_an_hours_and_is_remembered_for_long_enough() -> None:
    assert (site_budget(7).mails, site_budget(7).within) == (7, timedelta(hours=1))
    assert site_budget(7).within <= REMEMBERED
