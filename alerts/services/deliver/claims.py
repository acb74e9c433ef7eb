"""What a run has claimed: fetched before it runs out, confirmations first, given back at the end. Sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from alerts.core.errors import DatabaseUnavailableError
from alerts.core.model import Lane
from alerts.core.turns import Turns
from alerts.services.deliver.means import Means
from alerts.services.deliver.outcomes import RETRY_WRITE_S
from alerts.storage import breakers, deliveries
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, load_letters

_log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=15)  # longer than the longest honest SMTP dialogue; a dead worker's claims are rescued sooner
ASK_S = 0.1  # how often we look for newly due mails while others are under way and a connection has none
_SMALLEST, _LARGEST = 16, 1_024  # deliveries a claim
_AIM_S = 0.25  # a claim should be worth so much sending: small enough that a confirmation hardly waits behind it
_URGENT_S = 0.25  # how often we look whether a confirmation became due, while claimed alerts wait their turn


class Claims:
    """One run's claims; ``turns`` takes what they bring. ``failed`` once a claim did, and nobody may go on."""

    def __init__(
        self,
        db: Database,
        means: Means,
        turns: Turns[Letter],
        *,
        worker_id: str,
        goes_on: Callable[[], bool],
        before: Callable[[], Awaitable[None]],
    ) -> None:
        """``goes_on``: whether the run does; ``before``: waits for what must be on disk before more is claimed."""
        self.failed = False
        self._db = db
        self._means = means
        self._turns = turns
        self._worker_id = worker_id
        self._goes_on = goes_on
        self._before = before
        self._loop = asyncio.get_running_loop()
        self._any = False  # perhaps: a claim whose commit got no answer may stand
        self._returned = 0  # outcomes after which something may be due at once
        self._urgent_at = 0.0  # when to look for confirmations again, by the loop's clock
        self._dry_until = 0.0  # when to look for due mails again, by the loop's clock
        self._refilling = asyncio.Lock()
        self._refill_task: asyncio.Task[None] | None = None
        self._size = _SMALLEST * 4
        self._claimed_s: float | None = None  # by the loop's clock

    @property
    def urgent(self) -> bool:
        """Whether it is time to look for confirmations."""
        return self._loop.time() >= self._urgent_at

    @property
    def low(self) -> bool:
        """Whether it is time to claim more, before the last letter is given out."""
        return len(self._turns) < self._means.connections and self._loop.time() >= self._dry_until

    def may_be_due(self) -> None:
        """Note that a delivery became pending again: it may be due at once."""
        self._returned += 1
        self._dry_until = 0.0

    async def let_urgent_in(self) -> None:
        """Claim the confirmations that became due meanwhile: who waits for one does not wait for a claim of alerts."""
        self._urgent_at = self._loop.time() + _URGENT_S
        await self.claim(urgent=True)

    async def refill(self) -> bool:
        """Claim if nothing waits, unless there was nothing to claim a moment ago; return whether something waits.

        A claim takes a while: also when it finds nothing, letters may have got room meanwhile.
        """
        async with self._refilling:
            return len(self._turns) > 0 or await self._claim_due() or len(self._turns) > 0

    def refill_soon(self) -> None:
        """Claim in a task of its own: nobody has to wait for it."""
        if self._refill_task is None or self._refill_task.done():
            self._refill_task = asyncio.create_task(self._refill_ahead(), name="claim")

    async def close(self) -> None:
        """Break off a claim that is under way; what it has claimed is given back."""
        if self._refill_task is not None:
            self._refill_task.cancel()
            await asyncio.gather(self._refill_task, return_exceptions=True)

    async def give_back(self) -> None:
        """Return to pending what the ledger says is ours: no connection has any of it any more.

        Until that is done nobody else may send it, for as long as this process lives; so it is tried until it is.
        """
        while self._any:
            try:
                async with self._db.transaction() as tx:
                    await deliveries.give_back(tx, worker_id=self._worker_id)
            except DatabaseUnavailableError as error:
                _log.warning("claims_wait_for_database", reason=str(error))
                if self._means.stopping():
                    return  # who leaves gives everything back, and who dies is buried
                await asyncio.sleep(RETRY_WRITE_S)
            else:
                self._any = False

    async def claim(self, *, urgent: bool = False) -> bool:
        """Claim what is due, the first lane first; only that lane, and before all that waits, when it is urgent.

        Return whether anything was.
        """
        now = self._means.clock()
        if not urgent:
            self._adapt()
        tellings = self._means.domains.tellings
        held, self._any = self._any, True
        async with self._db.prepared() as quick:
            claimed = await deliveries.claim_due(
                quick,
                worker_id=self._worker_id,
                claim=self._means.new_claim(),
                now=now,
                lease_until=now + LEASE,
                limit=_SMALLEST if urgent else self._size,
                lanes=(Lane.CONFIRMATION,) if urgent else tuple(Lane),
            )
        self._any = held or bool(claimed)
        if not claimed:
            return False
        async with self._db.reading() as tx:  # nobody who writes waits for this
            letters = await load_letters(tx, claimed)
            shut = await breakers.shut_breakers(tx)
        if tellings == self._means.domains.tellings:
            self._means.domains.agree(shut)
        self._turns.add(((letter, _domain(letter)) for letter in letters), first=urgent)
        return True

    async def _refill_ahead(self) -> None:
        try:
            async with self._refilling:
                if self.low:
                    await self._claim_due()
        except DatabaseUnavailableError as error:
            self.failed = True
            _log.warning("sending_waits_for_database", reason=str(error))
        except Exception:  # noqa: BLE001 - nobody waits for this task
            self.failed = True  # else each mail would claim more that nobody can send
            _log.exception("claim_failed")

    async def _claim_due(self) -> bool:
        while self._loop.time() >= self._dry_until and self._goes_on():
            await self._before()
            returned = self._returned
            if await self.claim():
                return True
            if returned == self._returned:
                self._dry_until = self._loop.time() + ASK_S
        return False

    def _adapt(self) -> None:
        """Claim more when the last claim was sent off quickly, less when it took long."""
        now_s = self._loop.time()
        if self._claimed_s is not None:
            is_quick = now_s - self._claimed_s < _AIM_S
            self._size = min(_LARGEST, self._size * 2) if is_quick else max(_SMALLEST, self._size // 2)
        self._claimed_s = now_s


def _domain(letter: Letter) -> str:
    return (letter.recipient or "").rpartition("@")[2].lower()
