"""Ask a web server for a feed or a page, politely, with a limit on everything; knows nothing of what the bytes say."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from http import HTTPStatus
from typing import NamedTuple, NoReturn, Self
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from alerts import __version__
from alerts.core.errors import FetchError, RefusedTargetError
from alerts.core.text import excerpt
from alerts.core.websub import NO_LINKS, HubLinks, links_in_headers
from alerts.sources.bodies import ACCEPTED, MAX_BODY, read_body
from alerts.sources.room import Seat
from alerts.sources.targets import RefusedAddressError, Resolver, guarded_socket
from alerts.sources.wanted import FEED, Wanted

MAX_REDIRECTS = 5
_PERMANENT_MOVES = frozenset({301, 308})
_MOVES = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({429, 503})
_CHUNK = 64 * 1024
_MAX_AGE = re.compile(r"(?:\A|[\s,])max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)
_LONGEST = timedelta(days=365)
_LONGEST_VALIDATOR = 1_000  # characters
_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the name {host} is not known"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "{host} could not prove who it is (TLS)"),
    (TimeoutError, "{host} did not answer in time"),
    (aiohttp.ClientPayloadError, "the answer of {host} breaks off before its end"),
    (aiohttp.InvalidURL, "{host} is not a usable address"),
    (aiohttp.ClientResponseError, "{host} does not speak HTTP as it should"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long each phase of a fetch may take, and how much may come."""

    connect: timedelta = timedelta(seconds=10)  # TCP and TLS
    silence: timedelta = timedelta(seconds=15)  # between two pieces of an answer
    total: timedelta = timedelta(seconds=45)  # all redirects included; what bounds a server that drips
    body: int = MAX_BODY  # decoded bytes
    connections: int = 120  # more than polls at once
    connections_per_host: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer; ``body`` is None when the server says that nothing changed since the validators given."""

    body: bytes | None = field(repr=False)
    url: str  # where it came from in the end, without a user
    etag: str | None = None
    last_modified: str | None = None
    charset: str | None = None  # what the Content-Type claims
    fresh_for: timedelta | None = None  # Cache-Control: max-age
    links: HubLinks = NO_LINKS  # what its Link headers say of a hub
    moved_to: str | None = None  # the feed's new address, when every redirect on the way was a permanent one


class Fetcher:
    """Fetches feeds over kept-alive connections; open it once, close it at the end.

    ``async with Fetcher(user_agent="…") as fetcher: await fetcher.fetch("https://…")``
    """

    def __init__(
        self, *, about: str | None = None, limits: Limits | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        agent = f"News-Alert/{__version__}"
        self._headers = {
            "User-Agent": f"{agent} (+{about})" if about else agent,
            "Accept-Encoding": ACCEPTED,
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        allow_private: bool = False,
        wanted: Wanted = FEED,
        seat: Seat | None = None,
    ) -> Fetched:
        """Return what stands at ``url``, following at most five redirects. ``seat`` is taken for a large answer.

        Raises FetchError in plain words, with ``retry_after`` where the server named a time and ``permanent`` where it
        says that the feed is gone; RefusedTargetError when the way leads to an address that we do not go to.
        """
        session = self._session(allow_private=allow_private)
        asked = {"If-None-Match": etag, "If-Modified-Since": last_modified, "Accept": wanted.accept}
        headers = {name: value for name, value in asked.items() if value}
        target = _target(url)
        try:
            async with asyncio.timeout(self._limits.total.total_seconds()) as limit:
                when_large = None if seat is None else partial(_take, seat, limit)
                return await self._follow(session, target, _Asked(headers, wanted, when_large))
        except TimeoutError as error:
            raise FetchError(f"{_host(target)} did not answer in full within {_seconds(self._limits.total)}") from error

    async def _follow(self, session: aiohttp.ClientSession, target: URL, asked: _Asked) -> Fetched:
        """Ask, and ask again wherever the answer sends us."""
        moved_to: str | None = None
        permanent = True
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(session, target, asked)
            if isinstance(answer, Fetched):
                return answer if moved_to is None else replace(answer, moved_to=moved_to)
            permanent = permanent and answer.permanent
            target = answer.target
            moved_to = str(target.with_user(None)) if permanent else moved_to
        raise FetchError(f"more than {MAX_REDIRECTS} redirects, the last to {_shown(target)}")

    async def _ask(self, session: aiohttp.ClientSession, target: URL, asked: _Asked) -> Fetched | _Move:
        """Send one request; return the answer or where it sends us."""
        try:
            async with session.get(target, headers=asked.headers, allow_redirects=False) as response:
                if response.status in _MOVES:
                    return _move(response, target)
                return await self._answer(response, target, asked)
        except FetchError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            _explain(error, target)

    async def _answer(self, response: aiohttp.ClientResponse, target: URL, asked: _Asked) -> Fetched:
        wanted = asked.wanted
        if response.status == HTTPStatus.NOT_MODIFIED and len(asked.headers) > 1:  # we gave a validator
            return _fetched(response, target, body=None)
        if response.status != HTTPStatus.OK:
            raise _refusal(response, target, wanted.what)
        if wanted.kinds is not None and response.content_type not in wanted.kinds:
            raise FetchError(f"{_host(target)} answers with {response.content_type[:80]}, which is no {wanted.what}")
        encoding = ",".join(response.headers.getall("Content-Encoding", []))
        limit = min(wanted.largest, self._limits.body)
        chunks = response.content.iter_chunked(_CHUNK)
        body = await read_body(chunks, encoding=encoding, limit=limit, what=wanted.what, when_large=asked.when_large)
        return _fetched(response, target, body=body)

    def _session(self, *, allow_private: bool) -> aiohttp.ClientSession:
        """Return the session for feeds that may, or may not, be on a private address; they share no connection."""
        if allow_private not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=self._limits.connections,
                limit_per_host=self._limits.connections_per_host,
                resolver=self._resolver or Resolver(),
                socket_factory=None if allow_private else guarded_socket,
            )
            self._sessions[allow_private] = aiohttp.ClientSession(
                connector=connector,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._limits.connect.total_seconds(),
                    sock_read=self._limits.silence.total_seconds(),
                ),
            )
        return self._sessions[allow_private]


class _Asked(NamedTuple):
    """What goes along with each request on the way."""

    headers: dict[str, str]
    wanted: Wanted
    when_large: Callable[[], Awaitable[None]] | None


async def _take(seat: Seat, limit: asyncio.Timeout) -> None:
    """Take a place for a large answer; until there is one the wait is ours, and not the server's."""
    now, ends_at = asyncio.get_running_loop().time, limit.when()
    left = None if ends_at is None else ends_at - now()
    limit.reschedule(None)
    await seat.take()
    limit.reschedule(None if left is None else now() + left)


