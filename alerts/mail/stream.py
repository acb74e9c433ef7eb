"""The plain case of pipelined sending, from callback to callback: a reply, its outcome on disk, the next body.

A task that waits costs more than all else a mail needs; so while every mail is taken, and the next one is at hand,
none does. Whatever is not plain ends the stream where it stands, and the connection's own way goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from alerts.core.deliveries import Reply, Stage
from alerts.core.model import Envelope
from alerts.mail.offer import Offer, body
from alerts.mail.replies import Replies
from alerts.mail.timeouts import Timeouts


class AtOnce(Protocol):
    """Who hands mails out and keeps results, for somebody who cannot wait."""

    def ahead(self, under_way: Envelope) -> Envelope | None:
        """Give the next message, to follow the one under way; None also when only waiting would tell."""

    def report(self, envelope: Envelope, result: Reply, then: Callable[[], None]) -> None:
        """Keep what became of a message; call ``then`` once that is on disk."""


class Stream:
    """One stretch of plain sending on one connection.

    Between two calls it is in one of these states:

    sent       the body of ``mail`` is written, and the commands of ``following``; the server's word is awaited
    telling    the server took ``mail``; its outcome is on its way to the disk
    asked      that is on disk, ``mail`` is None; the server has yet to say that the body of ``following`` may come
    over       ``mail`` and ``following`` are for others to go on with; ``mail`` is None if it is told of
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        replies: Replies,
        offer: Offer,
        timeouts: Timeouts,
        at_once: AtOnce,
        *,
        may_begin: Callable[[], bool],
    ) -> None:
        self._transport = transport
        self._timeouts = timeouts
        self._replies = replies
        self._offer = offer
        self._at_once = at_once
        self._may_begin = may_begin
        self._mail: Envelope | None = None
        self._following: Envelope | None = None
        self._telling = False
        self._over: asyncio.Future[None]
        self._left = 0  # messages that the connection may still carry
        self.carried = 0

    async def run(
        self, mail: Envelope, following: Envelope | None, *, left: int
    ) -> tuple[Envelope | None, Envelope | None]:
        """Go on from a body that is written until something is not plain; return ``mail`` and ``following`` as above.

        Where the time was up, TimeoutError comes from the next look at the replies.
        """
        self._mail, self._following = mail, following
        self._left, self.carried = left, 0
        self._over = asyncio.get_running_loop().create_future()
        self._replies.listener = self._hear
        self._replies.expect(self._timeouts.body_s)
        try:
            self._hear()
            await self._over
        finally:
            self._replies.listener = None
        return self._mail, self._following

    def _hear(self) -> None:
        """Listen to the server: it took the mail, or the stream is over."""
        if self._telling or self._over.done():
            return
        if self._mail is None:
            self._go_on()
            return
        taken = self._replies.taken()
        if taken is None:
            if self._replies.waits_in_vain:
                self._end()
            return
        code, text = taken
        self._telling = True
        try:
            self._at_once.report(self._mail, Reply(code=code, text=text, stage=Stage.BODY), self._go_on)
        except Exception as error:  # noqa: BLE001 - as below
            self._over.set_exception(error)

    def _go_on(self) -> None:
        """Send the next body, now that the last mail's outcome is on disk, as soon as the server lets us."""
        self._telling, self._mail = False, None
        if self._over.done():  # broken off meanwhile
            return
        mail = self._following
        try:
            if mail is None or self._transport.is_closing() or not self._may_begin():
                self._end()
                return
            if not self._replies.granted():
                self._wait_for_grant()
                return
            self.carried += 1
            self._left -= 1
            self._mail, self._following = mail, self._ahead(mail) if self._left > 0 else None
            asked = self._offer.commands(self._following) if self._following is not None else b""
            self._transport.write(body(mail) + asked)
            self._replies.expect(self._timeouts.body_s)
            if self._replies.waits_in_vain:  # it said too much already, or is gone: nobody will call again
                self._end()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for this connection
            self._over.set_exception(error)

    def _wait_for_grant(self) -> None:
        if self._replies.may_grant:
            self._replies.expect(self._timeouts.command_s)
        else:
            self._end()

    def _ahead(self, mail: Envelope) -> Envelope | None:
        """Ask for the next mail; one that this server cannot take is told of, and there is none for now."""
        following = self._at_once.ahead(mail)
        if following is not None and (refusal := self._offer.refusal(following)) is not None:
            self._at_once.report(following, refusal, _nothing)
            return None
        return following

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


def _nothing() -> None:
    """Do nothing: nobody waits for it."""
