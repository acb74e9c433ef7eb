"""Bring forward: what a clock that ran ahead has put off is due now. Nobody waits for an hour that is not.

A clock that is set back, or was wrong until the network told it better, leaves rows from the future behind: polls and
mails planned by it are as far off as it was wrong, and who subscribed by it would miss what comes until then. They are
known by what they say of their own past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.storage import deliveries, polls, subscriptions
from alerts.storage.engine import Database

_CLOCKS_APART = timedelta(minutes=5)  # machines that share a ledger may differ by so much: theirs is no future


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """How much is due now that was not."""

    polls: int = 0
    mails: int = 0
    subscriptions: int = 0  # that began in the future, and begin now


async def bring_forward(db: Database, *, now: datetime) -> Brought:
    """Make due what was planned by a clock that stood later than ``now``; a second time nothing happens.

    A mail keeps its date: what was sent before, and is in doubt, must stay the same to the byte.
    """
    after = now + _CLOCKS_APART
    async with db.reading() as tx:  # no writer waits for a look at every subscription
        some_began = await subscriptions.any_begun_after(tx, after)
    async with db.transaction() as tx:
        return Brought(
            polls=await polls.poll_now(tx, polled_after=after, now=now),
            mails=await deliveries.make_due(tx, dated_after=after, now=now),
            subscriptions=await subscriptions.begin_now(tx, begun_after=after, now=now) if some_began else 0,
        )
