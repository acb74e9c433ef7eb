"""How many mails forms may cause, and to whom an address on the network counts (C3); what was spent is in ``storage``.

A window slides: what counts is what was spent within its length before now, to the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN_NETWORK = "unknown"  # everybody whose address cannot be read shares one
_KEPT_BITS = {4: 24, 6: 64}  # what one household or one host is given; whoever has one has all of it
_LONGEST = 60  # characters of an address with a zone


@dataclass(frozen=True, slots=True)
class Budget:
    """So many mails within any stretch of time of that length."""

    mails: int
    within: timedelta


AN_ADDRESS = Budget(3, timedelta(days=1))
A_NETWORK = Budget(10, timedelta(hours=1))
REMEMBERED = max(AN_ADDRESS.within, A_NETWORK.within)  # older ones count nowhere


def site_budget(mails_an_hour: int) -> Budget:
    """Return what all forms together may cause."""
    return Budget(mails_an_hour, timedelta(hours=1))


def network_of(address: str) -> str:
    """Name the network whose budget an address draws on: its /24, or its /64.

    >>> network_of("203.0.113.9"), network_of("::ffff:203.0.113.77"), network_of("2001:db8::1:2:3:4")
    ('203.0.113.0/24', '203.0.113.0/24', '2001:db8::/64')
    """
    found = read_address(address)
    if found is None:
        return UNKNOWN_NETWORK
    return str(ip_network((found, _KEPT_BITS[found.version]), strict=False))


def read_address(written: str) -> IPv4Address | IPv6Address | None:
    """Read an address as sockets and proxies write it, perhaps with a port; None for what is none.

    An IPv4 address that came by an IPv6 socket is the IPv4 address that it is.
    """
    text = written.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if len(text) > _LONGEST:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
