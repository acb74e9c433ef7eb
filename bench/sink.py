"""An SMTP sink: takes every mail at once and counts it, fast enough not to be what a bench measures.

No mail server: it keeps nothing, checks nothing and must listen on loopback only. It runs as its own process and
prints its port on the first line:

    python bench/sink.py --port 0 --count-file COUNT [--log MESSAGE-IDS]

COUNT then holds one line of JSON, renewed every 20 ms and when the sink ends (SIGTERM): ``messages``, ``connections``
(so far), ``most_open`` (at once), ``first_at`` and ``last_at`` (seconds of the machine's monotonic clock, or null).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

try:
    import uvloop
except ImportError:  # Windows
    uvloop = None  # type: ignore[assignment, unused-ignore]

_RENEW_S = 0.02
_LINE = 2_048  # a longer command is nobody's
_END = b"\r\n.\r\n"
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n"
_OK = b"250 ok\r\n"
_REPLIES = {
    b"MAIL": _OK,
    b"RCPT": _OK,
    b"RSET": _OK,
    b"NOOP": _OK,
    b"EHLO": _EHLO,
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Tally:
    """What came in so far."""

    keeps_ids: bool = False
    messages: int = 0
    connections: int = 0
    open: int = 0
    most_open: int = 0
    first_at: float | None = None
    last_at: float | None = None
    ids: list[bytes] = field(default_factory=list)  # since they were last written

    def add(self, message: bytes | None) -> None:
        """Count a mail; ``message`` where its Message-ID is wanted."""
        self.messages += 1
        self.last_at = time.monotonic()
        if self.first_at is None:
            self.first_at = self.last_at
        if message is not None:
            found = _MESSAGE_ID.search(message)
            self.ids.append(found[1] if found else b"-")

    def line(self) -> bytes:
        """Say it as one line, always as long, so that a reader never sees the end of an older one."""
        told = {
            "messages": self.messages,
            "connections": self.connections,
            "most_open": self.most_open,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }
        return json.dumps(told).encode().ljust(200) + b"\n"


class Sink(asyncio.Protocol):
    """One connection: a buffer that is searched for the end of a line, or for the end of a mail; nothing else."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._in_data = False
        self._rest = b""  # what came of an unfinished line or mail
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._tally.connections += 1
        self._tally.open += 1
        self._tally.most_open = max(self._tally.most_open, self._tally.open)
        self._transport.write(b"220 sink\r\n")

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the connection."""
        self._tally.open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer every command and every mail that is complete, in one write."""
        data = self._rest + data if self._rest else data
        answers: list[bytes] = []
        at, going = 0, True
        while going:
            at, going = self._mail(data, at, answers) if self._in_data else self._command(data, at, answers)
        self._rest = self._kept(data, at)
        if answers:
            self._transport.write(b"".join(answers))
            if answers[-1] is _REPLIES[b"QUIT"]:
                self._transport.close()

    def _command(self, data: bytes, at: int, answers: list[bytes]) -> tuple[int, bool]:
        end = data.find(b"\r\n", at)
        if end < 0:
            if len(data) - at > _LINE:
                self._transport.close()
            return at, False
        answer = _REPLIES.get(data[at : at + 4].upper(), b"502 what?\r\n")
        answers.append(answer)
        if answer is _REPLIES[b"DATA"]:
            self._in_data = True
            return end, True  # the line's end may be the first half of an empty mail's end
        return end + 2, answer is not _REPLIES[b"QUIT"]

    def _mail(self, data: bytes, at: int, answers: list[bytes]) -> tuple[int, bool]:
        end = data.find(_END, at)
        if end < 0:
            return at, False
        self._tally.add(data[at:end] if self._tally.keeps_ids else None)
        answers.append(_OK)
        self._in_data = False
        return end + len(_END), True

    def _kept(self, data: bytes, at: int) -> bytes:
        """Keep what is unfinished; of a mail that nobody looks at, only what may begin its end."""
        if self._in_data and not self._tally.keeps_ids:
            at = max(at, len(data) - len(_END) + 1)
        return data[at:]


async def serve(port: int, tally: Tally, *, count_file: Path | None, log: Path | None) -> None:
    """Listen on loopback until SIGTERM or SIGINT; print the port first."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Sink(tally), "127.0.0.1", port, backlog=1_024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    counts = os.open(count_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if count_file else None
    ids = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else None
    told = b""
    while True:
        stopping = stop.is_set()
        if tally.ids and ids is not None:
            os.write(ids, b"\n".join([*tally.ids, b""]))
            tally.ids.clear()
        if counts is not None and (line := tally.line()) != told:
            os.pwrite(counts, told := line, 0)
        if stopping:
            break
        await _sleep(stop, _RENEW_S)
    server.close()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def main() -> None:
    """Read the arguments and serve."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--port", type=int, default=0)
    reader.add_argument("--count-file", type=Path)
    reader.add_argument("--log", type=Path, help="a line per mail: its Message-ID")
    asked = reader.parse_args()
    tally = Tally(keeps_ids=asked.log is not None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        runner.run(serve(asked.port, tally, count_file=asked.count_file, log=asked.log))


if __name__ == "__main__":
    main()
