"""SMTP one command at a time, for servers without PIPELINING: aiosmtplib speaks, we tell fates apart by stage.

What matters most is when a connection breaks: before the final dot the mail was not taken; after it, it may have been.
"""

from __future__ import annotations

import asyncio

import aiosmtplib

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried
from alerts.core.model import Envelope
from alerts.mail.offer import COMMANDS, Offer, body
from alerts.mail.pipelining import TOO_LATE, Ahead, MayBegin, Tell, always
from alerts.mail.stream import AtOnce
from alerts.mail.timeouts import Timeouts

_CLOSING = 421  # RFC 5321: the server closes the channel
_EXPECTED = {Stage.MAIL: 2, Stage.RCPT: 2, Stage.DATA: 3}  # the class of the reply that lets us go on


class Stepwise:
    """An open connection to a relay; ``usable`` turns false once it must be replaced."""

    lied = False

    def __init__(self, client: aiosmtplib.SMTP, offer: Offer, timeouts: Timeouts, *, share: int) -> None:
        self._client = client
        self._offer = offer
        self._timeouts = timeouts
        self._share = share  # messages that this connection may carry
        self.usable = True
        self.carried = 0

    async def pump(
        self,
        first: Envelope,
        ahead: Ahead,
        tell: Tell,
        at_once: AtOnce | None = None,  # noqa: ARG002 - one command at a time is never at once
        *,
        may_begin: MayBegin = always,
    ) -> None:
        """Send ``first`` and what ``ahead`` gives, until that ends or this connection is spent.

        ``may_begin`` is asked before every body: once it says no, what was asked for is given back and we hang up.
        """
        mail: Envelope | None = first
        while mail is not None:
            await tell(mail, await self.send(mail, may_begin=may_begin))
            mail = await ahead(None) if self.usable and self.carried < self._share else None

    async def send(self, envelope: Envelope, *, may_begin: MayBegin = always) -> Result:
        """Hand one message over; say what the server answered, or how far it came."""
        refused = self._offer.refusal(envelope)
        if refused is not None:
            return refused
        stage = Stage.MAIL
        try:
            for stage, command in zip(COMMANDS, self._offer.commands(envelope).splitlines(), strict=True):
                reply = await self._ask(command, stage)
                if 400 <= reply.code < 600:  # noqa: PLR2004 - RFC 5321's classes
                    return await self._refused(reply)
                if reply.code // 100 != _EXPECTED[stage]:
                    return self._broken(stage, ValueError(f"unexpected reply {reply}"))
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._broken(stage, error)
        if not may_begin():
            self.close()
            return Untried(reason=TOO_LATE)
        return await self._send_body(envelope)

    async def quit(self) -> None:
        """Say goodbye; that it fails is no failure."""
        self.usable = False
        try:
            await asyncio.wait_for(self._client.quit(), self._timeouts.quit_s)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection at once: a server that reads no more must not keep it open with what it has not read."""
        self.usable = False
        if isinstance(self._client.transport, asyncio.Transport):
            self._client.transport.abort()
        self._client.close()

    async def _ask(self, command: bytes, stage: Stage) -> Reply:
        response = await self._client.execute_command(command, timeout=self._timeouts.command_s)
        return Reply(code=response.code, text=response.message, stage=stage)

    async def _send_body(self, envelope: Envelope) -> Result:
        protocol = self._client.protocol
        if protocol is None:
            return self._broken(Stage.DATA, ConnectionResetError("connection lost"))
        ready = body(envelope)
        try:
            protocol.write(ready)
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
