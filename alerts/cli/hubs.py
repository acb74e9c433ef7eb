"""A source's hub, as `alerts status` and `alerts sources list | show` tell of it. Asks nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.core.websub import SubscriptionState
from alerts.storage.websub import HubSubscription


def hub_in_words(found: HubSubscription | None, *, now: datetime) -> str:
    """Say whether a hub tells us of a source's news, and why not; empty when the source names none."""
    if found is None:
        return ""
    why = f": {found.reason}" if found.reason else ""
    if found.state is SubscriptionState.LEAVING:
        return f"hub {found.hub}: told that we leave{why}"
    if found.state is SubscriptionState.ACTIVE and found.lease_until is not None and found.lease_until > now:
        last = f"last on {_time(found.pushed_at)}" if found.pushed_at else "nothing yet that a poll had not found"
        renewed = f"; not renewed{why}" if found.reason else ""
        return f"hub {found.hub}: pushes until {_time(found.lease_until)}, {last}{renewed}"
    again = f", asked again {_time(found.next_at)}" if found.failures or found.reason else ", waits for its answer"
    return f"hub {found.hub}: does not push{why}{again}"


def hub_as_dict(found: HubSubscription | None) -> dict[str, Any] | None:
    """Give a source's hub under the names that scripts rely on; None when the source names none."""
    if found is None:
        return None
    return {
        "url": found.hub,
        "state": found.state,
        "until_at": found.lease_until,
        "pushed_at": found.pushed_at,
        "failures": found.failures,
        "reason": found.reason,
        "next_at": found.next_at,
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
