"""What delivering needs beside the ledger, and what one run of it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from alerts.core.deliveries import Outcome, Result
from alerts.core.domains import Domains
from alerts.core.model import DeliveryState, Envelope
from alerts.storage.letters import Letter


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What ``ahead`` and ``report`` do, for a connection that cannot wait, with mails that are taken plainly."""

    #: told which mail is under way, gives the next; None also when only waiting would tell
    ahead: Callable[[Envelope], Envelope | None]
    #: keeps what became of a message (the relay by name); what it is given last is called once that is on disk
    report: Callable[[Envelope, Result, str, Callable[[], None]], None]


class Carrier(Protocol):
    """What carries messages away: every relay that can be used, as many connections as make sense."""

    async def __call__(
        self,
        take: Callable[[], Awaitable[Envelope | None]],
        report: Callable[[Envelope, Result, str], Awaitable[None]],
        *,
        wanted: int,
        ahead: Callable[[Envelope | None], Awaitable[Envelope | None]],
        at_once: AtOnce,
        may_begin: Callable[[], bool],
    ) -> None:
        """Send until ``take`` ends or no relay can be used.

        ``take`` waits as long as there may be more, so it is for a connection with nothing under way. ``ahead`` is
        for an open one: it is given the mail under way, and answers at once, or None, and waits a moment.
        ``at_once`` may be used in place of ``ahead`` and ``report``. No body is begun once ``may_begin`` says no: who
        slept so long that others took over sends nothing any more.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What delivering needs beside the ledger."""

    carry: Carrier
    compose: Callable[[Letter], Envelope]
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    new_claim: Callable[[], str]
    #: whether this worker's lease still runs: a frozen one must not send what others took over
    holds: Callable[[], bool]
    stopping: Callable[[], bool]
    connections: int = 1_000  # how many mails the carrier can have under way at once
    domains: Domains = field(default_factory=Domains)  # what this process knows of recipient domains; outlives a run


@dataclass(slots=True)
class Delivered:
    """What one run did; ``deferred`` counts tries that will be made again."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    put_off: int = 0  # not tried: their domain takes nothing now

    @property
    def worked(self) -> bool:
        """Whether anything came of it at all."""
        return bool(self.sent or self.deferred or self.failed or self.cancelled)

    def count(self, decided: Outcome, *, tried: bool) -> None:
        """Count an outcome that is on disk."""
        match decided.state:
            case DeliveryState.SENT:
                self.sent += 1
            case DeliveryState.CANCELLED:
                self.cancelled += 1
            case DeliveryState.PENDING:
                self.deferred += tried
            case _:
                self.failed += 1
