"""One SMTP connection, one command at a time: aiosmtplib opens it, and each mail's fate is told apart by stage.

What matters most is when a connection breaks: before the final dot the mail was not taken; after it, it may have been.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass

import aiosmtplib

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried
from alerts.core.errors import RelayError
from alerts.core.model import Envelope

_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_CLOSING = 421  # RFC 5321: the server closes the channel
_EXPECTED = {Stage.MAIL: 2, Stage.RCPT: 2, Stage.DATA: 3}  # the class of the reply that lets us go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that we wait for a server, at most (RFC 5321 4.5.3.2 allows more; a stalled relay holds a connection)."""

    connect_s: float = 30
    command_s: float = 60
    body_s: float = 300
    quit_s: float = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a relay listens and how to be let in; the password never shows in a repr."""

    host: str
    port: int
    tls: str  # required | opportunistic | none
    implicit_tls: bool = False
    username: str | None = None
    password: str | None = None
    helo: str | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.host}:{self.port})"


class Connection:
    """An open connection to a relay; ``usable`` turns false once it must be replaced."""

    def __init__(self, client: aiosmtplib.SMTP, timeouts: Timeouts) -> None:
        self._client = client
        self._timeouts = timeouts
        self.usable = True
        self.carried = 0

    @classmethod
    async def open(
        cls, endpoint: Endpoint, timeouts: Timeouts, *, tls_context: ssl.SSLContext | None = None
    ) -> Connection:
        """Connect, encrypt, say EHLO, log in; raise RelayError, permanent when asking again is pointless."""
        client = aiosmtplib.SMTP(
            hostname=endpoint.host,
            port=endpoint.port,
            local_hostname=endpoint.helo or "localhost",
            use_tls=endpoint.implicit_tls,
            start_tls={"required": not endpoint.implicit_tls, "none": False}.get(endpoint.tls),
            tls_context=tls_context,
            validate_certs=endpoint.tls == "required" or endpoint.implicit_tls,
            timeout=timeouts.connect_s,
        )
        try:
            await client.connect()
            await _greet(client)
            await _log_in(client, endpoint)
        except RelayError:  # ours already, and an OSError too
            client.close()
            raise
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise _relay_error(endpoint, error) from error
        except BaseException:  # a cancelled connect must not leave a socket behind
            client.close()
            raise
        return cls(client, timeouts)

    async def send(self, envelope: Envelope) -> Result:
        """Hand one message over; say what the server answered, or how far it came."""
        refused = self._cannot_carry(envelope)
        if refused is not None:
            return refused
        stage = Stage.MAIL
        try:
            for stage, command in self._commands(envelope):
                reply = await self._ask(command, stage)
                if 400 <= reply.code < 600:  # noqa: PLR2004 - RFC 5321's classes
                    return await self._refused(reply)
                if reply.code // 100 != _EXPECTED[stage]:
                    return self._broken(stage, ValueError(f"unexpected reply {reply}"))
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._broken(stage, error)
        return await self._send_body(envelope)

    async def quit(self) -> None:
        """Say goodbye; that it fails is no failure."""
        self.usable = False
        try:
            await asyncio.wait_for(self._client.quit(), self._timeouts.quit_s)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            self._client.close()

    def close(self) -> None:
        """Drop the connection at once."""
        self.usable = False
        self._client.close()

    def _cannot_carry(self, envelope: Envelope) -> Reply | None:
        """Refuse, for this recipient alone, what this server cannot take."""
        if envelope.smtputf8 and not self._client.supports_extension("smtputf8"):
            return Reply(code=553, text="the relay does not offer SMTPUTF8, which this address needs", stage=Stage.RCPT)
        limit = self._client.esmtp_extensions.get("size", "")
        if limit.isascii() and limit.isdigit() and 0 < int(limit) < len(envelope.message):
            return Reply(code=554, text=f"the relay takes at most {limit} octets", stage=Stage.BODY)
        return None

    def _commands(self, envelope: Envelope) -> list[tuple[Stage, bytes]]:
        options = ""
        if self._client.supports_extension("size"):
            options += f" SIZE={len(envelope.message)}"
        if envelope.smtputf8:
            options += " SMTPUTF8 BODY=8BITMIME"
        return [
            (Stage.MAIL, f"MAIL FROM:<{envelope.sender}>{options}".encode()),
            (Stage.RCPT, f"RCPT TO:<{envelope.recipient}>".encode()),
            (Stage.DATA, b"DATA"),
        ]

    async def _ask(self, command: bytes, stage: Stage) -> Reply:
        response = await self._client.execute_command(command, timeout=self._timeouts.command_s)
        return Reply(code=response.code, text=response.message, stage=stage)

    async def _send_body(self, envelope: Envelope) -> Result:
        protocol = self._client.protocol
        if protocol is None:
            return self._broken(Stage.DATA, ConnectionResetError("connection lost"))
        body = _LEADING_DOT.sub(b"..", envelope.message) + b".\r\n"
        try:
            protocol.write(body)
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._broken(Stage.DATA, error)
        try:
            response = await protocol.read_response(timeout=self._timeouts.body_s)
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._broken(Stage.BODY, error)
        reply = Reply(code=response.code, text=response.message, stage=Stage.BODY)
        if reply.code // 100 not in {2, 4, 5}:
            return self._broken(Stage.BODY, ValueError(f"unexpected reply {reply}"))
        self.carried += 1
        self.usable = reply.code != _CLOSING
        return reply

    async def _refused(self, reply: Reply) -> Result:
        """Account for a refusal and make the connection ready for the next mail."""
        if reply.code == _CLOSING:
            self.close()
            return Untried(reason=str(reply)) if reply.stage is Stage.MAIL else reply
        try:
            await self._client.rset(timeout=self._timeouts.command_s)
        except (aiosmtplib.SMTPException, OSError):
            self.close()
        return reply

    def _broken(self, stage: Stage, error: Exception) -> Result:
        """Say how far the mail came when the connection broke, or the server spoke nonsense."""
        self.close()
        reason = f"{stage.value}: {error or type(error).__name__}"
        if stage is Stage.MAIL:
            return Untried(reason=reason)
        return InDoubt(reason=reason) if stage is Stage.BODY else Dropped(reason=reason)


async def _greet(client: aiosmtplib.SMTP) -> None:
    """Say EHLO, or HELO to a server that knows no better."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


