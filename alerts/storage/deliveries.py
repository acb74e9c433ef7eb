"""Rows of ``deliveries`` as the one who sends them sees them: claim, load, record, give back.

Every write to a claimed row carries the claim's token, so a worker that slept through its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    Update,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from alerts.core.deliveries import Outcome
from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane
from alerts.storage.prepared import Prepared, Transaction
from alerts.storage.schema import Utc, deliveries


class Written(NamedTuple):
    """An outcome on its way to the row that its claim holds; a tuple, as each mail costs one."""

    delivery_id: int
    claim: str
    outcome: Outcome
    relay: str | None


def _is(state: DeliveryState) -> ColumnElement[bool]:
    """Ask for a state by its name in the statement: that is how a partial index is found."""
    return deliveries.c.state == literal_column(f"'{state}'")


_PENDING, _CLAIMED = _is(DeliveryState.PENDING), _is(DeliveryState.CLAIMED)
_UNSENT = or_(_is(DeliveryState.FAILED), _is(DeliveryState.EXPIRED), _is(DeliveryState.CANCELLED))
_COLUMNS = [deliveries.c[name] for name in Delivery._fields]
_LAST_TRYS = ("reply", "relay", "finished_at")
_STATES = {state.value: state for state in DeliveryState}
_KINDS = {kind.value: kind for kind in DeliveryKind}
_LANES = {lane.value: lane for lane in Lane}


def _delivery(row: Sequence[Any]) -> Delivery:
    key, kind, lane, subscriber, article, confirmation, digest_run, state, *rest = row
    return Delivery(
        key, _KINDS[kind], _LANES[lane], subscriber, article, confirmation, digest_run, _STATES[state], *rest
    )


def due_ids(
    lane: Lane | ColumnElement[int], *, now: datetime | ColumnElement[datetime], limit: int | ColumnElement[int]
) -> Select[tuple[int]]:
    """Ask which deliveries of a lane are due, the oldest first; on an index, rows that others hold are skipped."""
    return (
        select(deliveries.c.id)
        .where(_PENDING, deliveries.c.lane == lane, deliveries.c.due_at <= now)
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite leaves it out: there the transaction is alone
    )


# A CTE is run once. PostgreSQL may run a subquery in its place once a row, and then LIMIT limits nothing.
_DUE = due_ids(bindparam("b_lane", type_=Integer), now=bindparam("b_now", type_=Utc), limit=bindparam("b_limit")).cte(
    "due"
)
#: What a claim tells of a row; the rest it has just written itself, or it is the last try's.
_TOLD = [deliveries.c[name] for name in Delivery._fields if name not in {"state", "claim", "lease_until", *_LAST_TRYS}]
#: Held by the CTE they are still pending. Asked again here, PostgreSQL looks for them on the index of what is due: one
#: that was counted while nothing waited looks it through for every row of the claim.
_CLAIM = Prepared(
    update(deliveries)
    .where(deliveries.c.id.in_(select(_DUE.c.id)))
    .values(
        state=literal_column("'claimed'"),
        claim=bindparam("b_claim"),
        worker_id=bindparam("b_worker"),
        lease_until=bindparam("b_lease", type_=Utc),
    )
    .returning(*_TOLD),
    *("b_lane", "b_now", "b_limit", "b_claim", "b_worker", "b_lease"),
)


async def claim_due(
    tx: Transaction,
    *,
    worker_id: str,
    claim: str,
    now: datetime,
    lease_until: datetime,
    limit: int,
    lanes: Sequence[Lane] = tuple(Lane),
) -> list[Delivery]:
    """Take up to ``limit`` due deliveries for a worker, lane by lane; return them in the order to send.

    They are as claimed, but for what became of the last try: nobody who sends asks for that.
    """
    taken: list[Delivery] = []
    for lane in sorted(lanes):
        if len(taken) >= limit:
            break
        rows = await _CLAIM.rows(tx, int(lane), now, limit - len(taken), claim, worker_id, lease_until)
        taken += sorted((_as_claimed(row, claim, lease_until) for row in rows), key=_order)
    return taken


_order = attrgetter("due_at", "id")


def _as_claimed(row: Sequence[Any], claim: str, lease_until: datetime) -> Delivery:
    """Make a delivery of what a claim tells."""
    key, kind, lane, subscriber, article, confirmation, digest_run, due, dated, attempts, faults, in_doubt = row
    return Delivery(
        key,
        _KINDS[kind],
        _LANES[lane],
        subscriber,
        article,
        confirmation,
        digest_run,
        DeliveryState.CLAIMED,
        due,
        dated,
        attempts,
        faults,
        in_doubt,
        claim,
        lease_until,
    )


_LET_GO: dict[str, None] = {"claim": None, "worker_id": None, "lease_until": None}
_OF_A_ROW: dict[str, TypeEngine[Any]] = {"b_id": BigInteger(), "b_claim": Text()}
_OF_AN_END: dict[str, TypeEngine[Any]] = {
    "b_attempts": Integer(),
    "b_reply": Text(),
    "b_relay": Text(),
    "b_finished_at": Utc(),
    **_OF_A_ROW,
}
_OF_THE_REST: dict[str, TypeEngine[Any]] = {
    "b_state": Text(),
    "b_due_at": Utc(),
    "b_faults": Integer(),
    "b_in_doubt": Boolean(),
    **_OF_AN_END,
}


def _outcome(given: Mapping[str, ColumnElement[Any]], **fixed: ColumnElement[Any]) -> Update:
    """Write what became of a row, if the claim still holds it; ``given`` has the parameters by name.

    The state is asked for so that no index is found by it: a row is found by its key, and by nothing else.
    """
    is_claimed = (deliveries.c.state + "") == literal_column(f"'{DeliveryState.CLAIMED}'")
    held = (deliveries.c.id == given["b_id"], deliveries.c.claim == given["b_claim"], is_claimed)
    told = {name.removeprefix("b_"): value for name, value in given.items() if name not in _OF_A_ROW}
    return update(deliveries).where(*held).values({**told, **fixed, **_LET_GO})


def _outcomes(types: Mapping[str, TypeEngine[Any]], **fixed: ColumnElement[Any]) -> Prepared:
    one = {name: bindparam(name, type_=kind) for name, kind in types.items()}
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    each = func.unnest(*arrays).table_valued(*columns).render_derived(name="outcome")
    whole = _outcome({name: each.c[name] for name in types}, **fixed)
    return Prepared(_outcome(one, **fixed), *types, whole=whole)


_SENT = _outcomes(_OF_AN_END, state=literal_column(f"'{DeliveryState.SENT}'"))
_RECORD = _outcomes(_OF_THE_REST)


async def record_outcomes(tx: Transaction, written: Sequence[Written], *, now: datetime) -> int:
    """Write outcomes, a statement for the sent and one for the rest; return how many claims still held their rows.

    That is -1 where the driver does not say.
    """
    sent: list[tuple[Any, ...]] = []
    rest: list[tuple[Any, ...]] = []
    for delivery_id, claim, decided, relay in written:
        state, due_at, attempts, faults, in_doubt, reply, _ = decided
        end = (attempts, reply, relay, now if decided.finished else None, delivery_id, claim)
        if state is DeliveryState.SENT:
            sent.append(end)
        else:
            rest.append((state.value, due_at, faults, in_doubt, *end))
    counted = [await _SENT.write(tx, sent), await _RECORD.write(tx, rest)]
    return -1 if -1 in counted else sum(counted)


_FREE = {"state": DeliveryState.PENDING, **_LET_GO}


async def give_back(tx: AsyncConnection, *, worker_id: str, claims: Sequence[str] | None = None) -> int:
    """Return a worker's untouched claims (all of them, or the named ones) to pending; return how many."""
    statement = update(deliveries).where(_CLAIMED, deliveries.c.worker_id == worker_id)
    if claims is not None:
        statement = statement.where(deliveries.c.claim.in_(claims))
    return (await tx.execute(statement.values(_FREE))).rowcount


