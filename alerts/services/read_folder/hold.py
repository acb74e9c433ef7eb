"""Our claim on a folder's source, for as long as a poll lasts: taken, held longer at each step, let go."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Source, SourceState
from alerts.storage import sources
from alerts.storage.engine import Database

LEASE = timedelta(seconds=30)


class Hold:
    """One poll's claim."""

    def __init__(self, db: Database, source_id: int, claim: str, now: datetime) -> None:
        self._db = db
        self._source_id = source_id
        self._claim = claim
        self._now = now  # when the poll began
        self._began = monotonic()

    async def take(self) -> Source | None:
        """Claim the source and return it as it is now; None when it is claimed, or polled no more."""
        async with self._db.transaction() as tx:
            return await sources.claim_source(
                tx, self._source_id, claim=self._claim, now=self._now, lease=LEASE, only_due=False
            )

    async def is_polled(self) -> bool:
        """Say whether the source is polled at all: then somebody else holds it."""
        async with self._db.reading() as tx:
            source = await sources.source_by_id(tx, self._source_id)
        return source is not None and source.state in {SourceState.OK, SourceState.FAILING}

    async def extend(self, tx: AsyncConnection) -> bool:
        """Hold it longer, in the transaction of a step; False when it was lost: then write nothing."""
        now = self._now + timedelta(seconds=monotonic() - self._began)
        return await sources.extend_lease(tx, self._source_id, claim=self._claim, now=now, lease=LEASE)

    async def record_success(self, *, next_poll_at: datetime) -> None:
        """Record that the poll worked, and let go."""
        async with self._db.transaction() as tx:
            await sources.record_success(
                tx, self._source_id, claim=self._claim, now=self._now, next_poll_at=next_poll_at
            )

    async def record_failure(self, reason: str, *, next_poll_at: datetime) -> None:
        """Record why it did not work, and let go."""
        async with self._db.transaction() as tx:
            await sources.record_failure(
                tx, self._source_id, claim=self._claim, now=self._now, next_poll_at=next_poll_at, reason=reason
            )
