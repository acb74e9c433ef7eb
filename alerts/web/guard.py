"""What holds for every answer: security headers, limits on bodies, one log line, no stack trace.

Plain ASGI, so that it also covers what the framework answers by itself. The log names the route, never the path:
paths hold tokens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 << 10
BODY_S = 30.0  # in so long a body has come, or it comes at least
SLOWEST_BODY = 8 << 10  # bytes a second


def page_policy(*, scripts: bool = False, framed_by: str = "'none'") -> str:
    """Say what a page may load, files of ours, a script only where it has one; and who may show it in a frame."""
    allowed = "script-src 'self'; " if scripts else ""
    return (
        f"default-src 'none'; {allowed}style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors {framed_by}"
    )


PAGE_POLICY = page_policy()
#: On every answer that does not bring its own.
SAFE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": PAGE_POLICY,
        "Referrer-Policy": "no-referrer",  # our URLs hold tokens
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Robots-Tag": "noindex",
    }
)
_INDEXED = {"/", "/c/{slug}"}  # what a search engine may list
_QUIET = {"/healthz", "/readyz", "/static/{name}", "/embed.css"}

_log = structlog.get_logger(__name__)

ErrorPage = Callable[[Request, int], Awaitable[Response]]


class BodyError(Exception):
    """A body that is not read any further."""

    status = 400


class BodyTooLargeError(BodyError):
    """A body that went on past the limit."""

    status = 413


class BodyTooSlowError(BodyError):
    """A body that came drop by drop, or not at all: what waits for it costs us more than whoever sends it."""

    status = 408


class Guard:
    """Wraps the whole site."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        error_page: ErrorPage,
        max_body: int = MAX_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
        body_s: float = BODY_S,
    ) -> None:
        """``larger`` names beginnings of paths that take larger bodies, and how large; ``body_s`` is for a slow one."""
        self._app = app
        self._error_page = error_page
        self._max_body = max_body
        self._larger = larger or {}
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, watched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        answer = _Answer(scope, send)
        if _has_two_ends(scope):
            await self._fail(400, scope, receive, answer)
        elif _declared_length(scope) > self._limit(scope):
            await self._fail(413, scope, receive, answer)
        else:
            await self._serve(scope, receive, answer)
        _journal(scope, answer.status, time.monotonic() - started)

    def _limit(self, scope: Scope) -> int:
        path = str(scope["path"])
        return next((limit for start, limit in self._larger.items() if path.startswith(start)), self._max_body)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """Answer the request, whatever happens in the pages."""
        try:
            await self._app(scope, _limited(receive, self._limit(scope), self._body_s), answer.send)
        except ClientDisconnect:
            return
        except BodyError as error:
            await self._fail(error.status, scope, receive, answer)
        except Exception:  # noqa: BLE001 - the last floor: a bug is logged, and shown to nobody
            _log.exception("request_failed", route=_route(scope), method=_method(scope))
            await self._fail(500, scope, receive, answer)

    async def _fail(self, status: int, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if answer.status is not None:
            return  # too late to say anything else
        try:
            response = await self._error_page(Request(scope), status)
        except Exception:  # noqa: BLE001 - an operator's own template may break even this page
            _log.exception("error_page_failed", status=status)
            response = PlainTextResponse("Something broke. Please try again later.\n", status_code=status)
        response.headers["Connection"] = "close"  # the rest of the body is not read
        await response(scope, receive, answer.send)


class _Answer:
    """Sends an answer with our headers, and remembers its status."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in SAFE_HEADERS.items():
                if name not in headers:
                    headers[name] = value
            if _route(self._scope) in _INDEXED and headers["X-Robots-Tag"] == "noindex":
                del headers["X-Robots-Tag"]
        await self._send(message)


def _declared_length(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _has_two_ends(scope: Scope) -> bool:
    """Say whether a request tells its end in two ways: what stands before us may believe the other (RFC 9112, 6.1)."""
    headers = Headers(scope=scope)
    return "content-length" in headers and "transfer-encoding" in headers


def _limited(receive: Receive, limit: int, patience_s: float) -> Receive:
    """Count a body as it comes in, since its declared length may be missing, or a lie; and wait for it so long."""
    taken, more, began = 0, True, 0.0

    async def limited() -> Message:
        nonlocal taken, more, began
        began = began or time.monotonic()  # only what is waited for counts: a page may have let the body lie
        left = began + patience_s + taken / SLOWEST_BODY - time.monotonic()
        try:
            async with asyncio.timeout(left if more else None):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlowError from None
        if message["type"] == "http.request":
            more = message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLargeError
        return message

    return limited


def _journal(scope: Scope, status: int | None, seconds: float) -> None:
    route = _route(scope)
    log = _log.debug if route in _QUIET else _log.info
    log("request", method=_method(scope), route=route, status=status, duration_ms=round(seconds * 1000))


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "-"))


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method.isascii() and method.isalpha() and len(method) <= 10 else "?"  # noqa: PLR2004 - a known verb's length