async def lapsed_claims(tx: AsyncConnection, *, now: datetime) -> set[str]:
    """Name the claims that hold something past their lease."""
    statement = select(deliveries.c.claim).where(_CLAIMED, deliveries.c.lease_until < now).distinct()
    return set((await tx.scalars(statement)).all())


async def rescue(tx: AsyncConnection, *, dead: Sequence[str], claims: Sequence[str] = ()) -> int:
    """Take back all that dead workers hold, and all that the named claims do; return how many.

    Rows that a worker holds which froze while it wrote them are left to the next time: nobody else's wait for them.
    """
    lost = (
        select(deliveries.c.id)
        .where(_CLAIMED, or_(deliveries.c.worker_id.in_(dead), deliveries.c.claim.in_(claims)))
        .with_for_update(skip_locked=True)
        .cte("lost")
    )
    statement = update(deliveries).where(deliveries.c.id.in_(select(lost.c.id))).values(_FREE)
    return len((await tx.scalars(statement.returning(deliveries.c.id))).all())


async def claim_holders(tx: AsyncConnection) -> set[str]:
    """Name the workers that hold claims."""
    statement = select(deliveries.c.worker_id).where(_CLAIMED).distinct()
    return set((await tx.scalars(statement)).all())


async def expire(tx: AsyncConnection, *, kind: DeliveryKind, dated_before: datetime, now: datetime, limit: int) -> int:
    """End pending deliveries of a kind that became due before ``dated_before``; return how many."""
    late = (
        select(deliveries.c.id)
        .where(_PENDING, deliveries.c.kind == kind, deliveries.c.dated_at < dated_before)
        .limit(limit)
    )
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(late), _PENDING)
        .values(state=DeliveryState.EXPIRED, finished_at=now)
    )
    return (await tx.execute(statement)).rowcount


