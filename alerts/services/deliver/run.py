"""One run of delivering: whose turn it is, and what a connection is given. What becomes of it: ``under_way``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from alerts.core.deliveries import Fault, Result, Untried
from alerts.core.domains import BreakerState, Domain
from alerts.core.errors import DatabaseUnavailableError
from alerts.core.model import Envelope
from alerts.core.turns import Line, Turns
from alerts.services.deliver.claims import ASK_S, Claims
from alerts.services.deliver.means import AtOnce, Delivered, Means
from alerts.services.deliver.under_way import Turn, UnderWay
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


class _Run:
    """One run: the claimed letters not yet given to a connection, and those under way."""

    def __init__(self, db: Database, means: Means, worker_id: str) -> None:
        self._db = db
        self._means = means
        self._loop = asyncio.get_running_loop()
        self._turns: Turns[Letter] = Turns(means.domains, connections=means.connections)
        self._over = False
        self._idle = 0  # connections that wait for a letter
        self._stirred = asyncio.Event()
        self._under_way = UnderWay(db, means, self._turns, moved=self._stir, may_be_due=self._may_be_due)
        self._outcomes = self._under_way.outcomes
        self._claims = Claims(
            db,
            means,
            self._turns,
            worker_id=worker_id,
            goes_on=self._goes_on,
            before=self._under_way.nothing_is_put_off,
        )

    @property
    def done(self) -> Delivered:
        """What became of the letters so far."""
        return self._under_way.done

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
            self._under_way.expect(first.following, expected=False)
        return following

    def ahead_at_once(self, under_way: Envelope) -> Envelope | None:
        """Give an open connection its next message behind another, unless that takes a look at the ledger."""
        first = self._under_way[under_way.delivery_id]
        if self._claims.urgent or not self._goes_on() or _may_take_long(first.line.domain):
            return None
        now = self._means.clock()
        turn = self._turns.next(now)
        if self._turns.late:
            self._under_way.put_off(self._turns.put_off())
        if self._claims.low:
            self._claims.refill_soon()
        if turn is None:
            return None
        letter, line = turn
        envelope = self._plainly_composed(letter, now)
        if envelope is None:
            self._turns.back(letter, line)
            return None
        first.following = self._under_way.begin(letter, line, sending=True)
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
        self._under_way.decide(self._under_way[envelope.delivery_id], result, relay, then)

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
                    self._under_way.put_off(self._turns.put_off())
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
        turn = self._under_way.begin(letter, line)
        if delivery.lease_until is not None and delivery.lease_until - now < _DIALOGUE:
            await self._under_way.settle(turn, Untried(reason="it waited too long"), None)
            return None
        if delivery.subscriber_id in self._outcomes.left:
            turn.letter = await self._anew(letter)
        envelope = await self._compose(turn)
        if envelope is not None:
            turn.sending = True
            self._under_way.expect(turn)
        return envelope

    async def _more(self, until: float) -> bool:
        """Wait until there may be something to send; False when ``until`` is past, or the run over."""
        if await self._claims.refill():
            return True
        if not self._under_way.in_hand:
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

    async def _anew(self, letter: Letter) -> Letter:
        """Load a letter again whose reader left a channel since it was claimed (U3)."""
        async with self._db.reading() as tx:
            return (await load_letters(tx, [letter.delivery]))[0]

    async def report(self, envelope: Envelope, result: Result, relay: str) -> None:
        """Decide what a result means and return when that is on disk."""
        await self._under_way.settle(self._under_way[envelope.delivery_id], result, relay)

    async def close(self, writer: asyncio.Task[None]) -> None:
        """Write what is left and give back what no connection took."""
        await self._claims.close()
        self._under_way.doubt_the_interrupted()
        self._outcomes.close()
        await writer
        await self._claims.give_back()

    async def _compose(self, turn: Turn) -> Envelope | None:
        """Make the message; a letter that nobody wants is cancelled, one that cannot be made is a fault of ours."""
        letter = turn.letter
        if not letter.wanted:
            await self._under_way.cancel(turn)
            return None
        try:
            return self._means.compose(letter)
        except Exception as error:  # noqa: BLE001 - whatever a template or a title did, the others go on
            _log.exception("compose_failed", delivery=letter.delivery.id, article=letter.delivery.article_id)
            reason = f"{type(error).__name__}: {error}"
            await self._under_way.settle(turn, Fault(reason=reason), relay=None)
            return None

    def _may_be_due(self) -> None:
        self._claims.may_be_due()

    def _stir(self) -> None:
        """Wake the connections that wait for a letter."""
        if self._idle:
            self._stirred.set()
            self._stirred.clear()


def _may_take_long(domain: Domain) -> bool:
    """Whether no mail should wait behind one to this domain."""
    return domain.slow or domain.state is not BreakerState.CLOSED
