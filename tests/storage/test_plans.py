"""How PostgreSQL goes about the statements that every mail costs, if it counted its rows while nothing waited."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from cast import World
from sqlalchemy import text

from alerts.core.deliveries import Reply, Stage, outcome
from alerts.core.model import Lane
from alerts.services.fan_out import fan_out
from alerts.storage import deliveries as rows
from alerts.storage.deliveries import Written, claim_due
from alerts.storage.engine import Database
from alerts.storage.prepared import Prepared

READERS = 2_000


@pytest.fixture
async def ledger(postgresql_ledger_url: str, now: datetime) -> Any:
    """Give a ledger whose last count found every mail sent, and to which an article came since."""
    db = await Database.open(postgresql_ledger_url)
    world = World(db, now)
    channel, source = await world.channel(), await world.source()
    await world.readers(READERS, (channel,))
    await owe(world, await world.article(source, channels=(channel,)))
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE deliveries SET state = 'sent', finished_at = due_at"))
    async with db.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    await owe(world, await world.article(source, channels=(channel,), title="Xiaomi opens another plant"))
    yield db
    await db.close()


async def owe(world: World, article: int) -> None:
    while not (await fan_out(world.db, article, now=world.now)).finished:
        pass


async def most_rows(url: str, statement: Prepared, *values: object) -> int:
    """Execute a statement; return how many rows the busiest part of its plan went through, all its loops together."""
    compiled = statement._for("postgresql")
    (bound,) = compiled.bound([values])
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled.sql}".encode(), bound)
        row = await cursor.fetchone()
        await connection.rollback()
    assert row is not None
    return max(_counts(row[0][0]["Plan"]))


def _counts(plan: dict[str, Any]) -> list[int]:
    removed = sum(int(count) for name, count in plan.items() if name.startswith("Rows Removed"))
    own = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return [int(own), *(count for part in plan.get("Plans", []) for count in _counts(part))]


async def test_a_claim_costs_what_it_claims(ledger: Database, now: datetime) -> None:
    values = (int(Lane.IMMEDIATE), now, 256, "c", "w", now + timedelta(minutes=15))
    assert await most_rows(ledger.where, rows._CLAIM, *values) <= 2 * 256


async def test_outcomes_cost_what_they_write(ledger: Database, now: datetime) -> None:
    lease = now + timedelta(minutes=15)
    async with ledger.transaction() as tx:
        claimed = await claim_due(tx, worker_id="w", claim="c", now=now, lease_until=lease, limit=1_000)
    reply = Reply(code=250, text="ok", stage=Stage.BODY)
    written = [Written(one.id, "c", outcome(reply, one, now=now, jitter=0.0), "relay") for one in claimed[:16]]
    ends = [(it.outcome.attempts, "250 ok", "relay", now, it.delivery_id, it.claim) for it in written]
    whole = rows._SENT._whole
    assert whole is not None
    assert await most_rows(ledger.where, whole, *map(list, zip(*ends, strict=True))) <= 2 * 16
