"""Delivering, wired: the relays of the config, this worker's lease, a composer; one run at a time."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from alerts.app import App
from alerts.core.deliveries import Result
from alerts.core.domains import Domains
from alerts.core.errors import StorageError
from alerts.core.model import Envelope
from alerts.daemon.worker import Worker
from alerts.mail.relays import Relay, carry_all
from alerts.services.deliver import AtOnce, Delivered, Means, deliver
from alerts.storage import deliveries
from alerts.storage.relays import RelayRow, keep_states

_log = structlog.get_logger(__name__)


class Outbox:
    """What sends this process's share of the deliveries."""

    def __init__(self, app: App, worker: Worker, *, stopping: Callable[[], bool]) -> None:
        self._app = app
        self._worker = worker
        self._stopping = stopping
        self._domains = Domains()
        self._told: list[tuple[str, str, str | None]] = []
        self.rebuild()
        worker.after_beat.append(self.share_rates)

    def rebuild(self) -> None:
        """Take relays, templates and site from the app anew; call it between runs."""
        self.relays: list[Relay] = self._app.relays()
        self._compose = self._app.composer()
        self.share_rates()

    def share_rates(self) -> None:
        """Take this node's part of every relay's rate: the nodes that send now keep it together."""
        for relay in self.relays:
            relay.share(self._worker.nodes_that_send)

    def usable(self) -> bool:
        """Whether any relay can be tried now."""
        return any(relay.available() for relay in self.relays)

    async def something_to_send(self) -> bool:
        """Whether a run makes sense now: something is due, and a relay can take it."""
        return self.usable() and await self.something_due()

    async def something_due(self) -> bool:
        """Whether a delivery waits that could be sent now; costs one look at an index."""
        async with self._app.db.reading() as tx:
            due_at = await deliveries.next_due_at(tx)
        return due_at is not None and due_at <= self._app.clock()

    async def send_due(self) -> Delivered:
        """Send what is due, tell the ledger how the relays do, count."""
        worker_id = self._worker.id
        means = Means(
            carry=partial(_carry, self.relays),
            compose=self._compose,
            clock=self._app.clock,
            jitter=random.random,
            new_claim=partial(secrets.token_hex, 8),
            holds=partial(self._worker.holds_as, worker_id),
            stopping=self._stopping,
            connections=sum(relay.connections for relay in self.relays if relay.available()),
            domains=self._domains,
        )
        done = await deliver(self._app.db, means, worker_id=worker_id)
        self._app.metrics.delivered(
            sent=done.sent, deferred=done.deferred, failed=done.failed, cancelled=done.cancelled
        )
        await self._tell()
        return done

    async def _tell(self) -> None:
        """Write the relays' states where `alerts status` finds them, when they changed; a later run can do it too."""
        states = [(relay.name, relay.health.state.value, relay.health.reason) for relay in self.relays]
        if states == self._told:
            return
        now = self._app.clock()
        rows = [RelayRow(name=name, state=state, reason=reason, changed_at=now) for name, state, reason in states]
        try:
            async with self._app.db.transaction() as tx:
                await keep_states(tx, rows)
        except StorageError as error:
            _log.warning("relay_states_not_kept", reason=str(error))
        else:
            self._told = states


async def _carry(
    relays: list[Relay],
    take: Callable[[], Awaitable[Envelope | None]],
    report: Callable[[Envelope, Result, str], Awaitable[None]],
    *,
    wanted: int,
    ahead: Callable[[Envelope | None], Awaitable[Envelope | None]],
    at_once: AtOnce,
    may_begin: Callable[[], bool],
) -> None:
    await carry_all(relays, take, report, wanted=wanted, ahead=ahead, at_once=at_once, may_begin=may_begin)
