"""A connection that a stranger cannot keep for nothing: who begins a request has to end it in time (slow loris).

uvicorn gives a connection as long as it likes until a request's head is whole, and again while a body comes that nobody
reads. A thousand such connections would be all that the server holds. How long a body may take that somebody reads, the
guard says.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from alerts.web.guard import SAFE_HEADERS

HEAD_S = 15.0


class Connection(H11Protocol):
    """uvicorn's, with an end to its patience, and with our headers on the one answer that uvicorn gives by itself."""

    head_s = HEAD_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **kwargs)
        self._too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._hold_to_time()

    def data_received(self, data: bytes) -> None:
        """Read on; a byte more is no reason to wait longer."""
        super().data_received(data)
        self._hold_to_time()

    def on_response_complete(self) -> None:
        """Wait for the next request, as uvicorn does, or for the rest of a body that nobody reads."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._hold_to_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        super().connection_lost(exc)
        self._forget_time()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"), *SAFE_HEADERS.items()]
        answer = h11.Response(status_code=HTTPStatus.BAD_REQUEST, headers=headers, reason=b"Bad Request")
        for event in (answer, h11.Data(data=msg.encode("ascii")), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _hold_to_time(self) -> None:
        """Start the time when something is awaited that nobody else times; stop it when that has come."""
        unread = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        if self.transport.is_closing() or not (self.conn.their_state is h11.IDLE or unread):
            self._forget_time()
        elif self._too_late is None:
            self._too_late = self.loop.call_later(self.head_s, self.transport.close)

    def _forget_time(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
