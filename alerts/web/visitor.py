"""Says where a visitor comes from, as far as a budget needs to know: the network of the socket's address."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

_PREFIXES = {4: 24, 6: 64}


def network_of(request: Request) -> str:
    """Return the /24 or /64 that a request comes from; everybody whose address is unknown shares one."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    known = mapped or address
    return str(ipaddress.ip_network(f"{known}/{_PREFIXES[known.version]}", strict=False))
