"""Rows of ``deliveries`` as the one who sends them sees them: claim, load, record, give back.

Every write to a claimed row carries the claim's token, so a worker that slept through its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.deliveries import Outcome
from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane
from alerts.storage.prepared import Prepared
from alerts.storage.schema import deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An outcome on its way to the row that its claim holds."""

    delivery_id: int
    claim: str
    outcome: Outcome
    relay: str | None
    at: datetime


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    it = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Delivery(
        id=it["id"],
        kind=DeliveryKind(it["kind"]),
        lane=Lane(it["lane"]),
        subscriber_id=it["subscriber_id"],
        article_id=it["article_id"],
        confirmation_id=it["confirmation_id"],
        digest_run_id=it["digest_run_id"],
        state=DeliveryState(it["state"]),
        due_at=it["due_at"],
        dated_at=it["dated_at"],
        attempts=it["attempts"],
        faults=it["faults"],
        in_doubt=it["in_doubt"],
        claim=it["claim"],
        lease_until=it["lease_until"],
        reply=it["reply"],
        relay=it["relay"],
        finished_at=it["finished_at"],
    )


def due_ids(lane: Lane, *, now: datetime, limit: int) -> Select[tuple[int]]:
    """Ask which deliveries of a lane are due, the oldest first; on an index, rows that others hold are skipped."""
    return (
        select(deliveries.c.id)
        .where(deliveries.c.state == DeliveryState.PENDING, deliveries.c.lane == lane, deliveries.c.due_at <= now)
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite leaves it out: there the transaction is alone
    )


async def claim_due(
    tx: AsyncConnection,
    *,
    worker_id: str,
    claim: str,
    now: datetime,
    lease_until: datetime,
    limit: int,
    lanes: Sequence[Lane] = tuple(Lane),
) -> list[Delivery]:
    """Take up to ``limit`` due deliveries for a worker, lane by lane; return them in the order to send."""
    taken: list[Delivery] = []
    for lane in sorted(lanes):
        if len(taken) >= limit:
            break
        # A CTE is run once. PostgreSQL may run a subquery in its place once a row, and then LIMIT limits nothing.
        due = due_ids(lane, now=now, limit=limit - len(taken)).cte("due")
        statement = (
            update(deliveries)
            .where(deliveries.c.id.in_(select(due.c.id)))
            .where(deliveries.c.state == DeliveryState.PENDING)
            .values(state=DeliveryState.CLAIMED, claim=claim, worker_id=worker_id, lease_until=lease_until)
            .returning(deliveries)
        )
        rows = [_delivery(row) for row in (await tx.execute(statement)).all()]
        taken += sorted(rows, key=lambda it: (it.due_at, it.id))
    return taken


_RECORD = Prepared(
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("b_id"),
        deliveries.c.claim == bindparam("b_claim"),
        deliveries.c.state == DeliveryState.CLAIMED,
    )
    .values(
        state=bindparam("b_state"),
        due_at=bindparam("b_due_at"),
        attempts=bindparam("b_attempts"),
        faults=bindparam("b_faults"),
        in_doubt=bindparam("b_in_doubt"),
        reply=bindparam("b_reply"),
        relay=bindparam("b_relay"),
        finished_at=bindparam("b_finished_at"),
        claim=None,
        worker_id=None,
        lease_until=None,
    )
)


async def record_outcomes(tx: AsyncConnection, written: Sequence[Written]) -> int:
    """Write outcomes in one statement; return how many rows were still held by their claims."""
    rows = [
        {
            "b_id": one.delivery_id,
            "b_claim": one.claim,
            "b_state": one.outcome.state,
            "b_due_at": one.outcome.due_at,
            "b_attempts": one.outcome.attempts,
            "b_faults": one.outcome.faults,
            "b_in_doubt": one.outcome.in_doubt,
            "b_reply": one.outcome.reply,
            "b_relay": one.relay,
            "b_finished_at": one.at if one.outcome.finished else None,
        }
        for one in written
    ]
    if not rows:
        return 0
    return await _RECORD.write(tx, rows)


_FREE = {"state": DeliveryState.PENDING, "claim": None, "worker_id": None, "lease_until": None}


