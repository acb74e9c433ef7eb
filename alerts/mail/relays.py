"""A relay and its connections: opens them, hands mails over, and stands back while the relay does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog

from alerts.core.deliveries import Reply, Result, Untried, Verdict, readable, verdict
from alerts.core.errors import RelayError
from alerts.core.model import Envelope
from alerts.core.pace import TokenBucket
from alerts.mail.opening import Connection, Endpoint, open_connection
from alerts.mail.pipelining import TOO_LATE, Ahead, MayBegin, Take, always
from alerts.mail.timeouts import Timeouts

_log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=5)
_RATE_WORTH_S = 4.0  # a mail may take so long, and its relay's rate is still reached
_SHORT_WAIT_S = 1.0  # a connection waits so long for its relay's rate; longer, and it is closed


#: Keeps what became of a message (the relay by name); returns once that is on disk.
Report = Callable[[Envelope, Result, str], Awaitable[None]]


class AtOnceByRelay(Protocol):
    """``AtOnce`` for several relays: results name theirs."""

    def ahead(self, under_way: Envelope) -> Envelope | None:
        """Give the next message, to follow the one under way; None also when only waiting would tell."""

    def report(self, envelope: Envelope, result: Result, relay: str, then: Callable[[], None]) -> None:
        """Keep what became of a message (the relay by name); call ``then`` once that is on disk."""


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
    rate: float | None = None  # messages a second, at most
    messages_per_connection: int = 100
    timeouts: Timeouts = field(default_factory=Timeouts)
    pipelining: bool = True  # until it is caught lying about it
    tls_context: ssl.SSLContext | None = None
    health: Health = field(default_factory=Health)
    open_connections: int = 0
    bucket: TokenBucket | None = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = TokenBucket(self.rate) if self.rate else None

    def share(self, parts: int) -> None:
        """Keep to one of so many equal parts of the rate, from now on."""
        if self.bucket is not None and self.rate is not None:
            self.bucket.rate = self.rate / parts

    def available(self) -> bool:
        """Whether it makes sense to try now."""
        return self.rests_s() <= 0

    def rests_s(self) -> float:
        """Say for how many seconds it makes no sense to try; 0 for a relay that can be used."""
        if self.bucket is None:
            return self._recovers_s()
        pause = self.bucket.pause(time.monotonic())
        return max(self._recovers_s(), pause if pause > _SHORT_WAIT_S else 0.0)

    def _recovers_s(self) -> float:
        rest_until = self.health.rest_until
        left = timedelta() if rest_until is None else rest_until - self.clock()
        # More than the longest is left only where the clock was set back.
        return max(0.0, left.total_seconds()) if left <= _LONGEST_PAUSE else 0.0

    @property
    def useful_connections(self) -> int:
        """How many connections it may have; a relay with a low rate does not keep many waiting."""
        return self.connections if self.rate is None else min(self.connections, 1 + int(self.rate * _RATE_WORTH_S))

    async def carry(
        self,
        take: Take,
        report: Report,
        ahead: Ahead,
        at_once: AtOnceByRelay | None = None,
        *,
        may_begin: MayBegin = always,
    ) -> bool:
        """Send on one connection, opened when there is something to send and replaced when spent, until ``take`` ends.

        A connection takes its next message only after the last result is on disk (``report`` returned): so a kill
        repeats at most one message a connection. Raises nothing for a relay that fails: it rests, others go on.
        Returns whether there is nothing left to send.
        """
        while (envelope := await self._in_turn(take, waits=True)) is not None:
            if self._recovers_s() > 0:  # it failed elsewhere while we waited for something to send
                await report(envelope, Untried(reason=f"{self.name} rests"), self.name)
                return False
            await self._drop(await self._carry_on(envelope, report, ahead, at_once, may_begin))
        return self.available()

    async def _in_turn(self, ask: Take, *, waits: bool) -> Envelope | None:
        """Ask for a mail when this relay may take one; None when there is none, or it is not to be waited for."""
        if self.bucket is None:
            return await ask() if self.available() else None
        while self.available():
            pause = self.bucket.pause(time.monotonic())
            if pause > 0 and not waits:
                return None
            await asyncio.sleep(pause)
            if self.bucket.pause(time.monotonic()) <= 0:
                break
        else:
            return None
        envelope = await ask()
        while envelope is not None and not self.bucket.spend(time.monotonic()):  # noqa: ASYNC110 - it says how long
            await asyncio.sleep(self.bucket.pause(time.monotonic()))  # other connections were quicker
        return envelope

    async def _carry_on(
        self, first: Envelope, report: Report, ahead: Ahead, at_once: AtOnceByRelay | None, may_begin: MayBegin
    ) -> Connection | None:
        """Open a connection for ``first`` and send on it for as long as it is good."""
        try:
            connection = await self._open()
        except RelayError as error:
            self._rest(str(error), permanent=error.permanent)
            await report(first, Untried(reason=str(error)), self.name)
            return None
        answered = False
        plain = _AtOnce(self, at_once) if at_once is not None and self.bucket is None else None

        async def tell(envelope: Envelope, result: Result) -> None:
            nonlocal answered
            self._learn(result, first=not (answered or (plain and plain.answered)), connection=connection)
            answered = True
            await report(envelope, result, self.name)

        async def ahead_while_available(under_way: Envelope | None) -> Envelope | None:
            if self.bucket is not None:
                return await self._in_turn(lambda: ahead(under_way), waits=under_way is None)
            return await ahead(under_way) if self.available() else None

        try:
            await connection.pump(first, ahead_while_available, tell, plain, may_begin=may_begin)
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
        try:
            if connection.usable:
                await connection.quit()
            else:
                connection.close()
            await asyncio.sleep(0)  # its socket closes in the loop's next turn: none may be opened beside it
        finally:
            self.open_connections -= 1

    def _learn(self, result: Result, *, first: bool, connection: Connection) -> None:
        """Draw what a result says about the relay itself."""
        if connection.lied:
            self._stop_pipelining(str(result))
            return
        match result:
            case Reply() if verdict(result) is Verdict.RELAY:
                self._rest(f"{self.name} refuses us: {result}", permanent=True)
            case Reply():
                self.does_well()
            case Untried(reason=reason) if first and reason != TOO_LATE:
                self._rest(f"{self.name} closes before it takes a mail: {reason}", permanent=False)
            case _:
                pass

    def does_well(self) -> None:
        """Forget what was wrong: it answers."""
        if self.health.failures or self.health.state is not RelayState.OK:
            self.health = Health()

    def _stop_pipelining(self, reason: str) -> None:
        """Drive a server that only says that it can pipeline step by step from now on."""
        if self.pipelining:
            _log.warning("relay_cannot_pipeline", relay=self.name, reason=reason)
        self.pipelining = False

    def _rest(self, reason: str, *, permanent: bool) -> None:
        reason = readable(reason)
        failures = self.health.failures + 1
        pause = _LONGEST_PAUSE if permanent else min(_FIRST_PAUSE * 2 ** min(failures - 1, 20), _LONGEST_PAUSE)
        state = RelayState.CONDEMNED if permanent else RelayState.FAILING
        if self._recovers_s() <= 0:  # one line a rest, not one a connection
            _log.warning(
                "relay_rests", relay=self.name, state=state.value, reason=reason, pause_s=pause.total_seconds()
            )
            self.health = Health(state=state, reason=reason, failures=failures, rest_until=self.clock() + pause)


class _AtOnce:
    """What a connection of this relay asks and tells in the plain case."""

    def __init__(self, relay: Relay, at_once: AtOnceByRelay) -> None:
        self._relay = relay
        self._at_once = at_once
        self.answered = False

    def ahead(self, under_way: Envelope) -> Envelope | None:
        return self._at_once.ahead(under_way) if self._relay.available() else None

    def report(self, envelope: Envelope, result: Reply, then: Callable[[], None]) -> None:
        self.answered = True
        self._relay.does_well()
        self._at_once.report(envelope, result, self._relay.name, then)


async def carry_all(
    relays: list[Relay],
    take: Take,
    report: Report,
    *,
    wanted: int,
    ahead: Ahead | None = None,
    at_once: AtOnceByRelay | None = None,
    may_begin: MayBegin = always,
) -> None:
    """Send over every relay at once, on as many connections as its weight earns, until ``take`` ends.

    ``wanted`` is how many messages are known to wait. Without ``ahead`` no more will come while these are sent, and no
    more connections than messages are opened; with it, a connection opens when there is something for it.
    Before every body ``may_begin`` is asked; what it says no to is given back.
    A relay that comes to rest is tried again when its rest is over, if others are still at it then.
    """
    heaviest = max((relay.weight for relay in relays if relay.available()), default=1)
    crew = _Crew(take, report, ahead or _asking(take), at_once, may_begin)
    async with asyncio.TaskGroup() as group:
        for relay in sorted(relays, key=lambda it: (not it.available(), -it.weight)):
            earned = max(1, relay.useful_connections * relay.weight // max(heaviest, relay.weight))
            for number in range(earned if ahead else min(earned, wanted)):
                group.create_task(crew.serve(relay, first=number == 0), name=f"{relay.name}#{number}")


class _Crew:
    """Who sends: a hand a connection. A hand whose relay rests waits for it, but only while another is at work."""

    def __init__(
        self, take: Take, report: Report, ahead: Ahead, at_once: AtOnceByRelay | None, may_begin: MayBegin
    ) -> None:
        self._take = take
        self._report = report
        self._ahead = ahead
        self._at_once = at_once
        self._may_begin = may_begin
        self._at_work = 0
        self._over = asyncio.Event()

    async def serve(self, relay: Relay, *, first: bool) -> None:
        """Send over a relay until nothing is left; after a failure its first hand tries alone."""
        while not self._over.is_set():
            if relay.available() and (first or relay.health.state is RelayState.OK):
                self._at_work += 1
                try:
                    if await relay.carry(
                        self._take, self._report, self._ahead, self._at_once, may_begin=self._may_begin
                    ):
                        self._over.set()
                finally:
                    self._at_work -= 1
            if not self._at_work:
                self._over.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(relay.rests_s(), _SHORT_WAIT_S)):
                    await self._over.wait()


def _asking(take: Take) -> Ahead:
    async def ahead(_under_way: Envelope | None) -> Envelope | None:
        return await take()

    return ahead
