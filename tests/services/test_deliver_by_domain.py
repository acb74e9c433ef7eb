"""Delivering over real sockets, where what a domain says decides what happens to its mails. Time is an argument."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex

import pytest
from cast import World
from scripted_smtp import EHLO, ScriptedSmtp, Session, Taken
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from alerts.core.deliveries import Reply, Result, Stage
from alerts.core.domains import BreakerState, Domains
from alerts.core.model import DeliveryState, Envelope
from alerts.mail.opening import Endpoint
from alerts.mail.relays import Relay, carry_all
from alerts.services.deliver import Delivered, Means, deliver
from alerts.services.deliver.claims import Claims
from alerts.services.fan_out import fan_out
from alerts.services.status import read_status
from alerts.storage.breakers import shut_breakers
from alerts.storage.deliveries import count_by_state
from alerts.storage.engine import Database
from alerts.storage.letters import Letter
from alerts.storage.schema import deliveries, subscribers, suppressions

Take = Callable[[], Awaitable[Envelope | None]]
Report = Callable[[Envelope, Result, str], Awaitable[None]]
TAKEN = Reply(code=250, text="2.0.0 queued", stage=Stage.BODY)
STEPWISE = tuple(it for it in EHLO if it != "PIPELINING")


@dataclass
class Sender:
    """One process that sends: what it knows of domains outlives a run."""

    db: Database
    now: datetime
    relay: Relay
    domains: Domains = field(default_factory=Domains)
    name: str = "w1"
    ticks: bool = False  # whether time goes on by itself
    _began: float = field(default_factory=time.monotonic)

    def clock(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began if self.ticks else 0)

    async def send(self) -> Delivered:
        return await deliver(self.db, self.means(), worker_id=self.name)

    def means(self) -> Means:
        return Means(
            carry=partial(carry_all, [self.relay]),
            compose=_plain,
            clock=self.clock,
            jitter=lambda: 0.0,
            new_claim=lambda: token_hex(8),
            holds=lambda: True,
            stopping=lambda: False,
            connections=self.relay.connections,
            domains=self.domains,
        )

    async def send_until(self, end: datetime, *, step: timedelta = timedelta(minutes=1)) -> None:
        while self.now < end:
            self.now += step
            await self.send()


def _plain(letter: Letter) -> Envelope:
    return Envelope(
        delivery_id=letter.delivery.id,
        sender="a@daily.example",
        recipient=letter.recipient or "",
        message=b"Subject: x\r\n\r\nx\r\n",
    )


def sender_to(db: Database, now: datetime, server: ScriptedSmtp, *, connections: int = 8) -> Sender:
    sender = Sender(db, now, relay=None)  # type: ignore[arg-type]  # made in the next line, with the sender's clock
    sender.relay = Relay(
        name="relay",
        endpoint=Endpoint(host="127.0.0.1", port=server.port, tls="none"),
        clock=sender.clock,
        connections=connections,
    )
    return sender


async def publish(world: World, **readers: int) -> None:
    """Owe an alert to so many readers of each domain, the domains one after another."""
    channel = await world.channel()
    for name, count in readers.items():
        domain = name.replace("_", ".")
        ids = await world.readers(count, (channel,), start=(await _people(world.db)) + 1)
        async with world.db.transaction() as tx:
            email = func.replace(subscribers.c.email, "example.org", domain)
            moved = update(subscribers).where(subscribers.c.id.in_(ids))
            await tx.execute(moved.values(email=email, email_key=email, domain=domain))
    article = await world.article(await world.source(), channels=(channel,))
    while not (await fan_out(world.db, article, now=world.now)).finished:
        pass


async def _people(db: Database) -> int:
    async with db.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(subscribers)) or 0


async def states(db: Database) -> dict[DeliveryState, int]:
    async with db.reading() as tx:
        return {state: number for state, number in (await count_by_state(tx)).items() if number}


def to_domain(taken: list[Taken], domain: str) -> list[Taken]:
    return [one for one in taken if one.recipient.endswith(f"@{domain}")]


@pytest.mark.parametrize("offer", [EHLO, STEPWISE], ids=["pipelined", "stepwise"])
@pytest.mark.parametrize("connections", [1, 8, 50])
async def test_gmail_refuses_us_all_and_nobody_pays_and_all_arrives_after_recovery(
    db: Database, now: datetime, offer: tuple[str, ...], connections: int
) -> None:
    broken = True

    def script(phase: str, session: Session) -> bytes | None:
        if phase == "dot" and broken and session.recipient.endswith("@gmail.com"):
            return b"550-5.7.26 This mail has been blocked\r\n550 5.7.26 because the sender is unauthenticated\r\n"
        return None

    await publish(World(db, now), gmail_com=300, example_org=60)
    async with ScriptedSmtp(script, extensions=offer) as server:
        sender = sender_to(db, now, server, connections=connections)
        with capture_logs() as logs:
            await sender.send()
        assert [(it["event"], it["domain"]) for it in logs if "domain" in it] == [("domain_refuses_us", "gmail.com")]
        refused = to_domain(server.taken, "gmail.com")
        assert 5 <= len(refused) <= 20
        assert len(to_domain(server.accepted, "example.org")) == 60
        status = await read_status(db, now=sender.now, configured=["relay"])
        (breaker,) = status.breakers
        assert (breaker.domain, breaker.state) == ("gmail.com", BreakerState.OPEN)
        assert breaker.reason.startswith("550 5.7.26")
        async with db.reading() as tx:
            untried = select(deliveries.c.due_at, deliveries.c.attempts).where(deliveries.c.state == "pending")
            rows = Counter((due_at, attempts) for due_at, attempts in (await tx.execute(untried)).all())
        assert rows[breaker.probe_at, 0] == 300 - len(refused)

        await sender.send_until(now + timedelta(hours=2))
        probes = len(to_domain(server.taken, "gmail.com")) - len(refused)
        assert 2 <= probes <= 8, "one mail a probe while it goes on"
        broken = False
        await sender.send_until(now + timedelta(hours=5))
        assert await states(db) == {DeliveryState.SENT: 360}
        assert len({one.recipient for one in server.accepted}) == len(server.accepted) == 360
        async with db.reading() as tx:
            assert await tx.scalar(select(func.count()).select_from(suppressions)) == 0
            assert await shut_breakers(tx) == {}


async def test_a_process_that_starts_later_knows_whose_breaker_is_open(db: Database, now: datetime) -> None:
    def script(phase: str, session: Session) -> bytes | None:
        return b"550 5.7.1 no\r\n" if phase == "dot" and session.recipient.endswith("@gmail.com") else None

    await publish(World(db, now), gmail_com=40)
    async with ScriptedSmtp(script) as server:
        first, second = sender_to(db, now, server), sender_to(db, now, server)
        await first.send()
        heard = len(server.taken)
        async with db.transaction() as tx:
            await tx.execute(update(deliveries).values(due_at=now))
        await second.send()
        assert len(server.taken) == heard
        assert second.domains["gmail.com"].state is BreakerState.OPEN


async def test_mails_that_wait_for_a_breaker_are_only_tried_when_it_is_probed(db: Database, now: datetime) -> None:
    async with ScriptedSmtp(lambda phase, _session: b"421 4.7.0 too many\r\n" if phase == "rcpt" else None) as server:
        await publish(World(db, now), example_org=30)
        sender = sender_to(db, now, server)
        await sender.send()
        async with db.reading() as tx:
            (breaker,) = (await shut_breakers(tx)).values()
            untried = select(deliveries.c.due_at).where(deliveries.c.attempts == 0).distinct()
            assert (await tx.scalars(untried)).all() == [breaker.probe_at]
        assert breaker.probe_at == now + timedelta(seconds=15)


class Slow(ScriptedSmtp):
    """Thinks long about each mail to slow.example."""

    thinks_s = 0.25

    async def _data(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if session.recipient.endswith("@slow.example"):
            await asyncio.sleep(self.thinks_s)
        self.times.append((session.recipient.partition("@")[2], time.monotonic()))
        return await super()._data(session, reader, writer)

    @property
    def times(self) -> list[tuple[str, float]]:
        return self.__dict__.setdefault("heard", [])  # type: ignore[no-any-return]


@pytest.mark.parametrize("offer", [EHLO, STEPWISE], ids=["pipelined", "stepwise"])
async def test_a_slow_domain_does_not_delay_the_others(
    sqlite_db: Database, now: datetime, offer: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for first and would take all connections for seconds; the others are done long before it."""
    # Far apart, so that a busy machine's own delays make no domain a slow one.
    monkeypatch.setattr("alerts.core.domains.SLOW_S", 1.2)
    await publish(World(sqlite_db, now), slow_example=16, example_org=150)
    async with Slow(extensions=offer) as server:
        server.thinks_s = 1.5
        sender = sender_to(sqlite_db, now, server)
        began = time.monotonic()
        sender.ticks = True
        done = await sender.send()
        last = {domain: at - began for domain, at in server.times}
        assert done.sent == len(server.accepted)
        assert done.sent + done.put_off == 166
        assert last["example.org"] < last["slow.example"] * 0.75