async def _log_in(client: aiosmtplib.SMTP, endpoint: Endpoint) -> None:
    """Log in where there is a user; never show a password to the wire in the clear unless `tls: none` says so."""
    if endpoint.username is None:
        return
    if endpoint.tls != "none" and client.get_transport_info("sslcontext") is None:
        raise RelayError(
            f"{endpoint.host}:{endpoint.port} offers no TLS, so the password was not sent. "
            "Set `tls: none` for this relay if that is meant.",
            permanent=True,
        )
    await client.login(endpoint.username, endpoint.password or "")


_CONDEMNING = frozenset({530, 534, 535, 538})


def _relay_error(endpoint: Endpoint, error: Exception) -> RelayError:
    """Tell a relay that is down from one that refuses us."""
    where = f"{endpoint.host}:{endpoint.port}"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) or getattr(error, "code", 0) in _CONDEMNING:
        permanent = not 400 <= getattr(error, "code", 0) < 500  # noqa: PLR2004 - 454 is temporary (RFC 4954)
        return RelayError(f"{where} refuses the login: {error}. Check username and password_file.", permanent=permanent)
    if _is_tls_refusal(error):
        return RelayError(
            f"{where}: TLS failed: {error}. Check the certificate, or `tls:` of this relay.", permanent=True
        )
    return RelayError(f"{where} cannot be used now: {error or type(error).__name__}")


def _is_tls_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "STARTTLS extension not supported" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
