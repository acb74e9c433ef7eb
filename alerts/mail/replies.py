"""Reads SMTP replies off a connection, each in its order; bounded, and total over whatever a server sends."""

from __future__ import annotations

import asyncio
import re
from collections import deque

_LINE = re.compile(rb"\A([2-5][0-9]{2})([ -]?)(.*)\Z", re.DOTALL)
MAX_LINE = 8_192  # RFC 5321 says 512; servers say more
MAX_REPLY = 32_768  # all lines of one reply
_MAX_QUEUED = 64  # replies that nobody asked for yet


class BrokenReplyError(ConnectionError):
    """The server sent what is no reply, or the connection ended."""


class Replies(asyncio.Protocol):
    """The reading half of a pipelined SMTP connection: ``await next(timeout)`` gives (code, text)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._code = b""
        self._size = 0
        self._ready: deque[tuple[int, str]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended: BrokenReplyError | None = None

    @property
    def ended(self) -> bool:
        """Whether the connection is over or spoke nonsense: no further reply will come."""
        return self._ended is not None

    @property
    def unasked(self) -> int:
        """How many replies lie here already; before a command is written there should be none."""
        return len(self._ready)

    async def next(self, timeout_s: float) -> tuple[int, str]:
        """Give the next reply; raise TimeoutError, or BrokenReplyError when none can come any more."""
        if not self._ready:
            if self._ended is not None:
                raise self._ended
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._waiter
            finally:
                self._waiter = None
        if not self._ready:
            raise self._ended or BrokenReplyError("connection lost")
        return self._ready.popleft()

    def data_received(self, data: bytes) -> None:
        """Cut what came into lines, and lines into replies."""
        if self._ended is not None:
            return
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0 and self._ended is None:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._take_line(line)
        if len(self._buffer) > MAX_LINE:
            self._end("a reply line without end")
        if self._ready or self._ended is not None:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that nothing more comes."""
        self._end(f"connection lost: {exc}" if exc else "connection lost")
        self._wake()

    def eof_received(self) -> bool:
        """Close our side too."""
        self._end("the server closed the connection")
        self._wake()
        return False

    def _take_line(self, line: bytes) -> None:
        found = _LINE.match(line)
        if found is None or (self._code and found[1] != self._code):
            self._end(f"not a reply: {line[:80].decode('ascii', 'backslashreplace')}")
            return
        self._code = found[1]
        self._lines.append(found[3])
        self._size += len(line)
        if self._size > MAX_REPLY or len(self._ready) >= _MAX_QUEUED:
            self._end("a reply without end")
        elif found[2] != b"-":
            text = b" ".join(self._lines).decode("utf-8", "replace")
            self._ready.append((int(self._code), text))
            self._lines, self._code, self._size = [], b"", 0

    def _end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = BrokenReplyError(reason)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