async def test_letters_that_get_room_while_a_claim_finds_nothing_belong_to_the_same_run(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(World(db, now), example_org=2)
    asked, told = asyncio.Event(), asyncio.Event()
    claim = Claims.claim

    async def slowly(claims: Claims, *, urgent: bool = False) -> bool:
        found = await claim(claims, urgent=urgent)
        if not found and not urgent:
            asked.set()
            await told.wait()
        return found

    async def carry(take: Take, report: Report, *, wanted: int, **_: object) -> None:
        first = await take()
        assert first is not None
        waits = asyncio.ensure_future(take())  # its domain has room for one mail
        await asked.wait()
        await report(first, TAKEN, "relay")
        told.set()
        second = await waits
        assert second is not None
        await report(second, TAKEN, "relay")

    monkeypatch.setattr(Claims, "claim", slowly)
    sender = sender_to(db, now, ScriptedSmtp(), connections=2)
    done = await deliver(db, replace(sender.means(), carry=carry), worker_id=sender.name)
    assert done.sent == 2


async def test_mails_that_become_due_while_a_slow_one_is_under_way_do_not_wait_for_it(
    db: Database, now: datetime
) -> None:
    world = World(db, now)
    await publish(world, slow_example=1)
    async with Slow() as server:
        server.thinks_s = 2.0
        sender = sender_to(db, now, server)
        running = asyncio.create_task(sender.send())
        while not server.sessions:  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.01)
        async with db.transaction() as tx:
            values = {"kind": "test", "lane": 0, "subscriber_id": 1, "state": DeliveryState.PENDING}
            await tx.execute(update(subscribers).values(email="alice@example.org", domain="example.org"))
            await tx.execute(deliveries.insert().values(**values, due_at=now, dated_at=now))
        done = await running
        assert done.sent == 2
        assert [domain for domain, _ in server.times] == ["example.org", "slow.example"]


async def test_what_is_claimed_but_waits_near_the_end_of_its_lease_goes_back(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.services.deliver.claims.LEASE", timedelta(minutes=8))
    await publish(World(db, now), example_org=1)
    async with ScriptedSmtp() as server:
        sender = sender_to(db, now, server)
        running = asyncio.create_task(sender.send())
        await asyncio.sleep(0.3)
        assert server.taken == []
        monkeypatch.setattr("alerts.services.deliver.claims.LEASE", timedelta(minutes=15))
        assert (await running).sent == 1
