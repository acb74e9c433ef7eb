"""The built-in relay: a real SMTP server on loopback that keeps what it is sent and passes nothing on.

It runs on the caller's event loop. What it keeps is a Maildir (``caught.py``), so it is there after a restart.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from alerts.core.errors import ConfigError, RelayError
from alerts.mail.caught import MailEnvelope, MailStore

MAX_MESSAGE_BYTES = 10 << 20
MAX_RECIPIENTS = 100  # RFC 5321 section 4.5.3.1.8 asks for at least that many
MAX_CONNECTIONS = 200
IDLE_S = 300.0  # RFC 5321 section 4.5.3.2.7
STOP_S = 5.0

# aiosmtpd logs every address that it sees at INFO; ours never reach a log.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class Catcher:
    """An SMTP server for one machine: ``await start()``, hand ``address`` to a relay, ``await stop()``.

    Raises ConfigError for a host that is not loopback: it takes anybody's mail, so it must not be reachable.
    """

    def __init__(self, maildir: Path, host: str = "127.0.0.1", port: int = 1025) -> None:
        self.maildir = maildir
        self._host = _loopback(host)
        self._port = port
        self._store = MailStore(maildir)
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()
        self._storing: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: the real port, also when it was asked for port 0."""
        if self._server is None or not self._server.sockets:
            return self._host, self._port
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen, then count what was caught before; raise RelayError when the port or folder is not to be had."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._new_session, self._host, self._port, start_serving=False)
        except OSError as error:
            raise RelayError(self._why_not(error)) from error
        try:
            await asyncio.to_thread(self._store.open)
            await server.start_serving()
        except OSError as error:
            server.close()
            raise RelayError(f"the mail catcher cannot use its folder {self.maildir}: {_reason(error)}") from error
        self._server = server

    async def stop(self) -> None:
        """Take no more connections, finish the mails that are being written, hang up."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        if self._storing:
            await asyncio.wait(self._storing, timeout=STOP_S)
            await asyncio.sleep(0)  # lets the sessions say 250
        handlers = [session.hang_up() for session in list(self._sessions)]
        await asyncio.gather(*handlers, return_exceptions=True)

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any recipient, up to a limit."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Say 250 only when the mail is on disk."""
        task = asyncio.create_task(self._keep(envelope), name="catcher-keep")
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        try:
            await asyncio.shield(task)  # a client that hangs up now does not tear the write
        except OSError as error:
            return f"452 4.3.1 The mail catcher cannot write: {_reason(error)}"
        return "250 2.0.0 Caught"

    async def _keep(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        outside = MailEnvelope(sender=_bare(envelope.mail_from), recipients=tuple(map(_bare, envelope.rcpt_tos)))
        await asyncio.to_thread(self._store.add, content, outside)

    def _new_session(self) -> _Session:
        return _Session(self, self._sessions)

    def _why_not(self, error: OSError) -> str:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return (
                f"the mail catcher cannot listen on {where}: something else does, perhaps another `alerts run`. "
                "Stop it, or write another address under mail.catcher.listen."
            )
        return f"the mail catcher cannot listen on {where}: {_reason(error)}"


class _Session(SMTP):
    """One connection; known to its catcher as long as it lasts."""

    def __init__(self, catcher: Catcher, sessions: set[_Session]) -> None:
        super().__init__(
            catcher,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",  # else it asks the DNS for our name, and waits
            ident="News Alert mail catcher",
            timeout=IDLE_S,
            auth_require_tls=True,
            loop=asyncio.get_running_loop(),
        )
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the catcher's sessions; one too many is told to come back."""
        super().connection_made(transport)
        self._sessions.add(self)
        if len(self._sessions) > MAX_CONNECTIONS and isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 Too many connections\r\n")
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Leave them."""
        self._sessions.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> asyncio.Future[Any]:
        """Close the connection; await what is returned to see it gone."""
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is None:
            done: asyncio.Future[Any] = self.loop.create_future()
            done.set_result(None)
            return done
        return self._handler_coroutine


def _loopback(host: str) -> str:
    literal = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        if ipaddress.ip_address(literal).is_loopback:
            return literal
    except ValueError:
        pass
    raise ConfigError(f"the mail catcher takes anybody's mail, so it listens on 127.0.0.1 or ::1 only, not on {host!r}")


def _bare(address: str | None) -> str:
    return "" if address in {None, "<>"} else str(address)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
