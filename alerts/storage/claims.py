"""Claims on sources, many at a time: taken for a poll each, and let go with what it came to.

Each row is its own question: whoever lost its claim writes nothing, and takes nothing from the others in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.types import TypeEngine

from alerts.core.feed_pace import Pace
from alerts.core.model import Source, SourceKind, SourceState
from alerts.core.websub import TRUSTED_FOR, SubscriptionState
from alerts.storage.prepared import Transaction
from alerts.storage.schema import Utc, hub_subscriptions, sources
from alerts.storage.source_row import COLUMNS, to_source
from alerts.storage.together import Given, Together

POLLED = (SourceState.OK.value, SourceState.FAILING.value)
RELEASED = {"claim": null(), "lease_until": null()}


class Ask(NamedTuple):
    """A wish to poll a source; ``kind``: only if it is of this one."""

    source_id: int
    claim: str
    now: datetime
    lease: timedelta
    only_due: bool = True
    kind: SourceKind | None = None


class Claimed(NamedTuple):
    """A source that is ours to poll."""

    source: Source
    is_live: bool  # a hub tells us of its news, and did so lately


class Worked(NamedTuple):
    """What a poll that worked leaves; ``reason`` is a remark for the operator on a source that works."""

    source_id: int
    claim: str
    now: datetime
    next_poll_at: datetime
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    reason: str | None = None
    pace: Pace = Pace()
    moved_to: str | None = None


class Failed(NamedTuple):
    """What a poll that failed leaves; what the last one that worked left behind stays.

    ``warned``: the operator is told now. ``moved_back``: it is asked for where the operator wrote, with no validators:
    they were another place's.
    """

    source_id: int
    claim: str
    now: datetime
    next_poll_at: datetime
    reason: str
    stopped: bool = False
    warned: bool = False
    moved_back: bool = False


async def claim_sources(tx: Transaction, asks: Sequence[Ask]) -> list[Claimed | None]:
    """Take sources for a poll each; None where another worker holds it, it is not polled now, or not yet due."""
    rows = [
        (one.source_id, one.claim, one.now, one.now + one.lease, one.only_due, one.kind and one.kind.value)
        for one in asks
    ]
    now = max(one.now for one in asks)
    taken = {(row[0], row[-1]): row for row in await _CLAIM.rows(tx, sorted(rows, key=_by_id), now, now - TRUSTED_FOR)}
    return [_claimed(taken.get((one.source_id, one.claim))) for one in asks]


async def record_worked(tx: Transaction, polls: Sequence[Worked]) -> list[bool]:
    """Record polls that worked and let go of their sources; False where the claim was lost, and nothing is written."""
    rows = [
        (
            *(one.source_id, one.claim, one.reason, one.now, one.next_poll_at),
            *(one.etag, one.last_modified, one.body_hash, _gap_s(one.pace), one.pace.news_at, one.moved_to),
        )
        for one in polls
    ]
    return await _let_go(_WORKED, tx, rows)


async def record_failed(tx: Transaction, polls: Sequence[Failed]) -> list[bool]:
    """Record polls that failed; all else as for those that worked."""
    rows = [
        (
            *(one.source_id, one.claim, (SourceState.STOPPED if one.stopped else SourceState.FAILING).value),
            *(one.reason, one.now, one.next_poll_at, one.warned, one.moved_back),
        )
        for one in polls
    ]
    return await _let_go(_FAILED, tx, rows)


def is_free(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition that a source is polled at all, and by nobody now."""
    return and_(
        or_(*(sources.c.state == state for state in POLLED)),  # a prepared statement has no IN of values
        sources.c.kind != SourceKind.API.value,
        or_(sources.c.lease_until.is_(None), sources.c.lease_until <= now),
    )


