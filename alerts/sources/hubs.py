"""Post a request to a WebSub hub, with the same care as a fetch: a feed may name any address as its hub."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Self
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from alerts import __version__
from alerts.core.errors import FetchError, RefusedTargetError
from alerts.core.items import web_url
from alerts.core.text import excerpt
from alerts.sources.targets import RefusedAddressError, Resolver, guarded_socket

MAX_REDIRECTS = 3
TIME_LIMIT = timedelta(seconds=20)
_MOVES = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})  # WebSub, 5.1: and no others
_LONGEST_REASON = 2_000  # bytes of an answer that are read


class Hubs:
    """Asks hubs; no connection is kept, as each is asked once in days."""

    def __init__(
        self, *, about: str | None = None, time_limit: timedelta = TIME_LIMIT, resolver: AbstractResolver | None = None
    ) -> None:
        agent = f"News-Alert/{__version__}"
        self._headers = {"User-Agent": f"{agent} (+{about})" if about else agent}
        self._time_limit = time_limit
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def ask(self, hub: str, form: Mapping[str, str], *, allow_private: bool = False) -> None:
        """Post ``form`` to a hub; return when it was accepted.

        Raises FetchError with the hub's reason when it was not, RefusedTargetError for where we do not go.
        """
        session = self._session(allow_private=allow_private)
        host = URL(hub).host or "the hub"
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                await self._post(session, hub, form)
        except TimeoutError as error:
            raise FetchError(f"{host} did not answer within {self._time_limit.total_seconds():g} s") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, RefusedAddressError):
                raise RefusedTargetError(f"the hub {host} is {error.os_error}") from error
            raise FetchError(f"{host} cannot be reached: {excerpt(str(error.os_error), 200)}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"the connection to {host} broke: {excerpt(str(error), 200)}") from error

    async def _post(self, session: aiohttp.ClientSession, hub: str, form: Mapping[str, str]) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            async with session.post(hub, data=form, allow_redirects=False) as response:
                if response.status in _MOVES:
                    hub = _moved(hub, response.headers.get("Location", ""))
                    continue
                if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    return
                said = excerpt((await response.content.read(_LONGEST_REASON)).decode("utf-8", "replace"), 200)
                raise FetchError(f"{URL(hub).host} refuses ({response.status}){f': {said}' if said else ''}")
        raise FetchError(f"{URL(hub).host}: more than {MAX_REDIRECTS} redirects")

    def _session(self, *, allow_private: bool) -> aiohttp.ClientSession:
        if allow_private not in self._sessions:
            connector = aiohttp.TCPConnector(
                force_close=True,
                resolver=self._resolver or Resolver(),
                socket_factory=None if allow_private else guarded_socket,
            )
            self._sessions[allow_private] = aiohttp.ClientSession(
                connector=connector, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._sessions[allow_private]


def _moved(hub: str, location: str) -> str:
    target = web_url(urljoin(hub, location.strip())) if location.strip() else None
    if target is None:
        raise RefusedTargetError(f"{URL(hub).host} redirects to something that is no web address")
    return target
