"""The letters of a run whose turn came: what becomes of each, and who waits for that to be on disk. Gives none out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from alerts.core.deliveries import InDoubt, Outcome, Result, Untried, cancelled, outcome, put_off
from alerts.core.domains import Change, Domain
from alerts.core.model import DeliveryState
from alerts.core.turns import Line, Turns
from alerts.services.deliver.means import Delivered, Means
from alerts.services.deliver.outcomes import Outcomes
from alerts.storage.engine import Database
from alerts.storage.letters import Letter

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Turn:
    """A letter whose turn came, until what became of it is decided."""

    letter: Letter
    line: Line[Letter]
    began_s: float  # by the loop's clock, which nobody sets
    sending: bool = False  # a connection has it, and has told nothing of it yet
    expected: bool = False  # its result comes next on its connection
    following: Turn | None = None  # waits on the same connection until this one's outcome is on disk


class UnderWay:
    """What one run has in hand; ``done`` counts what is on disk, ``outcomes`` writes it."""

    def __init__(
        self,
        db: Database,
        means: Means,
        turns: Turns[Letter],
        *,
        moved: Callable[[], None],
        may_be_due: Callable[[], None],
    ) -> None:
        """Call ``moved`` when a letter may have got room, or none is in hand; ``may_be_due`` when one waits again."""
        self.done = Delivered()
        self.in_hand = 0  # letters whose turn came and whose outcome is not on disk
        self.outcomes = Outcomes(db, means, expected=lambda: self._expected)
        self._means = means
        self._turns = turns
        self._moved = moved
        self._may_be_due = may_be_due
        self._loop = asyncio.get_running_loop()
        self._by_delivery: dict[int, Turn] = {}
        self._expected = 0  # results that come next on some connection
        self._putting_off = 0  # letters that were put off, and that is not on disk
        self._put_off_all = asyncio.Event()

    def __getitem__(self, delivery_id: int) -> Turn:
        """Return the turn of a delivery that is under way."""
        return self._by_delivery[delivery_id]

    def begin(self, letter: Letter, line: Line[Letter], *, sending: bool = False) -> Turn:
        """Take a letter in hand; ``sending``: it goes to a connection at once."""
        turn = self._by_delivery[letter.delivery.id] = Turn(letter, line, self._loop.time(), sending=sending)
        self.in_hand += 1
        return turn

    def expect(self, turn: Turn, *, expected: bool = True) -> None:
        """Count a result in, or out, that comes next on its connection."""
        self._expected += expected - turn.expected
        turn.expected = expected

    async def settle(self, turn: Turn, result: Result, relay: str | None) -> None:
        """Decide what a result means and return when that is on disk."""
        on_disk = self._loop.create_future()
        self.decide(turn, result, relay, partial(_set, on_disk))
        await on_disk

    def decide(self, turn: Turn, result: Result, relay: str | None, then: Callable[[], None]) -> None:
        """Decide what a result means; ``then`` is called when that is on disk."""
        turn.sending = False
        self.expect(turn, expected=False)
        now = self._means.clock()
        self._learn(turn, result, now)
        decided = outcome(result, turn.letter.delivery, now=now, jitter=self._means.jitter())
        self._put(turn, decided, relay, then, tried=not isinstance(result, Untried))

    async def cancel(self, turn: Turn) -> None:
        """End a letter that nobody wants any more; return when that is on disk."""
        self._learn(turn, None, self._means.clock())
        on_disk = self._loop.create_future()
        self._put(turn, cancelled(turn.letter.delivery), None, partial(_set, on_disk))
        await on_disk

    def put_off(self, late: Sequence[tuple[Letter, datetime]]) -> None:
        """Give letters back as they were, due later; nobody waits for the disk here."""
        for letter, due_at in late:
            decided = put_off(letter.delivery, due_at=due_at)
            self.outcomes.queue(letter.delivery, decided, self._is_put_off, relay=None)
        self.done.put_off += len(late)
        self._putting_off += len(late)
        self._put_off_all.clear()

    async def nothing_is_put_off(self) -> None:
        """Wait until what was put off is on disk, so that it never piles up here."""
        if self._putting_off:
            await self._put_off_all.wait()

    def doubt_the_interrupted(self) -> None:
        """Remember of each mail that was broken off in a connection's hands that it may have been taken."""
        for turn in self._by_delivery.values():
            if turn.sending:
                result = InDoubt(reason="broken off while it was handed over")
                now, jitter = self._means.clock(), self._means.jitter()
                decided = outcome(result, turn.letter.delivery, now=now, jitter=jitter)
                self.outcomes.queue(turn.letter.delivery, decided, _nothing, relay=None)
        self._by_delivery.clear()
        self._expected = 0

    def _is_put_off(self) -> None:
        self._putting_off -= 1
        if not self._putting_off:
            self._put_off_all.set()

    def _learn(self, turn: Turn, result: Result | None, now: datetime) -> None:
        """Let other mails to the domain go, by what became of this one (None: it was not sent)."""
        del self._by_delivery[turn.letter.delivery.id]
        took_s = self._loop.time() - turn.began_s
        if self._turns.done(turn.line, result, now=now, took_s=took_s) is not Change.NONE:
            _tell(turn.line.domain)
        if len(self._turns):
            self._moved()

    def _put(
        self, turn: Turn, decided: Outcome, relay: str | None, then: Callable[[], None], *, tried: bool = True
    ) -> None:
        """Queue an outcome for the next group."""
        on_disk = partial(self._on_disk, turn, decided, tried, then)
        self.outcomes.queue(turn.letter.delivery, decided, on_disk, relay=relay)

    def _on_disk(self, turn: Turn, decided: Outcome, tried: bool, then: Callable[[], None]) -> None:  # noqa: FBT001 - called from one place
        """Count an outcome and let its connection go on."""
        if turn.following is not None:  # that it waited for our database does not make its domain a slow one
            turn.following.began_s = self._loop.time()
            self.expect(turn.following, expected=turn.following.sending)
        self.done.count(decided, tried=tried)
        self.in_hand -= 1
        if decided.state is DeliveryState.PENDING:
            self._may_be_due()
        if not self.in_hand:
            self._moved()
        then()


def _set(on_disk: asyncio.Future[None]) -> None:
    if not on_disk.done():
        on_disk.set_result(None)


def _nothing() -> None:
    """Do nothing: nobody waits for it."""


def _tell(domain: Domain) -> None:
    """Tell the operator, once a change, that a domain refuses us or takes our mail again."""
    breaker = domain.breaker()
    if breaker is None:
        _log.info("domain_takes_mail_again", domain=domain.name)
    else:
        probe_at = breaker.probe_at.isoformat()
        _log.error("domain_refuses_us", domain=domain.name, reason=breaker.reason, probe_at=probe_at)
