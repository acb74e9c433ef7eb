"""Export person: everything that we keep about one person, as plain values that JSON can hold. It changes nothing.

The shape is told in ``docs/privacy.md``, for whoever reads the file with a program.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.model import Confirmation, Subscriber, Subscription
from alerts.core.tokens import Secrets
from alerts.storage import confirmations, merging, subscribers, subscriptions, suppressions
from alerts.storage.channels import channels_by_ids
from alerts.storage.engine import Database
from alerts.storage.mailed import MailedDelivery, mailed_to

SHAPE = 1  # grows when a name of the file gets another meaning, or goes


async def export_person(db: Database, *, subscriber_id: int, now: datetime, secrets: Secrets) -> dict[str, Any] | None:
    """Gather what is kept about a person; None when there is no such person."""
    async with db.reading() as tx:
        found = await subscribers.subscriber_by_id(tx, subscriber_id)
        if found is None:
            return None
        held = await subscriptions.subscriptions_of(tx, [found.id])
        asked = await confirmations.confirmations_of(tx, found.id)
        formerly = await merging.formerly_followed(tx, found.id)
        slugs = await _slugs(tx, {key for one in asked for key in one.channel_ids} | {key for key, _ in formerly})
        mailed = await mailed_to(tx, found.id)
        reason = await suppressions.reason_of(tx, normalise(found.email).key, secrets=secrets)
    return {
        "shape": SHAPE,
        "exported_at": now.isoformat(),
        **_person(found),
        "suppressed": reason is not None,
        "suppressed_because": reason,
        "subscriptions": [_subscription(one) for one in held],
        "formerly": [
            {"channel": slugs[key], "created_at": _time(created_at)} for key, created_at in formerly if key in slugs
        ],
        "confirmations": [_confirmation(one, slugs) for one in asked],
        "deliveries": [_delivery(one) for one in mailed],
    }


async def _slugs(tx: AsyncConnection, ids: set[int]) -> dict[int, str]:
    return {one.id: one.slug for one in await channels_by_ids(tx, sorted(ids))}


def _person(one: Subscriber) -> dict[str, Any]:
    return {
        "email": one.email,
        "state": one.state,
        "name": one.name,
        "language": one.language,
        "time_zone": one.time_zone,
        "created_at": _time(one.created_at),
        "confirmed_at": _time(one.confirmed_at),
        "paused_until": _time(one.paused_until_at),
    }


def _subscription(one: Subscription) -> dict[str, Any]:
    return {
        "channel": one.channel_slug,
        "channel_name": one.channel_name,
        "state": one.state,
        "frequency": one.frequency,
        "created_at": _time(one.created_at),
        "activated_at": _time(one.activated_at),
        "ended_at": _time(one.ended_at),
        "end_reason": one.end_reason,
    }


def _confirmation(one: Confirmation, slugs: dict[int, str]) -> dict[str, Any]:
    return {
        "channels": [slugs[key] for key in one.channel_ids if key in slugs],
        "email": one.email,
        "former_email": one.former_email,
        "created_at": _time(one.created_at),
        "expires_at": _time(one.expires_at),
        "confirmed_at": _time(one.confirmed_at),
    }


def _delivery(one: MailedDelivery) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "state": one.state,
        "title": one.title,
        "url": one.url,
        "dated_at": _time(one.dated_at),
        "finished_at": _time(one.finished_at),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