async def make_due(tx: AsyncConnection, *, dated_after: datetime, now: datetime) -> int:
    """Make the pending deliveries due that are dated after a time; return how many."""
    planned = (_PENDING, deliveries.c.due_at > now, deliveries.c.dated_at > dated_after)
    return (await tx.execute(update(deliveries).where(*planned).values(due_at=now))).rowcount


async def next_due_at(tx: AsyncConnection) -> datetime | None:
    """Say when the next pending delivery is due; None when nothing waits."""
    found = None
    for lane in Lane:
        statement = (
            select(deliveries.c.due_at)
            .where(_PENDING, deliveries.c.lane == lane)
            .order_by(deliveries.c.due_at)
            .limit(1)
        )
        due_at: datetime | None = await tx.scalar(statement)
        found = min(filter(None, (found, due_at)), default=None)
    return found


async def count_due(tx: AsyncConnection, *, now: datetime) -> int:
    """Count the deliveries that could be sent now."""
    due = (_PENDING, deliveries.c.lane.in_(list(Lane)), deliveries.c.due_at <= now)
    return await tx.scalar(select(func.count()).select_from(deliveries).where(*due)) or 0


async def count_by_state(tx: AsyncConnection) -> dict[DeliveryState, int]:
    """Count the deliveries in each state; every state has a number.

    All but the sent ones are few and on indexes of their own; the sent ones are the rest.
    """
    counted = dict.fromkeys(DeliveryState, 0)
    for state, condition in ((DeliveryState.PENDING, _PENDING), (DeliveryState.CLAIMED, _CLAIMED)):
        counted[state] = await tx.scalar(select(func.count()).select_from(deliveries).where(condition)) or 0
    unsent = select(deliveries.c.state, func.count()).where(_UNSENT).group_by(deliveries.c.state)
    for name, count in (await tx.execute(unsent)).all():
        counted[DeliveryState(name)] = count
    everything = await tx.scalar(select(func.count()).select_from(deliveries)) or 0
    counted[DeliveryState.SENT] = everything - sum(counted.values())
    return counted


async def delivery_by_id(tx: AsyncConnection, delivery_id: int) -> Delivery | None:
    """Find one delivery."""
    row = (await tx.execute(select(*_COLUMNS).where(deliveries.c.id == delivery_id))).one_or_none()
    return _delivery(row) if row else None


async def list_deliveries(
    tx: AsyncConnection, *, state: DeliveryState | None = None, subscriber_id: int | None = None, limit: int = 50
) -> list[Delivery]:
    """List the newest deliveries, of one state or one subscriber if asked."""
    # Few are claimed at any time: better to sort them than to look for them among all.
    newest = deliveries.c.id + 0 if state is DeliveryState.CLAIMED else deliveries.c.id
    statement = select(*_COLUMNS).order_by(newest.desc()).limit(limit)
    if state is not None:
        statement = statement.where(*_conditions(state))
    if subscriber_id is not None:
        statement = statement.where(deliveries.c.subscriber_id == subscriber_id)
    return [_delivery(row) for row in (await tx.execute(statement)).all()]


def _conditions(state: DeliveryState) -> list[ColumnElement[bool]]:
    """Ask for a state so that its index is found."""
    unsent = state not in {DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.SENT}
    return [_UNSENT, deliveries.c.state == state] if unsent else [_is(state)]


async def retry(tx: AsyncConnection, *, ids: Sequence[int] | None, now: datetime) -> int:
    """Make failed and expired deliveries (the named ones, or all failed) pending again, due now; return how many.

    ``dated_at`` becomes now: the mail gets a fresh life of 48 h and a Date that is true.
    """
    again = [DeliveryState.FAILED] if ids is None else [DeliveryState.FAILED, DeliveryState.EXPIRED]
    statement = update(deliveries).where(_UNSENT, deliveries.c.state.in_(again))
    if ids is not None:
        statement = statement.where(deliveries.c.id.in_(ids))
    fresh = {"state": DeliveryState.PENDING, "due_at": now, "dated_at": now, "attempts": 0, "faults": 0}
    return (await tx.execute(statement.values(**fresh, in_doubt=False, finished_at=None))).rowcount
