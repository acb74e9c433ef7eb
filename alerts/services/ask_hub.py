"""Ask hubs for what we want of them: a subscription, a longer one, its end. What they push is ``take_push``'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.core.errors import FetchError
from alerts.core.websub import ANSWER_WITHIN, MOST_GOODBYES, SubscriptionState, ask_again_at, request_form
from alerts.storage import sources, websub
from alerts.storage.engine import Database
from alerts.storage.websub import HubSubscription

LEASE = timedelta(minutes=5)  # of the claim; the longest request, several times over
_AT_ONCE = 16


class HubAsker(Protocol):
    """What posts a form to a hub."""

    async def ask(self, hub: str, form: Mapping[str, str], *, allow_private: bool = False) -> None:
        """Return when the hub took the request; raise FetchError when it did not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a hub was asked, and what it said; ``mode`` is None where there was nothing to ask."""

    mode: str | None = None
    hub: str | None = None
    reason: str | None = None  # why it did not take the request


async def due_hubs(db: Database, *, now: datetime) -> Sequence[int]:
    """Return the ids of the subscriptions whose hub is to be asked something."""
    async with db.reading() as tx:
        return await websub.due(tx, now=now, limit=_AT_ONCE)


async def ask_hub(db: Database, hubs: HubAsker, subscription_id: int, *, callback_base: str, now: datetime) -> Asked:
    """Ask a hub to subscribe us, to renew that, or to end it; ``callback_base`` is where our callbacks stand.

    The request happens outside any transaction; the hub may verify it before it answers.
    """
    # 1. Take the subscription.
    async with db.transaction() as tx:
        held = await websub.claim(tx, subscription_id, now=now, until=now + LEASE)
        source = None if held is None else await sources.source_by_id(tx, held.source_id)
    if held is None or source is None:
        return Asked()
    # 2. Ask.
    mode = "unsubscribe" if held.state is SubscriptionState.LEAVING else "subscribe"
    form = request_form(mode=mode, topic=held.topic, callback=callback_base + held.token, secret=held.secret)
    reason = None
    try:
        await hubs.ask(held.hub, form, allow_private=source.allow_private)
    except FetchError as error:
        reason = str(error)
    # 3. Write down when to ask again.
    await _record(db, held, reason=reason, now=now)
    return Asked(mode=mode, hub=held.hub, reason=reason)


async def _record(db: Database, held: HubSubscription, *, reason: str | None, now: datetime) -> None:
    """Write down what came of it, unless the hub verified meanwhile; whoever says goodbye does so a few times only."""
    leaving = held.state is SubscriptionState.LEAVING
    failures = held.failures + 1 if reason or leaving else 0
    next_at = ask_again_at(now=now, failures=held.failures) if reason else now + ANSWER_WITHIN
    async with db.transaction() as tx:
        if leaving and failures >= MOST_GOODBYES:
            await websub.forget(tx, held.id)
            return
        await websub.record_answer(tx, held, next_at=next_at, failures=failures, reason=reason)
