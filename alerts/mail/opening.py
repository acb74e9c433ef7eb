"""Opens connections to a relay: aiosmtplib connects, encrypts, says EHLO, logs in; then the data phase takes over."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Protocol, cast

import aiosmtplib

from alerts.core.errors import RelayError
from alerts.core.model import Envelope
from alerts.mail.offer import Offer
from alerts.mail.pipelining import Ahead, MayBegin, Pipelined, Tell, always
from alerts.mail.replies import Replies
from alerts.mail.stepwise import Stepwise
from alerts.mail.stream import AtOnce
from alerts.mail.timeouts import Timeouts


class Connection(Protocol):
    """An open connection, whichever way it sends."""

    usable: bool
    lied: bool

    async def pump(
        self,
        first: Envelope,
        ahead: Ahead,
        tell: Tell,
        at_once: AtOnce | None = None,
        *,
        may_begin: MayBegin = always,
    ) -> None:
        """Send ``first`` and what ``ahead`` gives, until that ends or this connection is spent."""

    async def quit(self) -> None:
        """Say goodbye; that it fails is no failure."""

    def close(self) -> None:
        """Drop the connection at once."""


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


async def open_connection(
    endpoint: Endpoint,
    timeouts: Timeouts,
    *,
    share: int = 100,
    pipelining: bool = True,
    tls_context: ssl.SSLContext | None = None,
) -> Connection:
    """Connect, encrypt, say EHLO, log in; raise RelayError, permanent when asking again is pointless.

    ``share`` is how many messages the connection may carry; ``pipelining=False`` is for a server known to lie about it.
    """
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
    offer = Offer.of(client.esmtp_extensions)
    if pipelining and offer.pipelining and client.transport is not None:
        replies = Replies()
        transport = cast("asyncio.Transport", client.transport)
        transport.set_protocol(replies)
        return Pipelined(transport, replies, offer, timeouts, share=share)
    return Stepwise(client, offer, timeouts, share=share)


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


#: How a handshake breaks when the line does: that says nothing about TLS.
_BROKEN_LINES = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def _is_tls_refusal(error: BaseException | None) -> bool:
    """Say whether asking again is pointless: a bad certificate, no common TLS, a server that refuses STARTTLS."""
    if type(error) is aiosmtplib.SMTPResponseException and 500 <= error.code < 600:  # noqa: PLR2004 - of the commands before a login, only STARTTLS raises this very class
        return True
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_LINES):
            return True
        if "STARTTLS extension not supported" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