async def _let_go(statement: Together, tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
    """Write what polls leave; two of one source, of which one lost its claim, are told apart."""
    if len({row[0] for row in rows}) < len(rows):
        return [bool(await statement.rows(tx, [row])) for row in rows]
    held = {row[0] for row in await statement.rows(tx, sorted(rows, key=_by_id))}
    return [row[0] in held for row in rows]


def _by_id(row: tuple[Any, ...]) -> int:
    """Give the order in which rows are locked: transactions that meet wait for one another, not in a circle."""
    key: int = row[0]
    return key


def _claimed(row: Any) -> Claimed | None:
    return None if row is None else Claimed(to_source(row[: len(COLUMNS)]), bool(row[-2]))


def _gap_s(pace: Pace) -> int | None:
    return None if pace.gap is None else math.ceil(pace.gap.total_seconds())


def _claim(given: Given) -> ReturningUpdate[Any]:
    is_due = or_(sources.c.next_poll_at <= given["b_now"], ~given["b_only_due"])
    is_meant = or_(sources.c.kind == given["b_kind"], given["b_kind"].is_(None))
    mine = and_(sources.c.id == given["b_id"], is_meant, is_free(given["b_now"]), is_due)
    taken = update(sources).where(mine).values(claim=given["b_claim"], lease_until=given["b_lease_until"])
    return taken.returning(*COLUMNS, _IS_LIVE, sources.c.claim)


def _worked(given: Given) -> ReturningUpdate[Any]:
    told = {name: given[f"b_{name}"] for name in _LEFT}
    fixed = {"state": SourceState.OK.value, "failures": 0, "failing_since_at": null(), "warned_at": null()}
    return _held(given).values({**told, **fixed, **RELEASED}).returning(sources.c.id)


def _failed(given: Given) -> ReturningUpdate[Any]:
    kept_unless_moved = {
        name: case((given["b_moved_back"], null()), else_=sources.c[name])
        for name in ("moved_to", "etag", "last_modified")
    }
    return (
        _held(given)
        .values(
            {
                "state": given["b_state"],
                "reason": given["b_reason"],
                "failures": sources.c.failures + 1,
                "failing_since_at": func.coalesce(sources.c.failing_since_at, given["b_now"]),
                "next_poll_at": given["b_next_poll_at"],
                "warned_at": case((given["b_warned"], given["b_now"]), else_=sources.c.warned_at),
                **kept_unless_moved,
                **RELEASED,
            }
        )
        .returning(sources.c.id)
    )


def _held(given: Given) -> Update:
    return update(sources).where(sources.c.id == given["b_id"], sources.c.claim == given["b_claim"])


_OF_A_CLAIM: Mapping[str, TypeEngine[Any]] = {"b_id": BigInteger(), "b_claim": Text()}
_LEFT: Mapping[str, TypeEngine[Any]] = {  # by a poll that worked
    "reason": Text(),
    "polled_at": Utc(),
    "next_poll_at": Utc(),
    "etag": Text(),
    "last_modified": Text(),
    "body_hash": Text(),
    "gap_s": Integer(),
    "news_at": Utc(),
    "moved_to": Text(),
}
_IS_LIVE = sources.c.id.in_(  # SQLite's RETURNING names columns without their tables: within it, "id" is the hub's row
    select(hub_subscriptions.c.source_id).where(
        hub_subscriptions.c.state == SubscriptionState.ACTIVE.value,
        hub_subscriptions.c.lease_until > bindparam("b_hub_now", type_=Utc()),
        hub_subscriptions.c.pushed_at > bindparam("b_hub_since", type_=Utc()),
    )
)
_CLAIM = Together(
    _claim,
    {**_OF_A_CLAIM, "b_now": Utc(), "b_lease_until": Utc(), "b_only_due": Boolean(), "b_kind": Text()},
    "b_hub_now",
    "b_hub_since",
)
_WORKED = Together(_worked, {**_OF_A_CLAIM, **{f"b_{name}": kind for name, kind in _LEFT.items()}})
_FAILED = Together(
    _failed,
    {
        **_OF_A_CLAIM,
        "b_state": Text(),
        "b_reason": Text(),
        "b_now": Utc(),
        "b_next_poll_at": Utc(),
        "b_warned": Boolean(),
        "b_moved_back": Boolean(),
    },
)
