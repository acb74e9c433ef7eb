"""Budgets are exact, survive a restart, and hold against many at once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from alerts.core.stamps import Proof
from alerts.services.expire_pending import expire_pending
from alerts.storage import budgets, schema, spent_proofs
from alerts.storage.engine import Database

NET = "203.0.113.0/24"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


async def spend(db: Database, now: datetime, address: str = "a", network: str = NET, site_limit: int = 1_000) -> bool:
    async with db.transaction() as tx:
        return await budgets.spend(tx, address_hash=address, network=network, now=now, site_limit=site_limit)


async def rows(db: Database, table: str = "budgeted_mails") -> int:
    async with db.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(schema.metadata.tables[table])) or 0


async def test_an_address_has_three_mails_in_any_day(db: Database, now: datetime) -> None:
    at = [0 * HOUR, 5 * HOUR, 23 * HOUR, DAY - MINUTE, DAY, DAY + MINUTE, DAY + 5 * HOUR]
    taken = [await spend(db, now + after, network=f"net {after}") for after in at]
    assert taken == [True, True, True, False, True, False, True]
    assert await rows(db) == 5


async def test_a_network_has_ten_mails_in_any_hour(db: Database, now: datetime) -> None:
    taken = [await spend(db, now + n * MINUTE, address=f"a{n}") for n in range(12)]
    assert taken == [True] * 10 + [False] * 2
    assert await spend(db, now + 30 * MINUTE, address="b", network="203.0.112.0/24")
    assert not await spend(db, now + HOUR - timedelta(seconds=1), address="c")
    assert await spend(db, now + HOUR, address="c")
    assert not await spend(db, now + HOUR, address="d")


async def test_all_forms_together_have_the_sites_own_limit(db: Database, now: datetime) -> None:
    taken = [await spend(db, now, address=f"a{n}", network=f"net {n}", site_limit=4) for n in range(6)]
    assert taken == [True] * 4 + [False] * 2
    assert await spend(db, now + HOUR, address="b", network="x", site_limit=4)


async def test_a_refusal_costs_nothing(db: Database, now: datetime) -> None:
    for _ in range(5):
        await spend(db, now, address="a", network="one")
    for n in range(8):
        assert await spend(db, now, address=f"b{n}", network="one") is (n < 7)
    assert await rows(db) == 10


@pytest.mark.parametrize("limited_by", ["address", "network", "site"])
async def test_twenty_at_once_never_take_more_than_there_is(db: Database, now: datetime, limited_by: str) -> None:
    async def one(number: int) -> bool:
        return await spend(
            db,
            now,
            address="a" if limited_by == "address" else f"a{number}",
            network=NET if limited_by == "network" else f"net {number}",
            site_limit=5,
        )

    taken = await asyncio.gather(*(one(number) for number in range(20)))
    assert sum(taken) == {"address": 3, "network": 5, "site": 5}[limited_by]


async def test_a_restart_forgets_no_budget(tmp_path: Path, now: datetime) -> None:
    url = f"sqlite:///{tmp_path / 'alerts.db'}"
    for expected in (True, True, True, False):
        db = await Database.open(url)
        assert await spend(db, now) is expected
        await db.close()


async def test_what_counts_no_more_is_removed(db: Database, now: datetime) -> None:
    await spend(db, now)
    await spend(db, now + HOUR)
    async with db.transaction() as tx:
        for n in (1, 2):
            await spent_proofs.spend(tx, Proof(f"proof {n}", now + n * DAY))
    await expire_pending(db, now=now + DAY + MINUTE)
    assert await rows(db) == 1
    assert await rows(db, "spent_proofs") == 1


async def test_a_proof_counts_once_even_of_two_at_the_same_time(db: Database, now: datetime) -> None:
    async def one() -> bool:
        async with db.transaction() as tx:
            return await spent_proofs.spend(tx, Proof("proof", now))

    assert sorted(await asyncio.gather(*(one() for _ in range(6)))) == [False] * 5 + [True]
    async with db.transaction() as tx:
        assert await spent_proofs.spend(tx, Proof("another", now))
