"""Leaving as a mailbox does it, from a daemon that is killed a moment after it said yes (U2)."""

from __future__ import annotations

import asyncio
import http.client
import time
from pathlib import Path

import pytest
from daemon import Daemon, Site, free_port, relay_at
from sqlalchemy import select

from alerts.config import load_config
from alerts.core.tokens import Purpose, Secrets, sign
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets

ROUNDS = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """Give an installation on either database, with a reader a round."""
    site = Site(tmp_path, relays=relay_at(free_port()))  # nobody there: no mail is owed, and none leaves
    if request.param == "postgresql":
        site.database = request.getfixturevalue("postgresql_url")
        site.write_config()
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(1, ROUNDS + 1)])
    return site


async def secrets_of(site: Site) -> Secrets:
    db = await Database.open(load_config(site.config, {}).database)
    try:
        async with db.transaction() as tx:
            return await load_secrets(tx)
    finally:
        await db.close()


async def ended(site: Site) -> set[int]:
    """Name the readers whose subscription is over, as the ledger on disk has it."""
    rows = schema.subscriptions.c
    statement = select(rows.subscriber_id).where(rows.state == "ended", rows.end_reason == "unsubscribed")
    db = await Database.open(load_config(site.config, {}).database)
    try:
        async with db.reading() as tx:
            return set((await tx.scalars(statement)).all())
    finally:
        await db.close()


def one_click(site: Site, token: str, daemon: Daemon) -> int:
    """Post as a mailbox does, and kill the daemon a millisecond after the status came; return it."""
    connection = http.client.HTTPConnection("127.0.0.1", site.web, timeout=20)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"/u/{token}", b"List-Unsubscribe=One-Click", headers)
    status = connection.getresponse().status
    time.sleep(0.001)
    daemon.kill()
    connection.close()
    return status


def test_killed_a_millisecond_after_its_200_the_row_is_there_u2(site: Site) -> None:
    secrets = asyncio.run(secrets_of(site))
    for number in range(1, ROUNDS + 1):
        with site.daemon() as daemon:
            status = one_click(site, sign(Purpose.UNSUBSCRIBE, number, 0, secrets), daemon)
        assert status == 200
        assert asyncio.run(ended(site)) == set(range(1, number + 1))
