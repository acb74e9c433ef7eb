"""Who hands mails to relays in tests: gives envelopes out, keeps what came of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from alerts.core.deliveries import Result, Untried
from alerts.core.model import Envelope
from alerts.mail.timeouts import Timeouts

QUICK = Timeouts(connect_s=2, command_s=2, body_s=2, quit_s=0.5)
BODY = b"Subject: hello\r\n\r\n.a line with a dot\r\n.\r\n..\r\nFrom here\r\n"


def letter(number: int, *, recipient: str | None = None, message: bytes = BODY) -> Envelope:
    return Envelope(
        delivery_id=number,
        sender="alerts@daily.example",
        recipient=recipient or f"reader{number}@example.org",
        message=message,
    )


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Hand:
    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self.waiting = deque(envelopes)
        self.results: list[tuple[int, Result, str]] = []

    async def take(self) -> Envelope | None:
        return self.waiting.popleft() if self.waiting else None

    async def report(self, envelope: Envelope, result: Result, relay: str) -> None:
        """Keep the result; what nobody tried is due again, as in the ledger."""
        self.results.append((envelope.delivery_id, result, relay))
        if isinstance(result, Untried):
            self.waiting.append(envelope)

    def result(self, number: int) -> Result:
        return [result for delivery_id, result, _ in self.results if delivery_id == number][-1]
