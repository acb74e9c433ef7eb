"""Who hands mails to relays in tests: gives envelopes out, keeps what came of each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from alerts.core.deliveries import Result, Untried
from alerts.core.model import Envelope
from alerts.mail.relays import Relay, carry_all
from alerts.mail.timeouts import Timeouts

QUICK = Timeouts(connect_s=2, command_s=2, body_s=2, quit_s=0.5)
BODY = b"Subject: hello\r\n\r\n.a line with a dot\r\n.\r\n..\r\nFrom here\r\n"


def letter(number: int, *, recipient: str | None = None, smtputf8: bool = False, message: bytes = BODY) -> Envelope:
    return Envelope(
        delivery_id=number,
        sender="alerts@daily.example",
        recipient=recipient or f"reader{number}@example.org",
        message=message,
        smtputf8=smtputf8,
    )


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Hand:
    """Gives envelopes out and keeps what came of them; ``plain`` also to connections that cannot wait."""

    plain = False

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self.waiting = deque(envelopes)
        self.results: list[tuple[int, Result, str]] = []
        self.at_once = 0  # results that came that way
        self.may_begin = True

    async def carry(self, relays: list[Relay], *, wanted: int) -> None:
        at_once = AtOnce(self) if self.plain else None
        await carry_all(
            relays, self.take, self.report, wanted=wanted, at_once=at_once, may_begin=lambda: self.may_begin
        )

    async def take(self) -> Envelope | None:
        return self.waiting.popleft() if self.waiting and self.may_begin else None

    async def report(self, envelope: Envelope, result: Result, relay: str) -> None:
        """Keep the result; what nobody tried is due again, as in the ledger."""
        self.results.append((envelope.delivery_id, result, relay))
        if isinstance(result, Untried):
            self.waiting.append(envelope)

    def result(self, number: int) -> Result:
        return [result for delivery_id, result, _ in self.results if delivery_id == number][-1]


class AtOnce:
    """A hand that never lets anybody wait; an outcome is on disk a moment after it was told."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def ahead(self, _under_way: Envelope) -> Envelope | None:
        return self._hand.waiting.popleft() if self._hand.waiting else None

    def report(self, envelope: Envelope, result: Result, relay: str, then: Callable[[], None]) -> None:
        def on_disk() -> None:
            self._hand.results.append((envelope.delivery_id, result, relay))
            then()

        self._hand.at_once += 1
        asyncio.get_running_loop().call_later(0.001, on_disk)
