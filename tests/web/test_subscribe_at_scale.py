"""Many forms at once: no answer is slower for what we know, and ten thousand for one address are three mails."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from cast import World
from daemon import Site, wait_until
from sqlalchemy import func, insert, select
from website import Website, website

from alerts.core.addresses import normalise
from alerts.core.subscriptions import Event
from alerts.mail.caught import list_mails
from alerts.storage import schema, suppressions
from alerts.storage.engine import Database
from alerts.storage.subscribers import lock_subscribers

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(300)]

TRIES = 500  # for each kind of address
AT_ONCE = 4
WITHIN_S = 0.005
POSTS = 10_000
ATTACKERS = 50  # at once
KINDS = ("new", "pending", "confirmed", "suppressed")


@pytest.fixture
def tries(db: Database) -> int:
    """Say how many tries tell enough: on PostgreSQL the answer waits for the same clock."""
    return TRIES if db.dialect == "sqlite" else TRIES // 5


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    more = "subscribe: {mails_an_hour: 100000}\nweb: {trusted_proxies: 127.0.0.1}\n"
    async with website(db, tmp_path, now, more=more) as web:
        await World(db, now).channel()
        await furnish(web, now)
        yield web


async def furnish(web: Website, now: datetime) -> None:
    """Make everybody known who shall be."""
    secrets = web.app.secrets
    async with web.app.db.transaction() as tx:
        for kind, state in (("pending", "pending"), ("confirmed", "active"), ("suppressed", "active")):
            people = [
                {"email": address(kind, n), "email_key": address(kind, n), "domain": "x.example", "state": state,
                 "created_at": now}
                for n in range(TRIES)
            ]  # fmt: skip
            await tx.execute(insert(schema.subscribers), people)
            ids = select(schema.subscribers.c.id).where(schema.subscribers.c.email.like(f"{kind}%"))
            rows = [
                {"subscriber_id": one, "channel_id": 1, "state": state, "frequency": "immediate", "created_at": now,
                 "activated_at": now if state == "active" else None}
                for one in (await tx.scalars(ids)).all()
            ]  # fmt: skip
            await tx.execute(insert(schema.subscriptions), rows)
        keys = [normalise(address("suppressed", n)).key for n in range(TRIES)]
        held = list((await lock_subscribers(tx, keys)).values())
        await suppressions.suppress(tx, held, Event.COMPLAINED, secrets=secrets, now=now)


def address(kind: str, number: int) -> str:
    return f"{kind}{number}@x.example"


async def test_the_answer_takes_the_same_time_whatever_we_know(web: Website, tries: int) -> None:
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    bodies = set()
    waiting = [
        (kind, number) for number in range(tries) for kind in KINDS
    ]  # in turn, so that all have the same weather

    async def visit() -> None:
        while waiting:
            kind, number = waiting.pop()
            data = {"email": address(kind, number), "channel": "xiaomi"}
            network = f"10.{number >> 8}.{number & 255}.{KINDS.index(kind)}"
            began = time.perf_counter()
            answer = await web.visitor.post("/subscribe", data=data, headers={"x-forwarded-for": network})
            took[kind].append(time.perf_counter() - began)
            bodies.add((answer.status_code, answer.content))

    await asyncio.gather(*(visit() for _ in range(AT_ONCE)))
    medians = {kind: statistics.median(times) for kind, times in took.items()}
    assert {kind: len(times) for kind, times in took.items()} == dict.fromkeys(KINDS, tries)
    assert len(bodies) == 1
    assert max(medians.values()) - min(medians.values()) < WITHIN_S, medians
    async with web.app.db.reading() as tx:
        asked = await tx.scalar(select(func.count()).select_from(schema.confirmations))
    assert asked == 3 * tries  # all but the confirmed ones got their mail


async def test_ten_thousand_forms_for_one_address_are_three_mails_and_the_pages_stay_quick(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.daemon():
        posts, attackers = iter(range(POSTS)), [Caller(site.web) for _ in range(ATTACKERS)]
        body = "email=victim%40x.example&channel=xiaomi"
        reading = asyncio.create_task(waits_of(site))
        await asyncio.gather(*(one.post_all("/subscribe", body, posts) for one in attackers))
        reading.cancel()
        waits = sorted(await reading)
        await asyncio.to_thread(wait_until, lambda: pending(site) == 0, within_s=30, what="nothing is owed any more")
        caught = list_mails(site.folder / "var" / "caught").total
    assert caught == 3
    assert len(waits) >= 100
    assert waits[int(len(waits) * 0.99)] < 0.3, waits[-10:]


def pending(site: Site) -> int:
    return int(site.json("status")["deliveries"]["pending"])


async def waits_of(site: Site) -> list[float]:
    """Read the site's pages until somebody says stop; return how long each took."""
    waits, caller = list[float](), Caller(site.web)
    with suppress(asyncio.CancelledError):
        while True:
            for path in ("/", "/c/xiaomi", "/subscribe"):
                began = time.perf_counter()
                assert await caller.ask(f"GET {path}", "") == 200
                waits.append(time.perf_counter() - began)
                await asyncio.sleep(0.05)
    await caller.close()
    return waits


class Caller:
    """A connection that asks again and again, at next to no cost of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post_all(self, path: str, body: str, turns: Iterator[int]) -> None:
        for _ in turns:
            assert await self.ask(f"POST {path}", body) == 200
        await self.close()

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()
            self._streams = None

    async def ask(self, what: str, body: str) -> int:
        """Ask for a page; return its status once all of it is here."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        kind = "Content-Type: application/x-www-form-urlencoded"
        writer.write(f"{what} HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head.lower())
        assert length is not None
        await reader.readexactly(int(length[1]))
        return int(head.split(b" ", 2)[1])
