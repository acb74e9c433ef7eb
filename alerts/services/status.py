"""Status: what waits, what was sent, how the sources and relays do. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.domains import Breaker
from alerts.core.model import DeliveryState, SourceKind, SourceState
from alerts.storage import (
    articles,
    breakers,
    deliveries,
    delivery_counts,
    files,
    floods,
    leases,
    relays,
    sources,
    websub,
    workers,
)
from alerts.storage.engine import Database
from alerts.storage.floods import Flood
from alerts.storage.websub import HubSubscription
from alerts.storage.workers import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How a source does, and the files it could not use."""

    name: str
    kind: SourceKind
    state: SourceState
    reason: str | None
    polled_at: datetime | None
    next_poll_at: datetime
    failing_since_at: datetime | None
    warned_at: datetime | None
    set_aside: tuple[tuple[str, str], ...]
    flood: Flood | None  # that waits for a decision
    hub: HubSubscription | None  # where we hear of its news, or want to


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """How a relay does, as the last process that sent saw it."""

    url: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole picture."""

    deliveries: dict[DeliveryState, int]
    lag_s: float  # how long the oldest due delivery has been waiting
    unmatched: int
    sources: tuple[SourceStatus, ...]
    relays: tuple[RelayStatus, ...]
    breakers: tuple[Breaker, ...]  # recipient domains that refuse us
    workers: tuple[Worker, ...]
    scheduler: str | None  # the worker that schedules; None: nobody does


async def read_status(db: Database, *, now: datetime, configured: Sequence[str]) -> Status:
    """Read it all in one view of the ledger; ``configured`` names the relays of the config."""
    async with db.reading() as tx:
        due_at = await deliveries.next_due_at(tx)
        held = await floods.undecided(tx)
        hubs = await websub.by_source(tx)
        found = [
            SourceStatus(
                name=one.name,
                kind=one.kind,
                state=one.state,
                reason=one.reason,
                polled_at=one.polled_at,
                next_poll_at=one.next_poll_at,
                failing_since_at=one.failing_since_at,
                warned_at=one.warned_at,
                set_aside=tuple(await files.set_aside(tx, one.id)) if one.kind is SourceKind.FOLDER else (),
                flood=held.get(one.id),
                hub=hubs.get(one.id),
            )
            for one in await sources.list_sources(tx)
        ]
        return Status(
            deliveries=await _deliveries(tx),
            lag_s=max(0.0, (now - due_at).total_seconds()) if due_at else 0.0,
            unmatched=(await articles.count_articles(tx)).unmatched,
            sources=tuple(found),
            relays=await _relays(tx, configured),
            breakers=tuple((await breakers.shut_breakers(tx)).values()),
            workers=tuple(await workers.living(tx)),
            scheduler=(await leases.read_lease(tx, leases.SCHEDULING)).holder,
        )


async def _deliveries(tx: AsyncConnection) -> dict[DeliveryState, int]:
    """Count the deliveries of all times, kept or only counted, so that no number falls when old rows go."""
    kept, counted = await deliveries.count_by_state(tx), await delivery_counts.counted_by_state(tx)
    return {state: kept[state] + counted[state] for state in DeliveryState}


async def _relays(tx: AsyncConnection, configured: Sequence[str]) -> tuple[RelayStatus, ...]:
    known = {row.name: row for row in await relays.relay_states(tx)}
    return tuple(
        RelayStatus(
            url=name,
            state=known[name].state if name in known else "unused",
            reason=known[name].reason if name in known else None,
        )
        for name in configured
    )
