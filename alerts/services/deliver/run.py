"""One run of delivering: whose turn it is, what a connection is given, what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from alerts.core.deliveries import Fault, InDoubt, Outcome, Result, Untried, cancelled, outcome, put_off
from alerts.core.domains import BreakerState, Change, Domain
from alerts.core.errors import DatabaseUnavailableError
from alerts.core.model import DeliveryState, Envelope
from alerts.core.turns import Line, Turns
from alerts.services.deliver.claims import ASK_S, Claims
from alerts.services.deliver.means import AtOnce, Delivered, Means
from alerts.services.deliver.outcomes import Outcomes
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, load_letters

_log = structlog.get_logger(__name__)

_LAST_WORDS_S = 3.0  # for the outcomes of a run that is broken off
_LINGER_S = 1.0  # how long an open connection waits for its next mail
_DIALOGUE = timedelta(minutes=9)  # no mail begins with less of its lease left


async def deliver(db: Database, means: Means, *, worker_id: str) -> Delivered:
    """Send what is due until nothing is, no relay can be used, or it is time to stop; return what became of it."""
    run = _Run(db, means, worker_id)
    writer = asyncio.create_task(run.write(), name="outcomes")
    try:
        if await run.begin():
            at_once = AtOnce(run.ahead_at_once, run.report_at_once)
            await means.carry(
                run.take,
                run.report,
                wanted=run.waiting,
                ahead=run.ahead,
                at_once=at_once,
                may_begin=means.holds,
            )
    except asyncio.CancelledError:  # whoever breaks a run off waits for it: a database that is away must not hold it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await run.close(writer)
        writer.cancel()
        raise
    except BaseException:
        await run.close(writer)
        raise
    await run.close(writer)
    return run.done


@dataclass(slots=True, eq=False)
class _Turn:
    """A letter whose turn came, until what became of it is decided."""

    letter: Letter
    line: Line[Letter]
    began_s: float  # by the loop's clock, which nobody sets
    sending: bool = False  # a connection has it, and has told nothing of it yet
    expected: bool = False  # its result comes next on its connection
    following: _Turn | None = None  # waits on the same connection until this one's outcome is on disk


class _Run:
    """One run: the claimed letters not yet given to a connection, and the outcomes not yet on disk."""

    def __init__(self, db: Database, means: Means, worker_id: str) -> None:
        self.done = Delivered()
        self._db = db
        self._means = means
        self._loop = asyncio.get_running_loop()
        self._turns: Turns[Letter] = Turns(means.domains, connections=means.connections)
        self._under_way: dict[int, _Turn] = {}  # by delivery
        self._expected = 0  # results that come next on some connection
        self._in_hand = 0  # letters whose turn came and whose outcome is not on disk
        self._over = False
        self._idle = 0  # connections that wait for a letter
        self._stirred = asyncio.Event()
        self._putting_off = 0  # letters that were put off, and that is not on disk
        self._put_off_all = asyncio.Event()
        self._outcomes = Outcomes(db, means, expected=lambda: self._expected)
        self._claims = Claims(
            db, means, self._turns, worker_id=worker_id, goes_on=self._goes_on, before=self._nothing_is_put_off
        )

    @property
    def waiting(self) -> int:
        """How many claimed letters wait for a connection."""
        return len(self._turns)

    async def write(self) -> None:
        """Write outcomes for as long as the run lasts."""
        await self._outcomes.write()

    async def begin(self) -> bool:
        """Claim the first letters; False when nothing is due, or it is time to stop."""
        return self._goes_on() and await self._claims.claim()

    async def take(self) -> Envelope | None:
        """Give a message, composed now, to a connection that has none; wait for one until the run is over."""
        return await self._next(until=float("inf"))

    async def ahead(self, under_way: Envelope | None) -> Envelope | None:
        """Give an open connection its next message: now or never behind another, else within a moment."""
        if under_way is None:
            return await self._next(until=self._loop.time() + _LINGER_S)
        first = self._under_way[under_way.delivery_id]
        if _may_take_long(first.line.domain):
            return None
        following = await self._next(until=0.0, behind=first.line)
        if following is not None:
            first.following = self._under_way[following.delivery_id]
            self._expect(first.following, expected=False)
        return following

    def ahead_at_once(self, under_way: Envelope) -> Envelope | None:
        """Give an open connection its next message behind another, unless that takes a look at the ledger."""
        first = self._under_way[under_way.delivery_id]
        if self._claims.urgent or not self._goes_on() or _may_take_long(first.line.domain):
            return None
        now = self._means.clock()
        turn = self._turns.next(now)
        if self._turns.late:
            self._put_off(self._turns.put_off())
        if self._claims.low:
            self._claims.refill_soon()
        if turn is None:
            return None
        letter, line = turn
        envelope = self._plainly_composed(letter, now)
        if envelope is None:
            self._turns.back(letter, line)
            return None
        first.following = self._under_way[letter.delivery.id] = _Turn(letter, line, self._loop.time(), sending=True)
        self._in_hand += 1
        return envelope

    def _plainly_composed(self, letter: Letter, now: datetime) -> Envelope | None:
        """Compose a letter; None where there is more to say about it."""
        delivery = letter.delivery
        if delivery.lease_until is not None and delivery.lease_until - now < _DIALOGUE:
            return None
        if delivery.subscriber_id in self._outcomes.left or not letter.wanted:
            return None
        try:
            return self._means.compose(letter)
        except Exception:  # noqa: BLE001 - the other way composes it again, and tells of it
            return None

    def report_at_once(self, envelope: Envelope, result: Result, relay: str, then: Callable[[], None]) -> None:
        """Decide what a result means; ``then`` is called when that is on disk."""
        self._decide(self._under_way[envelope.delivery_id], result, relay, then)

    async def _next(self, *, until: float, behind: Line[Letter] | None = None) -> Envelope | None:
        """Give the next message, or None.

        A database that is away ends the run, quietly: an error would break off the other connections, and what they
        have in flight would be in doubt.
        """
        try:
            while self._goes_on():
                if self._claims.urgent and len(self._turns):
                    await self._claims.let_urgent_in()
                now = self._means.clock()
                turn = self._turns.next(now)
                if self._turns.late:
                    self._put_off(self._turns.put_off())
                if turn is None:
                    if behind is not None and behind.waiting:
                        return None  # the result that this connection waits for makes room for one of these
                    if not await self._more(until):
                        return None
                elif (envelope := await self._hand_out(*turn, now)) is not None:
                    return envelope
        except DatabaseUnavailableError as error:
            self._over = True
            _log.warning("sending_waits_for_database", reason=str(error))
        return None

    def _goes_on(self) -> bool:
        return not (self._over or self._claims.failed) and not self._means.stopping() and self._means.holds()

    async def _hand_out(self, letter: Letter, line: Line[Letter], now: datetime) -> Envelope | None:
        """Compose a letter whose turn it is; None for one that is not to be sent, or not by this claim."""
        delivery = letter.delivery
        turn = self._under_way[delivery.id] = _Turn(letter, line, self._loop.time())
        self._in_hand += 1
        if delivery.lease_until is not None and delivery.lease_until - now < _DIALOGUE:
            await self._settle(turn, Untried(reason="it waited too long"), None)
            return None
        if delivery.subscriber_id in self._outcomes.left:
            turn.letter = await self._anew(letter)
        envelope = await self._compose(turn)
        if envelope is not None:
            turn.sending = True
            self._expect(turn)
        return envelope

    def _expect(self, turn: _Turn, *, expected: bool = True) -> None:
        """Count a result in, or out, that comes next on its connection."""
        self._expected += expected - turn.expected
        turn.expected = expected

    async def _more(self, until: float) -> bool:
        """Wait until there may be something to send; False when ``until`` is past, or the run over."""
        if await self._claims.refill():
            return True
        if not self._in_hand:
            self._over = True  # for all connections: one that went on alone would hold up the next run
            return False
        left = until - self._loop.time()
        if left <= 0:
            return False
        self._idle += 1
        try:
            async with asyncio.timeout(min(left, ASK_S)):
                await self._stirred.wait()
        except TimeoutError:
            pass
        finally:
            self._idle -= 1
        return True

    def _put_off(self, late: Sequence[tuple[Letter, datetime]]) -> None:
        """Give letters back as they were, due later; nobody waits for the disk here."""
        for letter, due_at in late:
            decided = put_off(letter.delivery, due_at=due_at)
            self._outcomes.queue(letter.delivery, decided, self._is_put_off, relay=None)
        self.done.put_off += len(late)
        self._putting_off += len(late)
        self._put_off_all.clear()

    def _is_put_off(self) -> None:
        self._putting_off -= 1
        if not self._putting_off:
            self._put_off_all.set()

    async def _nothing_is_put_off(self) -> None:
        """Wait until what was put off is on disk, so that it never piles up here."""
        if self._putting_off:
            await self._put_off_all.wait()

    async def _anew(self, letter: Letter) -> Letter:
        """Load a letter again whose reader left a channel since it was claimed (U3)."""
        async with self._db.reading() as tx:
            return (await load_letters(tx, [letter.delivery]))[0]

    async def report(self, envelope: Envelope, result: Result, relay: str) -> None:
        """Decide what a result means and return when that is on disk."""
        await self._settle(self._under_way[envelope.delivery_id], result, relay)

    async def close(self, writer: asyncio.Task[None]) -> None:
        """Write what is left and give back what no connection took."""
        await self._claims.close()
        self._doubt_the_interrupted()
        self._outcomes.close()
        await writer
        await self._claims.give_back()

    def _doubt_the_interrupted(self) -> None:
        """Remember of each mail that was broken off in a connection's hands that it may have been taken."""
        for turn in self._under_way.values():
            if turn.sending:
                result = InDoubt(reason="broken off while it was handed over")
                now, jitter = self._means.clock(), self._means.jitter()
                decided = outcome(result, turn.letter.delivery, now=now, jitter=jitter)
                self._outcomes.queue(turn.letter.delivery, decided, _nothing, relay=None)
        self._under_way.clear()
        self._expected = 0

    async def _compose(self, turn: _Turn) -> Envelope | None:
        """Make the message; a letter that nobody wants is cancelled, one that cannot be made is a fault of ours."""
        letter = turn.letter
        if not letter.wanted:
            self._learn(turn, None, self._means.clock())
            on_disk = self._loop.create_future()
            self._put(turn, cancelled(letter.delivery), None, partial(_set, on_disk))
            await on_disk
            return None
        try:
            return self._means.compose(letter)
        except Exception as error:  # noqa: BLE001 - whatever a template or a title did, the others go on
            _log.exception("compose_failed", delivery=letter.delivery.id, article=letter.delivery.article_id)
            reason = f"{type(error).__name__}: {error}"
            await self._settle(turn, Fault(reason=reason), relay=None)
            return None

    async def _settle(self, turn: _Turn, result: Result, relay: str | None) -> None:
        """Decide what a result means and return when that is on disk."""
        on_disk = self._loop.create_future()
        self._decide(turn, result, relay, partial(_set, on_disk))
        await on_disk

    def _decide(self, turn: _Turn, result: Result, relay: str | None, then: Callable[[], None]) -> None:
        turn.sending = False
        self._expect(turn, expected=False)
        now = self._means.clock()
        self._learn(turn, result, now)
        decided = outcome(result, turn.letter.delivery, now=now, jitter=self._means.jitter())
        self._put(turn, decided, relay, then, tried=not isinstance(result, Untried))

    def _learn(self, turn: _Turn, result: Result | None, now: datetime) -> None:
        """Let other mails to the domain go, by what became of this one (None: it was not sent)."""
        del self._under_way[turn.letter.delivery.id]
        took_s = self._loop.time() - turn.began_s
        if self._turns.done(turn.line, result, now=now, took_s=took_s) is not Change.NONE:
            _tell(turn.line.domain)
        if self._idle and len(self._turns):
            self._stir()

    def _put(
        self, turn: _Turn, decided: Outcome, relay: str | None, then: Callable[[], None], *, tried: bool = True
    ) -> None:
        """Queue an outcome for the next group."""
        on_disk = partial(self._on_disk, turn, decided, tried, then)
        self._outcomes.queue(turn.letter.delivery, decided, on_disk, relay=relay)

    def _on_disk(self, turn: _Turn, decided: Outcome, tried: bool, then: Callable[[], None]) -> None:  # noqa: FBT001 - called from one place
        """Count an outcome and let its connection go on."""
        if turn.following is not None:  # that it waited for our database does not make its domain a slow one
            turn.following.began_s = self._loop.time()
            self._expect(turn.following, expected=turn.following.sending)
        self.done.count(decided, tried=tried)
        self._in_hand -= 1
        if decided.state is DeliveryState.PENDING:
            self._claims.may_be_due()
        if self._idle and not self._in_hand:
            self._stir()
        then()

    def _stir(self) -> None:
        """Wake the connections that wait for a letter."""
        self._stirred.set()
        self._stirred.clear()


def _set(on_disk: asyncio.Future[None]) -> None:
    if not on_disk.done():
        on_disk.set_result(None)


def _nothing() -> None:
    """Do nothing: nobody waits for it."""


def _may_take_long(domain: Domain) -> bool:
    """Whether no mail should wait behind one to this domain."""
    return domain.slow or domain.state is not BreakerState.CLOSED


def _tell(domain: Domain) -> None:
    """Tell the operator, once a change, that a domain refuses us or takes our mail again."""
    breaker = domain.breaker()
    if breaker is None:
        _log.info("domain_takes_mail_again", domain=domain.name)
    else:
        probe_at = breaker.probe_at.isoformat()
        _log.error("domain_refuses_us", domain=domain.name, reason=breaker.reason, probe_at=probe_at)
