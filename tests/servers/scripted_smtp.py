"""A real SMTP server on loopback that does as it is told in every phase: answers, stalls, drops, talks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

DROP = b"\0drop"
STALL = b"\0stall"
EHLO = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


@dataclass(slots=True)
class Session:
    """One connection as the server sees it."""

    number: int
    mails: int = 0
    sender: str = ""
    recipient: str = ""
    begun: bool = False  # a sender was accepted
    ready: bool = False  # a recipient was accepted
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail for which the server said 250, or heard the final dot."""

    sender: str
    recipient: str
    data: bytes
    acknowledged: bool

    def header(self, name: str) -> str:
        prefix = name.lower().encode() + b":"
        lines = self.data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        return next(line.partition(b":")[2].strip().decode() for line in lines if line.lower().startswith(prefix))


#: Says what to answer at a phase (banner, ehlo, mail, rcpt, data, dot, quit, …); None: what a good server answers.
Script = Callable[[str, Session], bytes | None]


class ScriptedSmtp:
    """Use as ``async with ScriptedSmtp(script) as server``; ``server.taken`` is what it heard."""

    def __init__(self, script: Script | None = None, *, extensions: Sequence[str] = EHLO, port: int = 0) -> None:
        self.taken: list[Taken] = []
        self.sessions: list[Session] = []
        self.open = 0
        self.most_open = 0
        self._script = script or (lambda _phase, _session: None)
        self._extensions = extensions
        self.port = port
        self.pause_s = 0.0  # before it answers a body
        self.generous = False  # says 354 though no recipient was accepted (RFC 2920, 3.1)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> list[Taken]:
        return [one for one in self.taken if one.acknowledged]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 25)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        session = Session(number=len(self.sessions))
        self.sessions.append(session)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(session, reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going = await self._answer("banner", session, writer, b"220 scripted ESMTP\r\n")
        while going:
            line = (await reader.readuntil(b"\n")).rstrip(b"\r\n").decode("utf-8", "replace")
            session.commands.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            going = await self._obey(verb, line, session, reader, writer)

    async def _obey(  # noqa: PLR0911 - a table of verbs
        self, verb: str, line: str, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        match verb:
            case "EHLO":
                lines = ["scripted", *self._extensions]
                good = "".join(f"250{'-' if at + 1 < len(lines) else ' '}{it}\r\n" for at, it in enumerate(lines))
                return await self._answer("ehlo", session, writer, good.encode())
            case "MAIL":
                session.sender = line.partition("<")[2].partition(">")[0]
                session.ready = False
                reply = self._script("mail", session) or b"250 2.1.0 Ok\r\n"
                session.begun = reply.startswith(b"2")
                return await self._say(reply, writer)
            case "RCPT" if not session.begun:
                return await self._say(b"503 5.5.1 no sender\r\n", writer)
            case "RCPT":
                session.recipient = line.partition("<")[2].partition(">")[0]
                reply = self._script("rcpt", session) or b"250 2.1.5 Ok\r\n"
                session.ready = reply.startswith(b"2")
                return await self._say(reply, writer)
            case "DATA" if not session.ready and not self.generous:
                return await self._say(b"503 5.5.1 no recipient\r\n", writer)
            case "DATA":
                return await self._data(session, reader, writer)
            case "QUIT":
                await self._answer("quit", session, writer, b"221 2.0.0 Bye\r\n")
                return False
            case _:
                return await self._answer(verb.lower(), session, writer, b"250 2.0.0 Ok\r\n")

    async def _data(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reply = self._script("data", session)
        if reply is not None and not reply.startswith(b"354"):
            return await self._say(reply, writer)
        await self._say(reply or b"354 go ahead\r\n", writer)
        if self._script("body", session) == DROP:
            await reader.readexactly(20)
            return False
        body = b""
        while body != b".\r\n" and not body.endswith(b"\r\n.\r\n"):
            body += await reader.readuntil(b".\r\n")
        if not session.ready:
            return await self._say(b"554 5.5.1 no valid recipients\r\n", writer)
        await asyncio.sleep(self.pause_s)
        reply = self._script("dot", session) or b"250 2.0.0 queued\r\n"
        data = body[:-3].removeprefix(b".").replace(b"\r\n.", b"\r\n")
        self.taken.append(Taken(session.sender, session.recipient, data, acknowledged=reply.startswith(b"250")))
        session.mails += 1
        return await self._say(reply, writer)

    async def _answer(self, phase: str, session: Session, writer: asyncio.StreamWriter, good: bytes) -> bool:
        return await self._say(self._script(phase, session) or good, writer)

    async def _say(self, reply: bytes, writer: asyncio.StreamWriter) -> bool:
        if reply == DROP:
            return False
        if reply == STALL:
            await asyncio.sleep(3600)
        writer.write(reply)
        await writer.drain()
        return not reply.startswith(b"421")


def connected_to(port: int) -> int:
    """Count this process's connections to a port of loopback that it has not closed.

    Each by its inode: while other processes connect, the kernel's table can list one twice.
    """
    if not Path("/proc/net/tcp").exists():
        return 0
    ours = set(sockets_of_this_process())
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    theirs = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"}
    return len(ours & theirs)


def sockets_of_this_process() -> list[str]:
    """List what the files of this process are that are sockets, as ``socket:[inode]``."""
    found = []
    for file in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile, as the one that listed it
            found.append(file.readlink().name)
    return [name for name in found if name.startswith("socket:")]


class SinkThread:
    """A relay in a thread of its own, for tests that are not asynchronous; ``with SinkThread() as server``."""

    def __init__(self, script: Script | None = None, *, port: int = 0) -> None:
        self.server = ScriptedSmtp(script, port=port)
        self._started = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with self.server:
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> ScriptedSmtp:
        self._thread.start()
        assert self._started.wait(10)
        return self.server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()
