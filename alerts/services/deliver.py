"""Deliver: claim what is due, compose it, hand it to the relays, keep what they said. The rows are the only truth.

A row is marked claimed, durably, before a connection sees it; a result is on disk before that connection sees the
next. So a kill loses nothing and repeats at most one mail a connection, each with its own Message-ID.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from alerts.core.deliveries import Fault, Outcome, Result, Standing, Untried, outcome
from alerts.core.errors import DatabaseUnavailableError
from alerts.core.model import Delivery, DeliveryState, Envelope
from alerts.storage import deliveries, suppressions
from alerts.storage.deliveries import Written
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, left_since, load_letters

_log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=15)  # longer than the longest honest SMTP dialogue; a dead worker's claims are rescued sooner
_SMALLEST, _LARGEST = 16, 1_024  # deliveries a claim
_AIM_S = 0.25  # a claim should be worth so much sending: small enough that a confirmation hardly waits behind it
_RETRY_WRITE_S = 0.5
_CLOCKS_APART = timedelta(seconds=5)  # how far two machines' clocks may differ; looking back further costs little


class Carrier(Protocol):
    """What carries messages away: every relay that can be used, as many connections as make sense."""

    async def __call__(
        self,
        take: Callable[[], Awaitable[Envelope | None]],
        report: Callable[[Envelope, Result, str], Awaitable[None]],
        *,
        wanted: int,
    ) -> None:
        """Send until ``take`` ends or no relay can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What delivering needs beside the ledger."""

    carry: Carrier
    compose: Callable[[Letter], Envelope]
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    new_claim: Callable[[], str]
    holds: Callable[
        [], bool
    ]  # whether this worker's lease still runs: a frozen one must not send what others took over
    stopping: Callable[[], bool]


@dataclass(slots=True)
class Delivered:
    """What one run did; ``deferred`` counts tries that will be made again."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def worked(self) -> bool:
        """Whether anything came of it at all."""
        return bool(self.sent or self.deferred or self.failed or self.cancelled)


async def deliver(db: Database, means: Means, *, worker_id: str) -> Delivered:
    """Send what is due until nothing is, no relay can be used, or it is time to stop; return what became of it."""
    run = _Run(db, means, worker_id)
    if not await run.refill():
        return run.done
    writer = asyncio.create_task(run.write_outcomes(), name="outcomes")
    try:
        await means.carry(run.take, run.report, wanted=run.waiting)
    finally:
        await run.close(writer)
    return run.done