async def give_back(tx: AsyncConnection, *, worker_id: str, claims: Sequence[str] | None = None) -> int:
    """Return a worker's untouched claims (all of them, or the named ones) to pending; return how many."""
    statement = update(deliveries).where(
        deliveries.c.state == DeliveryState.CLAIMED, deliveries.c.worker_id == worker_id
    )
    if claims is not None:
        statement = statement.where(deliveries.c.claim.in_(claims))
    return (await tx.execute(statement.values(_FREE))).rowcount


async def rescue(tx: AsyncConnection, *, dead: Sequence[str], now: datetime) -> int:
    """Take back the claims of dead workers, and claims past their own lease; return how many."""
    statement = (
        update(deliveries)
        .where(deliveries.c.state == DeliveryState.CLAIMED)
        .where(or_(deliveries.c.worker_id.in_(dead), deliveries.c.lease_until < now))
        .values(_FREE)
    )
    return (await tx.execute(statement)).rowcount


async def claim_holders(tx: AsyncConnection) -> set[str]:
    """Name the workers that hold claims."""
    statement = select(deliveries.c.worker_id).where(deliveries.c.state == DeliveryState.CLAIMED).distinct()
    return set((await tx.scalars(statement)).all())


async def expire(tx: AsyncConnection, *, kind: DeliveryKind, dated_before: datetime, now: datetime, limit: int) -> int:
    """End pending deliveries of a kind that became due before ``dated_before``; return how many."""
    late = (
        select(deliveries.c.id)
        .where(
            deliveries.c.state == DeliveryState.PENDING,
            deliveries.c.kind == kind,
            deliveries.c.dated_at < dated_before,
        )
        .limit(limit)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(late), deliveries.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.EXPIRED, finished_at=now)
    )
    return (await tx.execute(statement)).rowcount


async def next_due_at(tx: AsyncConnection) -> datetime | None:
    """Say when the next pending delivery is due; None when nothing waits."""
    found = None
    for lane in Lane:
        statement = (
            select(deliveries.c.due_at)
            .where(deliveries.c.state == DeliveryState.PENDING, deliveries.c.lane == lane)
            .order_by(deliveries.c.due_at)
            .limit(1)
        )
        due_at: datetime | None = await tx.scalar(statement)
        found = min(filter(None, (found, due_at)), default=None)
    return found


async def count_due(tx: AsyncConnection, *, now: datetime) -> int:
    """Count the deliveries that could be sent now."""
    due = (deliveries.c.state == DeliveryState.PENDING, deliveries.c.lane.in_(list(Lane)), deliveries.c.due_at <= now)
    return await tx.scalar(select(func.count()).select_from(deliveries).where(*due)) or 0


async def count_by_state(tx: AsyncConnection) -> dict[DeliveryState, int]:
    """Count the deliveries in each state; every state has a number."""
    statement = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    counted = {DeliveryState(state): count for state, count in (await tx.execute(statement)).all()}
    return {state: counted.get(state, 0) for state in DeliveryState}


async def delivery_by_id(tx: AsyncConnection, delivery_id: int) -> Delivery | None:
    """Find one delivery."""
    row = (await tx.execute(select(deliveries).where(deliveries.c.id == delivery_id))).one_or_none()
    return _delivery(row) if row else None


async def list_deliveries(
    tx: AsyncConnection, *, state: DeliveryState | None = None, subscriber_id: int | None = None, limit: int = 50
) -> list[Delivery]:
    """List the newest deliveries, of one state or one subscriber if asked."""
    statement = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(deliveries.c.state == state)
    if subscriber_id is not None:
        statement = statement.where(deliveries.c.subscriber_id == subscriber_id)
    return [_delivery(row) for row in (await tx.execute(statement)).all()]


async def retry(tx: AsyncConnection, *, ids: Sequence[int] | None, now: datetime) -> int:
    """Make failed and expired deliveries (the named ones, or all failed) pending again, due now; return how many.

    ``dated_at`` becomes now: the mail gets a fresh life of 48 h and a Date that is true.
    """
    again = [DeliveryState.FAILED] if ids is None else [DeliveryState.FAILED, DeliveryState.EXPIRED]
    statement = update(deliveries).where(deliveries.c.state.in_(again))
    if ids is not None:
        statement = statement.where(deliveries.c.id.in_(ids))
    fresh = {"state": DeliveryState.PENDING, "due_at": now, "dated_at": now, "attempts": 0, "faults": 0}
    return (await tx.execute(statement.values(**fresh, in_doubt=False, finished_at=None))).rowcount
