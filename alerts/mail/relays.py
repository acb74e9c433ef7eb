"""A relay and its connections: opens them, hands mails over, and stands back while the relay does not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from alerts.core.deliveries import Reply, Result, Untried, Verdict, verdict
from alerts.core.errors import RelayError
from alerts.core.model import Envelope
from alerts.mail.opening import Connection, Endpoint, open_connection
from alerts.mail.pipelining import Take
from alerts.mail.timeouts import Timeouts

_log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=5)


#: Keeps what became of a message (the relay by name); returns once that is on disk.
Report = Callable[[Envelope, Result, str], Awaitable[None]]


class RelayState(StrEnum):
    """How a relay does."""

    OK = "ok"  # it takes mails, or nothing was tried yet
    FAILING = "failing"  # it could not be reached; tried again after a pause
    CONDEMNED = (
        "condemned"  # it refuses us (login, TLS); tried again when the config changes or after the longest pause
    )


@dataclass(slots=True)
class Health:
    """What we know of a relay, in this process."""

    state: RelayState = RelayState.OK
    reason: str | None = None
    failures: int = 0
    rest_until: datetime | None = None


@dataclass(slots=True)
class Relay:
    """One SMTP server that we hand messages to, with at most ``connections`` open at once."""

    name: str
    endpoint: Endpoint
    clock: Callable[[], datetime]
    connections: int = 8
    weight: int = 1
    messages_per_connection: int = 100
    timeouts: Timeouts = field(default_factory=Timeouts)
    pipelining: bool = True  # until it is caught lying about it
    tls_context: ssl.SSLContext | None = None
    health: Health = field(default_factory=Health)
    open_connections: int = 0

    def available(self) -> bool:
        """Whether it makes sense to try now."""
        return self.health.rest_until is None or self.clock() >= self.health.rest_until

    async def carry(self, take: Take, report: Report) -> None:
        """Send on one connection, opened when there is something to send and replaced when spent, until ``take`` ends.

        A connection takes its next message only after the last result is on disk (``report`` returned): so a kill
        repeats at most one message a connection. Raises nothing for a relay that fails: it rests, others go on.
        """
        connection: Connection | None = None
        try:
            while self.available() and (envelope := await take()) is not None:
                await self._drop(connection)
                connection = None
                connection = await self._carry_on(envelope, take, report)
        finally:
            await self._drop(connection)

    async def _carry_on(self, first: Envelope, take: Take, report: Report) -> Connection | None:
        """Open a connection for ``first`` and send on it for as long as it is good."""
        try:
            connection = await self._open()
        except RelayError as error:
            self._rest(str(error), permanent=error.permanent)
            await report(first, Untried(reason=str(error)), self.name)
            return None
        answered = False

        async def tell(envelope: Envelope, result: Result) -> None:
            nonlocal answered
            self._learn(result, first=not answered, connection=connection)
            answered = True
            await report(envelope, result, self.name)

        async def take_while_available() -> Envelope | None:
            return await take() if self.available() else None

        try:
            await connection.pump(first, take_while_available, tell)
        except BaseException:
            connection.close()
            self.open_connections -= 1
            raise
        return connection

    async def _open(self) -> Connection:
        self.open_connections += 1
        try:
            return await open_connection(
                self.endpoint,
                self.timeouts,
                share=self.messages_per_connection,
                pipelining=self.pipelining,
                tls_context=self.tls_context,
            )
        except BaseException:
            self.open_connections -= 1
            raise

    async def _drop(self, connection: Connection | None) -> None:
        if connection is None:
            return
        self.open_connections -= 1
        if connection.usable:
            await connection.quit()
        else:
            connection.close()

    def _learn(self, result: Result, *, first: bool, connection: Connection) -> None:
        """Draw what a result says about the relay itself."""
        if connection.lied:
            self._stop_pipelining(str(result))
            return
        match result:
            case Reply() if verdict(result) is Verdict.RELAY:
                self._rest(f"{self.name} refuses us: {result}", permanent=True)
            case Reply():
                self.health = Health()
            case Untried(reason=reason) if first:
                self._rest(f"{self.name} closes before it takes a mail: {reason}", permanent=False)
            case _:
                pass

    def _stop_pipelining(self, reason: str) -> None:
        """Drive a server that only says that it can pipeline step by step from now on."""
        if self.pipelining:
            _log.warning("relay_cannot_pipeline", relay=self.name, reason=reason)
        self.pipelining = False

    def _rest(self, reason: str, *, permanent: bool) -> None:
        failures = self.health.failures + 1
        pause = _LONGEST_PAUSE if permanent else min(_FIRST_PAUSE * 2 ** min(failures - 1, 20), _LONGEST_PAUSE)
        state = RelayState.CONDEMNED if permanent else RelayState.FAILING
        if self.available():  # one line a rest, not one a connection
            _log.warning(
                "relay_rests", relay=self.name, state=state.value, reason=reason, pause_s=pause.total_seconds()
            )
            self.health = Health(state=state, reason=reason, failures=failures, rest_until=self.clock() + pause)


async def carry_all(relays: list[Relay], take: Take, report: Report, *, wanted: int) -> None:
    """Send over every available relay at once, on as many connections as its weight earns, until ``take`` ends.

    ``wanted`` is how many messages are known to wait: no more connections than that are opened.
    """
    ready = [relay for relay in relays if relay.available()]
    heaviest = max((relay.weight for relay in ready), default=1)
    async with asyncio.TaskGroup() as group:
        for relay in sorted(ready, key=lambda it: -it.weight):
            earned = max(1, relay.connections * relay.weight // heaviest)
            for number in range(min(earned, wanted)):
                group.create_task(relay.carry(take, report), name=f"{relay.name}#{number}")