class _Run:
    """One run: the claimed letters not yet given to a connection, and the outcomes not yet on disk."""

    def __init__(self, db: Database, means: Means, worker_id: str) -> None:
        self.done = Delivered()
        self._db = db
        self._means = means
        self._worker_id = worker_id
        self._letters: deque[Letter] = deque()
        self._standing: dict[int, Standing] = {}
        self._left: set[int] = set()  # subscribers who ended a subscription while this run went on
        self._looked_at: datetime = means.clock()
        self._refilling = asyncio.Lock()
        self._size = _SMALLEST * 4
        self._refilled_at: datetime | None = None
        self._unwritten: list[tuple[Written, asyncio.Future[None]]] = []
        self._written = asyncio.Event()
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many claimed letters wait for a connection."""
        return len(self._letters)

    async def refill(self) -> bool:
        """Claim the next letters when none is left; False when nothing is due, or it is time to stop."""
        async with self._refilling:
            while not self._letters:
                if self._means.stopping() or not self._means.holds():
                    return False
                claimed = await self._claim()
                if not claimed:
                    return False
            return True

    async def take(self) -> Envelope | None:
        """Give a connection its next message, composed now; None ends the connection."""
        while await self.refill():
            if self._means.stopping() or not self._means.holds():
                return None
            if not self._letters:
                continue  # another connection was quicker
            letter = await self._current(self._letters.popleft())
            envelope = await self._compose(letter)
            if envelope is not None:
                return envelope
        return None

    async def _current(self, letter: Letter) -> Letter:
        """Load a letter anew if its reader left a channel since it was claimed (U3)."""
        if letter.delivery.subscriber_id not in self._left:
            return letter
        async with self._db.reading() as tx:
            return (await load_letters(tx, [letter.delivery]))[0]

    async def report(self, envelope: Envelope, result: Result, relay: str) -> None:
        """Decide what a result means and return when that is on disk."""
        await self._settle(envelope.delivery_id, envelope.claim, result, relay)

    async def write_outcomes(self) -> None:
        """Write outcomes in groups, one transaction at a time, for as long as the run lasts.

        While the database cannot be written nothing is acknowledged, so every connection waits, and then goes on.
        """
        while not (self._closing and not self._unwritten):
            await self._written.wait()
            self._written.clear()
            group, self._unwritten = self._unwritten, []
            if group:
                await self._write(group)

    async def close(self, writer: asyncio.Task[None]) -> None:
        """Write what is left and give back what no connection took."""
        self._closing = True
        self._written.set()
        try:
            await writer
        finally:
            if self._means.holds():
                async with self._db.transaction() as tx:
                    await deliveries.give_back(tx, worker_id=self._worker_id)

    async def _claim(self) -> list[Delivery]:
        now = self._means.clock()
        self._adapt(now)
        async with self._db.transaction() as tx:
            claimed = await deliveries.claim_due(
                tx,
                worker_id=self._worker_id,
                claim=self._means.new_claim(),
                now=now,
                lease_until=now + LEASE,
                limit=self._size,
            )
            letters = await load_letters(tx, claimed) if claimed else []
        self._letters.extend(letters)
        for one in claimed:
            self._standing[one.id] = _standing(one)
        return claimed

    def _adapt(self, now: datetime) -> None:
        """Claim more when the last claim was sent off quickly, less when it took long."""
        if self._refilled_at is not None:
            took = (now - self._refilled_at).total_seconds()
            self._size = min(_LARGEST, self._size * 2) if took < _AIM_S else max(_SMALLEST, self._size // 2)
        self._refilled_at = now

    async def _compose(self, letter: Letter) -> Envelope | None:
        """Make the message; a letter that nobody wants is cancelled, one that cannot be made is a fault of ours."""
        claim = letter.delivery.claim or ""
        if not letter.wanted:
            await self._put(letter.delivery.id, claim, _cancelled(letter.delivery), relay=None)
            return None
        try:
            return self._means.compose(letter)
        except Exception as error:  # noqa: BLE001 - whatever a template or a title did, the others go on
            _log.exception("compose_failed", delivery=letter.delivery.id, article=letter.delivery.article_id)
            reason = f"{type(error).__name__}: {error}"
            await self._settle(letter.delivery.id, claim, Fault(reason=reason), relay=None)
            return None

    async def _settle(self, delivery_id: int, claim: str, result: Result, relay: str | None) -> None:
        standing = self._standing.pop(delivery_id)
        decided = outcome(result, standing, now=self._means.clock(), jitter=self._means.jitter())
        await self._put(delivery_id, claim, decided, relay=relay, tried=not isinstance(result, Untried))

    async def _put(
        self, delivery_id: int, claim: str, decided: Outcome, *, relay: str | None, tried: bool = True
    ) -> None:
        """Queue an outcome for the next group and wait until it is on disk."""
        written = Written(delivery_id=delivery_id, claim=claim, outcome=decided, relay=relay, at=self._means.clock())
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((written, on_disk))
        self._written.set()
        await on_disk
        self._count(decided, tried=tried)

    async def _write(self, group: Sequence[tuple[Written, asyncio.Future[None]]]) -> None:
        rows = [written for written, _ in group]
        bad = [written.delivery_id for written in rows if written.outcome.suppress]
        while True:
            try:
                async with self._db.transaction() as tx:
                    kept = await deliveries.record_outcomes(tx, rows)
                    if bad:
                        await suppressions.suppress_recipients(tx, delivery_ids=bad, now=self._means.clock())
                    self._left |= await left_since(tx, self._looked_at - _CLOCKS_APART)
                    self._looked_at = self._means.clock()
                break
            except DatabaseUnavailableError as error:
                _log.error("outcomes_wait_for_database", waiting=len(rows), reason=str(error))
                await asyncio.sleep(_RETRY_WRITE_S)
        if kept not in {len(rows), -1}:
            _log.warning("claims_lost", written=kept, of=len(rows))
        for _, on_disk in group:
            if not on_disk.done():
                on_disk.set_result(None)

    def _count(self, decided: Outcome, *, tried: bool) -> None:
        match decided.state:
            case DeliveryState.SENT:
                self.done.sent += 1
            case DeliveryState.CANCELLED:
                self.done.cancelled += 1
            case DeliveryState.PENDING:
                self.done.deferred += tried
            case _:
                self.done.failed += 1


def _standing(one: Delivery) -> Standing:
    return Standing(
        kind=one.kind,
        dated_at=one.dated_at,
        due_at=one.due_at,
        attempts=one.attempts,
        faults=one.faults,
        in_doubt=one.in_doubt,
    )


def _cancelled(one: Delivery) -> Outcome:
    return Outcome(
        state=DeliveryState.CANCELLED,
        due_at=one.due_at,
        attempts=one.attempts,
        faults=one.faults,
        in_doubt=one.in_doubt,
        reply="no longer wanted",
    )
