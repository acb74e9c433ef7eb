"""The pipelined data phase (RFC 2920): one write carries a body, its dot, and the next mail's MAIL, RCPT, DATA.

So a mail costs one round trip instead of four. Every reply is accounted to its mail; the next body is written only
after the last result is on disk. A server that only says that it can is noticed (``lied``) and driven step by step.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried
from alerts.core.model import Envelope
from alerts.mail.offer import COMMANDS, Offer, body
from alerts.mail.replies import BrokenReplyError, Replies
from alerts.mail.stream import AtOnce, Stream
from alerts.mail.timeouts import Timeouts

#: Gives the next message to send, or None when there is nothing left.
Take = Callable[[], Awaitable[Envelope | None]]
#: Gives an open connection its next message: told which mail is under way, it answers at once, and told that none
#: is, it may wait a moment.
Ahead = Callable[[Envelope | None], Awaitable[Envelope | None]]
#: Keeps what became of a message; returns once that is on disk.
Tell = Callable[[Envelope, Result], Awaitable[None]]

#: Whether a mail may still be begun: not by who slept so long that others took over.
MayBegin = Callable[[], bool]

TOO_LATE = "others may have taken it over"
_CLOSING = 421
_GO_AHEAD = 354
_CONFUSED = range(500, 504)  # "bad sequence", "unknown command": what a server says that lost its place


def always() -> bool:
    """Say that a mail may be begun."""
    return True


class Pipelined:
    """An open connection whose server offers PIPELINING; ``usable`` turns false once it must be replaced."""

    def __init__(
        self, transport: asyncio.Transport, replies: Replies, offer: Offer, timeouts: Timeouts, *, share: int
    ) -> None:
        self._transport = transport
        self._replies = replies
        self._offer = offer
        self._timeouts = timeouts
        self._share = share  # messages that this connection may carry
        self._reset = False  # a refused mail left a transaction open
        self.usable = True
        self.lied = False
        self.carried = 0

    async def pump(
        self,
        first: Envelope,
        ahead: Ahead,
        tell: Tell,
        at_once: AtOnce | None = None,
        *,
        may_begin: MayBegin = always,
    ) -> None:
        """Send ``first`` and what ``ahead`` gives, until that ends or this connection is spent.

        ``at_once`` does what ``ahead`` and ``tell`` do without a task that waits, as long as all is plain.
        ``may_begin`` is asked before every body: once it says no, what was asked for is given back and we hang up.
        """
        stream = None
        if at_once is not None:
            stream = Stream(self._transport, self._replies, self._offer, self._timeouts, at_once, may_begin=may_begin)
        mail: Envelope | None = await self._sendable(first, None, ahead, tell)
        self._ask(mail)
        while mail is not None:
            refused = None
            if self._reset or not self._replies.granted():
                refused = await self._go_ahead()
            if refused is None and may_begin():
                mail = await self._body(mail, ahead, tell, stream)
                continue
            if refused is None:
                self.close()
                refused = Untried(reason=TOO_LATE)
            await tell(mail, refused)
            mail = await self._next(None, ahead, tell)
            self._ask(mail)

    async def quit(self) -> None:
        """Say goodbye; that it fails is no failure."""
        try:
            if self.usable and not self._replies.ended:
                self._transport.write(b"QUIT\r\n")
                with contextlib.suppress(BrokenReplyError, TimeoutError):
                    await self._replies.next(self._timeouts.quit_s)
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection at once: a server that reads no more must not keep it open with what it has not read."""
        self.usable = False
        self._transport.abort()

    async def _next(self, under_way: Envelope | None, ahead: Ahead, tell: Tell) -> Envelope | None:
        """Take the next mail that this connection may carry."""
        if not self.usable or self.carried >= self._share:
            return None
        return await self._sendable(await ahead(under_way), under_way, ahead, tell)

    async def _sendable(
        self, mail: Envelope | None, under_way: Envelope | None, ahead: Ahead, tell: Tell
    ) -> Envelope | None:
        while mail is not None and (refusal := self._offer.refusal(mail)) is not None:
            await tell(mail, refusal)
            mail = await ahead(under_way)
        return mail

    def _ask(self, mail: Envelope | None, *, before: bytes = b"") -> None:
        """Write what ends the last mail and what begins this one, in one go."""
        asked = self._offer.commands(mail) if mail is not None else b""
        if asked and self._reset:
            asked = b"RSET\r\n" + asked
        if before or asked:
            self._transport.write(before + asked)

    async def _body(self, mail: Envelope, ahead: Ahead, tell: Tell, stream: Stream | None) -> Envelope | None:
        """Write a body and the next mail's commands; tell what became of the body; give the next mail."""
        self.carried += 1
        following = await self._next(mail, ahead, tell)
        self._ask(following, before=body(mail))
        sent = mail if stream is None else None
        if stream is not None:
            sent, following = await stream.run(mail, following, left=self._share - self.carried)
            self.carried += stream.carried
        if sent is not None:
            await tell(sent, await self._after_dot())
        if following is not None and not self.usable:
            await tell(following, Untried(reason="the connection ended before this mail began"))
            return None
        if following is None:
            following = await self._next(None, ahead, tell)
            self._ask(following)
        return following

    async def _after_dot(self) -> Result:
        try:
            code, text = await self._replies.next(self._timeouts.body_s)
        except (BrokenReplyError, TimeoutError) as error:
            self.close()
            return InDoubt(reason=f"body: {error or 'no reply in time'}")
        reply = Reply(code=code, text=text, stage=Stage.BODY)
        if code // 100 == 3:  # noqa: PLR2004 - RFC 5321: "go on" is no answer to a finished body
            self.close()
            return InDoubt(reason=f"body: unexpected reply {reply}")
        if code == _CLOSING:
            self.close()
        return reply

    async def _go_ahead(self) -> Result | None:
        """Read the replies to a mail's commands; None when the server waits for its body."""
        refused: Reply | None = None
        stage = Stage.MAIL
        try:
            if self._reset:
                await self._replies.next(self._timeouts.command_s)
                self._reset = False
            for stage in COMMANDS:
                code, text = await self._replies.next(self._timeouts.command_s)
                reply = Reply(code=code, text=text, stage=stage)
                if code == _CLOSING:
                    self.close()
                    return Untried(reason=str(reply)) if stage is Stage.MAIL else refused or reply
                if not _goes_on(reply):
                    refused = refused or reply
        except TimeoutError:
            return self._suspect(f"{stage.value}: no reply in time")
        except BrokenReplyError as error:
            self.close()
            reason = f"{stage.value}: {error}"
            return refused or (Untried(reason=reason) if stage is Stage.MAIL else Dropped(reason=reason))
        if refused is None:
            return None
        if refused.stage is not Stage.RCPT and refused.code in _CONFUSED:
            return self._suspect(f"the server lost its place: {refused}")
        return await self._cleared(refused, waits=code == _GO_AHEAD)

    async def _cleared(self, refused: Reply, *, waits: bool) -> Reply:
        """Leave no open transaction behind a refusal; a server that waits for a body all the same gets an empty one."""
        if waits:
            self._transport.write(b".\r\n")
            try:
                await self._replies.next(self._timeouts.command_s)
            except (BrokenReplyError, TimeoutError):
                self.close()
        self._reset = True
        return refused

    def _suspect(self, reason: str) -> Untried:
        """Give a mail back untouched and leave pipelining to others: this server may only say that it can."""
        self.lied = True
        self.close()
        return Untried(reason=reason)


def _goes_on(reply: Reply) -> bool:
    return reply.code == _GO_AHEAD if reply.stage is Stage.DATA else reply.code // 100 == 2  # noqa: PLR2004 - RFC 5321
