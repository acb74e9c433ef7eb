"""Serves the site from the daemon's own event loop; signals, logs and the end of the process are the daemon's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from alerts.core.errors import AlertsError
from alerts.web.connection import HEAD_S, Connection

MAX_HEADER_BYTES = 16 << 10
MAX_CONNECTIONS = 1_000
KEEP_ALIVE_S = 15
STOP_S = 5


class WebServer:
    """One listening address: ``await start()``, and ``await stop()`` once what was asked is answered."""

    def __init__(self, site: ASGIApp, host: str, port: int, *, head_s: float = HEAD_S) -> None:
        """``head_s`` is how long whoever connects may take until a request's head is whole."""
        self._host = host
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                site,
                http=type("Connection", (Connection,), {"head_s": head_s}),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,  # it would log paths, and paths hold tokens
                proxy_headers=False,  # the socket's address counts
                server_header=False,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: the real port, also when it was asked for port 0."""
        if self._socket is None:
            return self._host, self._port
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen and serve; when this returns, requests are answered. Raises AlertsError for an address in use."""
        try:
            self._socket = _listen(self._host, self._port)
        except OSError as error:
            raise AlertsError(_why_not(self._host, self._port, error)) from error
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="web")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise AlertsError("the web server ended before it began")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Take no more requests, answer those that are in, and close."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._server.should_exit = True
        await task
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: the daemon does, and then calls ``stop``."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen at once, so that a port in use shows before anything else is started."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR lets two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    shown = f"[{host}]:{port}" if _is_ipv6(host) else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"the web site cannot listen on {shown}: something else does, perhaps another `alerts run`. "
            "Stop it, or write another address under web.listen."
        )
    reason = error.strerror or type(error).__name__
    return f"the web site cannot listen on {shown}: {reason}; write another address under web.listen."


def _is_ipv6(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004 - the version's number
    return False
