"""Where a fetch may go: addresses on the open Internet, unless the operator allows others. Judged when it dials.

Judging the address that is really dialled, not the name, is what holds against names that resolve differently the
second time, redirects inwards, and every odd way of writing an address.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

# Beyond what ``ipaddress`` calls not global: ways to write an IPv4 address in IPv6, which may lead back inside, and
# a cloud's metadata service on a public address.
_ALSO_REFUSED = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64, local (RFC 8215)
        "2002::/16",  # 6to4 (RFC 3056)
        "2001::/23",  # protocol assignments (RFC 2928), Teredo among them, which Python releases judge differently
        "fec0::/10",  # site-local, once (RFC 3879)
        "192.88.99.0/24",  # 6to4's relays, once (RFC 7526)
        "3fff::/20",  # examples (RFC 9637)
        "192.0.0.0/24",  # the same in IPv4 (RFC 6890)
        "100:0:0:1::/64",  # dummy prefix (RFC 9780)
        "168.63.129.16/32",  # Azure
    )
)
_MOST_LOOK_UPS = 64  # at a time

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class RefusedAddressError(OSError):
    """The address is not one that we connect to; without the address, so that several of them read as one."""

    def __init__(self) -> None:
        super().__init__("a private, loopback, link-local or otherwise special address")


def is_refused(address: str) -> bool:
    """Return whether an IP address is private or otherwise no place on the open Internet; anything else is refused."""
    try:
        ip = ip_address(address)
    except ValueError:
        return True
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return True
    return any(_lies_in(ip, network) for network in _ALSO_REFUSED)


def _lies_in(ip: IPv4Address | IPv6Address, network: Any) -> bool:
    return ip.version == network.version and ip in network


def guarded_socket(info: AddrInfo) -> socket.socket:
    """Make a socket for an address that is about to be dialled, or raise RefusedAddressError."""
    if is_refused(str(info[4][0])):
        raise RefusedAddressError
    return socket.socket(family=info[0], type=info[1], proto=info[2])


class Resolver(AbstractResolver):
    """Looks names up in threads of its own: a name server that hangs delays neither other work nor our exit."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_MOST_LOOK_UPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; raise OSError when it has none."""
        async with self._room:
            infos = await _in_own_thread(
                lambda: socket.getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, proto, _, address in infos
        ]

    async def close(self) -> None:
        """Have nothing to close; a look-up under way ends by itself."""


async def _in_own_thread(call: Callable[[], Any]) -> Any:
    """Run ``call`` in a thread that nobody waits for when the process ends."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def tell(result: Any, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except (OSError, UnicodeError) as raised:  # UnicodeError: a label that is too long
            error = raised if isinstance(raised, OSError) else OSError(str(raised))
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, error)

    Thread(target=run, name="look-up", daemon=True).start()
    return await answer
