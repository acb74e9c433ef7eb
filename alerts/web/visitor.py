"""Says where a visitor comes from: the socket's address, or what a proxy says that the operator trusts.

Anybody can write an X-Forwarded-For; only what trusted proxies added to its end is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from starlette.requests import Request

from alerts.core import budgets
from alerts.core.budgets import read_address
from alerts.web.state import state_of

Networks = Sequence[IPv4Network | IPv6Network]


def network_of(request: Request) -> str:
    """Name the network that a request comes from, a /24 or a /64, as budgets count it."""
    trusted = state_of(request).app.config.web.trusted_proxies
    socket = request.client.host if request.client else ""
    return budgets.network_of(visitor_address(socket, request.headers.getlist("x-forwarded-for"), trusted))


def visitor_address(socket: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """Return the visitor's address: walk from the socket outwards as long as who speaks is trusted.

    Where a trusted proxy hands on what is no address, it is the socket's that counts.
    """
    if not _is_trusted(read_address(socket), trusted):
        return socket
    said = [one for line in forwarded for one in line.split(",")]
    found = socket
    while said and _is_trusted(read_address(found), trusted):
        found = said.pop()
        if read_address(found) is None:
            return socket
    return found


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: Networks) -> bool:
    return address is not None and any(address in network for network in trusted)
