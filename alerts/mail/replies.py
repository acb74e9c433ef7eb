"""Reads SMTP replies off a connection, each in its order; bounded, and total over whatever a server sends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MAX_LINE = 8_192  # RFC 5321 says 512; servers say more
MAX_REPLY = 32_768  # all lines of one reply
_MAX_QUEUED = 64  # replies that nobody asked for yet
_CODES = {str(code).encode(): code for code in range(200, 600)}
_GO_AHEAD = 354
_NEVER = float("inf")


class BrokenReplyError(ConnectionError):
    """The server sent what is no reply, or the connection ended."""


class Replies(asyncio.Protocol):
    """The reading half of a pipelined SMTP connection: ``await next(timeout)`` gives (code, text)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rest = b""  # the beginning of a line
        self._lines: list[bytes] = []  # of a reply whose last line is still to come
        self._code = 0
        self._size = 0
        self._ready: deque[tuple[int, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0  # of the waiter, by the loop's clock
        self._alarm: asyncio.TimerHandle | None = None
        self._ended: BrokenReplyError | None = None
        self._late = False  # what was expected did not come in time
        self.listener: Callable[[], None] | None = None  # told of whatever happens, in place of who waits

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
            await self._arrival(timeout_s)
        self._late = False  # what was late came after all
        code, text = self._ready.popleft()
        return code, text.decode("utf-8", "replace")

    @property
    def waits_in_vain(self) -> bool:
        """Whether a listener will hear nothing good: no reply can come, or it did not in time, or it was another."""
        return bool(self._ready) or self._ended is not None or self._late

    def expect(self, timeout_s: float) -> None:
        """Tell the listener, or who waits, when no reply came within so long from now."""
        self._deadline = self._loop.time() + timeout_s
        if self._alarm is None or self._alarm.when() > self._deadline:
            self._set_alarm()

    def taken(self) -> tuple[int, str] | None:
        """Take the reply that says that a mail was taken, if it is here; else leave all."""
        if not self._ready or self._ready[0][0] >= 300:  # noqa: PLR2004 - RFC 5321's classes
            return None
        self._deadline = _NEVER
        code, text = self._ready.popleft()
        return code, text.decode("utf-8", "replace")

    def granted(self) -> bool:
        """Take the replies to MAIL, RCPT and DATA if they are here already and let a body begin; else leave all."""
        ready = self._ready
        if len(ready) < 3 or ready[2][0] != _GO_AHEAD or ready[0][0] >= 300 or ready[1][0] >= 300:  # noqa: PLR2004 - one a command; RFC 5321's classes
            return False
        for _ in range(3):
            ready.popleft()
        return True

    @property
    def may_grant(self) -> bool:
        """Whether what is here of the replies to MAIL, RCPT and DATA is good, and the rest may still come."""
        here = len(self._ready) < 3 and all(code < 300 for code, _ in self._ready)  # noqa: PLR2004 - as above
        return here and self._ended is None and not self._late

    def data_received(self, data: bytes) -> None:
        """Cut what came into lines, and lines into replies."""
        if self._ended is not None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line.rstrip(b"\r"))
            if self.ended:
                break
        if len(self._rest) > MAX_LINE:
            self._end("a reply line without end")
        if self._ready or self.ended:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that nothing more comes."""
        self._end(f"connection lost: {exc}" if exc else "connection lost")
        self._wake()
        if self._alarm is not None:
            self._alarm.cancel()

    def eof_received(self) -> bool:
        """Close our side too."""
        self._end("the server closed the connection")
        self._wake()
        return False

    def _take_line(self, line: bytes) -> None:
        code, mark = _CODES.get(line[:3]), line[3:4]
        if code is None or self._code not in {0, code}:
            self._end(f"not a reply: {line[:80].decode('ascii', 'backslashreplace')}")
            return
        text = line[4:] if mark in {b" ", b"-"} else line[3:]
        self._size += len(line)
        if self._size > MAX_REPLY or len(self._ready) >= _MAX_QUEUED:
            self._end("a reply without end")
        elif mark == b"-":
            self._code = code
            self._lines.append(text)
        else:
            self._ready.append((code, b" ".join([*self._lines, text]) if self._lines else text))
            self._lines, self._code, self._size = [], 0, 0

    async def _arrival(self, timeout_s: float) -> None:
        """Wait until a reply is here."""
        if self._ended is not None:
            raise self._ended
        if self._late:
            self._late = False
            raise TimeoutError
        self.expect(timeout_s)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if not self._ready:
            raise self._ended or BrokenReplyError("connection lost")

    def _set_alarm(self) -> None:
        """Look at the deadline when it is due; one that has moved meanwhile costs nothing until then."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(self._deadline, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._alarm = None
        if self._deadline == _NEVER or (self.listener is None and (self._waiter is None or self._waiter.done())):
            return
        if self._loop.time() < self._deadline:
            self._set_alarm()
        elif self.listener is not None:
            self._late = True
            self.listener()
        elif self._waiter is not None:
            self._waiter.set_exception(TimeoutError())

    def _end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = BrokenReplyError(reason)

    def _wake(self) -> None:
        if self.listener is not None:
            self.listener()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