@dataclass(frozen=True, slots=True)
class _Move:
    target: URL
    permanent: bool


@lru_cache(4_096)
def _target(url: str) -> URL:
    """Read a URL that we may fetch; raise FetchError for any other."""
    try:
        target = URL(url.strip())
        sound = target.scheme in {"http", "https"} and bool(target.host) and target.port is not None
    except (ValueError, UnicodeError) as error:
        raise FetchError("this is no address on the web", permanent=True) from error
    if not sound:
        raise FetchError(f"only http and https addresses are fetched, not {target.scheme or 'this'}:", permanent=True)
    return target.with_fragment(None)


def _move(response: aiohttp.ClientResponse, target: URL) -> _Move:
    """Read where a redirect leads; credentials go along within one server, and never come from the answer."""
    location = response.headers.get("Location", "").strip()
    if not location:
        raise FetchError(f"{_host(target)} answers {response.status} without saying where to go")
    try:
        moved = _target(urljoin(str(target), location)).with_user(None)
    except (FetchError, ValueError) as error:
        raise RefusedTargetError(f"{_host(target)} redirects to something that is no web address") from error
    if moved.origin() == target.with_user(None).origin():
        moved = moved.with_user(target.user).with_password(target.password) if target.user else moved
    return _Move(moved, response.status in _PERMANENT_MOVES)


def _fetched(response: aiohttp.ClientResponse, target: URL, *, body: bytes | None) -> Fetched:
    headers = response.headers
    url = str(target if target.raw_user is None else target.with_user(None))  # rare, and it costs a new URL
    charset = _CHARSET.search(headers.get("Content-Type", ""))
    age = _MAX_AGE.search(headers.get("Cache-Control", ""))
    return Fetched(
        body=body,
        url=url,
        etag=_validator(headers.get("ETag")),
        last_modified=_validator(headers.get("Last-Modified")),
        charset=charset[1] if charset else None,
        links=links_in_headers(headers.getall("Link"), base=url) if "Link" in headers else NO_LINKS,
        fresh_for=min(timedelta(seconds=int(age[1])), _LONGEST) if age else None,
    )


def _validator(value: str | None) -> str | None:
    """Return a validator that can be stored and sent back; a server that gives another one is asked in full."""
    return value if value and len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable() else None


def _refusal(response: aiohttp.ClientResponse, target: URL, what: str) -> FetchError:
    """Say what a status other than 200 means for the operator."""
    status = response.status
    if status == HTTPStatus.GONE:
        return FetchError(f"{_host(target)} says that the {what} is gone for good (410)", permanent=True, status=status)
    meaning = {
        401: "asks for a password",
        403: "refuses us",
        404: f"has no {what} there",
        429: "finds us too eager",
    }.get(
        status, "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else f"answered with something that is no {what}"
    )
    wait = retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)) if status in _LATER else None
    return FetchError(f"{_host(target)} {meaning} ({status})", retry_after=wait, status=status)


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read a Retry-After header, seconds or a date; None for a missing, past or unreadable one."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:12])), _LONGEST)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(wait, _LONGEST) if wait > timedelta(0) else None


def _explain(error: Exception, target: URL) -> NoReturn:
    """Raise what went wrong on the way, in words; the order matters, for aiohttp's errors inherit one another."""
    host = _host(target)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, RefusedAddressError):
        raise RefusedTargetError(f"{host} is {error.os_error}; allow_private: true lets this feed be there") from error
    raise FetchError(_reason(error, host)) from error


def _reason(error: Exception, host: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and type(error) is aiohttp.ClientConnectorError:
        return f"{host} cannot be reached: {excerpt(error.os_error.strerror or str(error.os_error), 200)}"
    for kinds, words in _REASONS:
        if isinstance(error, kinds):
            return words.format(host=host)
    return f"the connection to {host} broke: {excerpt(str(error), 200) or type(error).__name__}"


def _host(target: URL) -> str:
    return target.host or "the server"


def _shown(target: URL) -> str:
    return str(target.with_user(None))[:200]


def _seconds(limit: timedelta) -> str:
    return f"{limit.total_seconds():g} s"
