import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from cast import World
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried, outcome
from alerts.core.domains import Domains
from alerts.core.errors import DatabaseUnavailableError
from alerts.core.model import Delivery, DeliveryState, Envelope, Lane
from alerts.core.silence import Silence
from alerts.services.deliver import AtOnce, Delivered, Means, deliver
from alerts.services.deliver import claims as claims_module
from alerts.services.fan_out import fan_out
from alerts.services.maintain import STUCK, Heard, expire, rescue
from alerts.storage import workers
from alerts.storage.deliveries import (
    Written,
    claim_due,
    count_by_state,
    due_ids,
    list_deliveries,
    record_outcomes,
    retry,
)
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, load_letters
from alerts.storage.schema import deliveries, subscribers, subscriptions, suppressions

Take = Callable[[], Awaitable[Envelope | None]]
Report = Callable[[Envelope, Result, str], Awaitable[None]]
Ahead = Callable[[Envelope | None], Awaitable[Envelope | None]]
TAKEN = Reply(code=250, text="2.0.0 queued", stage=Stage.BODY)


def heard(
    silent: Mapping[str, datetime] | None = None, *, claims: Silence[str] | None = None, at_s: float = 0.0
) -> Heard:
    """Give what a process heard; of nobody's silence by default."""
    return Heard(silent=silent or {}, claims=claims or Silence(STUCK.total_seconds()), at_s=at_s)


@dataclass
class Relays:
    """A carrier of ``connections`` that answers as told, and remembers what it was given."""

    answer: Callable[[Envelope], Result] = lambda _: TAKEN
    connections: int = 3
    carried: list[Envelope] = field(default_factory=list)
    after: Callable[[int], None] = lambda _: None
    plain: bool = False  # uses ``at_once`` where it can

    async def __call__(
        self,
        take: Callable[[], Awaitable[Envelope | None]],
        report: Callable[[Envelope, Result, str], Awaitable[None]],
        *,
        wanted: int,
        ahead: Callable[[Envelope | None], Awaitable[Envelope | None]],  # noqa: ARG002 - these connections hold one mail
        at_once: AtOnce,
        may_begin: Callable[[], bool],  # noqa: ARG002 - what they are given, they send
    ) -> None:
        async def connection() -> None:
            following: Envelope | None = None
            while (envelope := following or await take()) is not None:
                self.carried.append(envelope)
                result, following = self.answer(envelope), None
                if self.plain and result == TAKEN:
                    following = at_once.ahead(envelope)
                    told = asyncio.Event()
                    at_once.report(envelope, result, "relay", told.set)
                    await told.wait()
                else:
                    await report(envelope, result, "relay")
                self.after(len(self.carried))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(wanted, self.connections)):
                group.create_task(connection())


@dataclass
class Office:
    """A world whose deliveries can be sent."""

    world: World
    relays: Relays = field(default_factory=Relays)
    stopping: bool = False
    holds: bool = True
    compose: Callable[[Letter], Envelope] | None = None

    @property
    def db(self) -> Database:
        return self.world.db

    async def send(self) -> Delivered:
        return await deliver(self.db, self.means(), worker_id="w1")

    def means(self) -> Means:
        return Means(
            carry=self.relays,
            compose=self.compose or plain,
            clock=lambda: self.world.now,
            jitter=lambda: 0.0,
            new_claim=lambda: token_hex(8),
            holds=lambda: self.holds,
            stopping=lambda: self.stopping,
        )

    async def publish(self, readers: int = 5) -> int:
        channel = await self.world.channel()
        await self.world.readers(readers, (channel,))
        article = await self.world.article(await self.world.source(), channels=(channel,))
        while not (await fan_out(self.db, article, now=self.world.now)).finished:
            pass
        return article

    async def claim(self, limit: int) -> None:
        """Claim as a worker does that dies then."""
        async with self.db.transaction() as tx:
            now = self.world.now
            lease = now + timedelta(minutes=15)
            await claim_due(tx, worker_id="w1", claim="c", now=now, lease_until=lease, limit=limit)

    async def states(self) -> dict[str, int]:
        async with self.db.reading() as tx:
            return {state.value: number for state, number in (await count_by_state(tx)).items() if number}

    async def column(self, name: str) -> set[object]:
        async with self.db.reading() as tx:
            return set((await tx.scalars(select(deliveries.c[name]))).all())


def plain(letter: Letter) -> Envelope:
    return Envelope(
        delivery_id=letter.delivery.id,
        sender="a@daily.example",
        recipient=letter.recipient or "",
        message=", ".join(channel.slug for channel in letter.channels).encode(),
    )


@pytest.fixture(params=["sqlite", "sqlite inline, at once", "postgresql", "postgresql inline, at once"])
async def office(request: pytest.FixtureRequest, tmp_path: Path, now: datetime) -> AsyncIterator[Office]:
    """Give an office over each kind of ledger, as a sender process opens it too, and both ways to hand mails out."""
    if request.param.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'alerts.db'}"
    else:
        url = request.getfixturevalue("postgresql_ledger_url")
    db = await Database.open(url, inline="inline" in request.param)
    async with db.transaction() as tx:
        await workers.register(
            tx, workers.Worker(id="w1", node="n", pid=1, version="0", started_at=now, heartbeat_at=now)
        )
    yield Office(World(db, now), Relays(plain="at once" in request.param))
    await db.close()


async def test_everything_due_is_sent_once_and_said_so_on_disk(office: Office) -> None:
    await office.publish(40)
    done = await office.send()
    assert (done.sent, done.deferred, done.failed) == (40, 0, 0)
    assert len({envelope.recipient for envelope in office.relays.carried}) == 40
    assert await office.states() == {"sent": 40}
    assert await office.column("reply") == {"250 2.0.0 queued"}
    assert (await office.send()).sent == 0


async def test_a_connection_sees_its_next_mail_only_after_its_last_result_is_on_disk(office: Office) -> None:
    await office.publish(12)
    office.relays.connections = 1
    seen: list[int] = []

    def answer(_envelope: Envelope) -> Result:
        seen.append(len(office.relays.carried))
        return TAKEN

    office.relays.answer = answer
    written = office.db.prepared
    marked: list[int] = []

    def count_writes():  # type: ignore[no-untyped-def]  # noqa: ANN202 - stands in for the method
        marked.append(len(office.relays.carried))
        return written()

    office.db.prepared = count_writes  # type: ignore[method-assign]
    await office.send()
    # A transaction stands between any two mails of the one connection.
    assert set(range(1, 13)) <= set(marked)
    assert seen == list(range(1, 13))


async def test_a_temporary_refusal_waits_by_the_rule_and_goes_out_then(office: Office) -> None:
    await office.publish(1)
    office.relays.answer = lambda _: Reply(code=450, text="4.2.1 later", stage=Stage.RCPT)
    assert (await office.send()).deferred == 1
    assert await office.column("due_at") == {office.world.now + timedelta(minutes=5)}
    office.relays.answer = lambda _: TAKEN
    assert (await office.send()).sent == 0
    office.world.now += timedelta(minutes=5)
    assert (await office.send()).sent == 1
    assert await office.column("attempts") == {2}


async def test_an_address_that_does_not_exist_is_never_mailed_again(office: Office) -> None:
    await office.publish(3)
    office.relays.answer = lambda it: (
        Reply(code=550, text="5.1.1 no such user", stage=Stage.RCPT) if it.recipient.startswith("reader2@") else TAKEN
    )
    done = await office.send()
    assert (done.sent, done.failed) == (2, 1)
    async with office.db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(suppressions)) == 1
        ended = select(subscriptions.c.end_reason).where(subscriptions.c.state == "ended")
        assert (await tx.scalars(ended)).all() == ["bounced"]


async def test_our_own_fault_suppresses_nobody(office: Office) -> None:
    await office.publish(3)
    office.relays.answer = lambda _: Reply(code=550, text="5.7.26 unauthenticated", stage=Stage.BODY)
    assert (await office.send()).deferred == 3
    async with office.db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(suppressions)) == 0


async def test_a_mail_in_doubt_is_sent_again_once_and_not_before_five_minutes(office: Office) -> None:
    await office.publish(1)
    office.relays.answer = lambda _: InDoubt(reason="dropped")
    await office.send()
    office.world.now += timedelta(minutes=4, seconds=59)
    await office.send()
    assert len(office.relays.carried) == 1
    office.world.now += timedelta(seconds=1)
    await office.send()
    assert len(office.relays.carried) == 2
    assert await office.states() == {"failed": 1}


async def test_what_nobody_tried_is_due_at_once_again(office: Office) -> None:
    await office.publish(2)
    answers = iter([Untried(reason="the relay is down")])
    office.relays.answer = lambda _: next(answers, TAKEN)
    done = await office.send()
    assert (done.sent, await office.column("attempts")) == (2, {1})


async def test_who_left_before_the_mail_began_gets_none(office: Office) -> None:
    await office.publish(3)
    async with office.db.transaction() as tx:
        left = subscriptions.update().where(subscriptions.c.subscriber_id == 2)
        await tx.execute(left.values(state="ended", end_reason="unsubscribed"))
        await tx.execute(subscribers.delete().where(subscribers.c.id == 3))
    done = await office.send()
    assert (done.sent, done.cancelled) == (1, 2)
    assert [it.recipient for it in office.relays.carried] == ["reader1@example.org"]


async def test_who_leaves_while_mails_go_out_gets_none_that_had_not_begun(office: Office) -> None:
    await office.publish(30)
    office.relays.connections = 1
    last = 30

    def answer(envelope: Envelope) -> Result:
        if len(office.relays.carried) == 3:
            left.set()
        return TAKEN

    left = asyncio.Event()
    office.relays.answer = answer

    async def leave() -> None:
        await left.wait()
        async with office.db.transaction() as tx:
            gone = subscriptions.update().where(subscriptions.c.subscriber_id == last)
            await tx.execute(gone.values(state="ended", end_reason="unsubscribed", ended_at=office.world.now))

    leaving = asyncio.create_task(leave())
    done = await office.send()
    await leaving
    assert (done.sent, done.cancelled) == (29, 1)
    assert f"reader{last}@example.org" not in {it.recipient for it in office.relays.carried}


async def test_the_mail_names_every_matching_channel_that_the_person_has(office: Office) -> None:
    xiaomi, evs = await office.world.channel("xiaomi"), await office.world.channel("evs")
    await office.world.readers(1, (xiaomi, evs))
    await office.world.readers(1, (evs,), start=2)
    article = await office.world.article(await office.world.source(), channels=(xiaomi, evs))
    await fan_out(office.db, article, now=office.world.now)
    await office.send()
    assert [it.message for it in office.relays.carried] == [b"xiaomi, evs", b"evs"]


async def test_a_mail_that_cannot_be_made_is_set_aside_after_three_tries_and_the_rest_goes_on(office: Office) -> None:
    await office.publish(3)

    def compose(letter: Letter) -> Envelope:
        if letter.recipient == "reader2@example.org":
            raise RuntimeError("a poisoned title")
        return plain(letter)

    office.compose = compose
    for _ in range(4):
        await office.send()
        office.world.now += timedelta(minutes=10)
    assert await office.states() == {"sent": 2, "failed": 1}
    async with office.db.transaction() as tx:
        assert await retry(tx, ids=None, now=office.world.now) == 1
    office.compose = None
    assert (await office.send()).sent == 1


async def test_a_stop_finishes_what_is_in_flight_and_gives_the_rest_back(office: Office) -> None:
    await office.publish(30)

    def after(carried: int) -> None:
        office.stopping = carried >= 10

    office.relays.after = after
    done = await office.send()
    assert 10 <= done.sent <= 13
    assert await office.states() == {"sent": done.sent, "pending": 30 - done.sent}


async def test_a_worker_that_lost_its_lease_sends_no_more(office: Office) -> None:
    await office.publish(30)

    def after(carried: int) -> None:
        office.holds = carried < 10

    office.relays.after = after
    done = await office.send()
    assert 10 <= done.sent <= 13
    assert await office.states() == {"sent": done.sent, "pending": 30 - done.sent}


async def test_the_claims_of_a_silent_worker_are_taken_back(office: Office) -> None:
    await office.publish(30)
    await office.claim(20)
    assert await rescue(office.db, now=office.world.now, heard=heard()) == (0, 0)
    beat_meanwhile = {"w1": office.world.now - timedelta(seconds=2)}
    assert await rescue(office.db, now=office.world.now, heard=heard(beat_meanwhile)) == (0, 0)
    assert await rescue(office.db, now=office.world.now, heard=heard({"w1": office.world.now})) == (1, 20)
    assert await office.states() == {"pending": 30}


async def test_a_clock_that_is_set_takes_nothing_from_those_who_live(office: Office) -> None:
    """By it every lease is over, and every heartbeat a day old; by another clock nothing has happened."""
    await office.publish(3)
    await office.claim(3)
    late = office.world.now + timedelta(days=1)
    lapsed: Silence[str] = Silence(STUCK.total_seconds())
    for at_s in (0.0, 5.0, STUCK.total_seconds() - 1):
        assert await rescue(office.db, now=late, heard=heard(claims=lapsed, at_s=at_s)) == (0, 0)
    assert await rescue(office.db, now=late, heard=heard(claims=lapsed, at_s=STUCK.total_seconds())) == (0, 3)


async def test_how_long_a_mail_takes_is_not_read_from_a_clock_that_is_set(office: Office) -> None:
    """Else its domain would be taken for one that takes hours."""
    await office.publish(200)

    def after(carried: int) -> None:
        office.world.now += timedelta(hours=carried == 20)

    office.relays.after = after
    domains = Domains()
    await deliver(office.db, replace(office.means(), domains=domains), worker_id="w1")
    assert (await office.states(), domains["example.org"].slow) == ({"sent": 200}, False)
    assert domains["example.org"].worth(timedelta(seconds=10), 4) > 1_000


async def test_who_leaves_after_the_clock_was_set_back_gets_none_that_had_not_begun(office: Office) -> None:
    await office.publish(30)
    office.relays.connections = 1
    left = asyncio.Event()

    def after(carried: int) -> None:
        if carried == 3:
            office.world.now -= timedelta(hours=1)
            left.set()

    async def leave() -> None:
        await left.wait()
        async with office.db.transaction() as tx:
            gone = subscriptions.update().where(subscriptions.c.subscriber_id == 30)
            await tx.execute(gone.values(state="ended", end_reason="unsubscribed", ended_at=office.world.now))

    office.relays.after = after
    leaving = asyncio.create_task(leave())
    done = await office.send()
    await leaving
    assert (done.sent, done.cancelled) == (29, 1)


async def test_nobody_is_buried_by_who_was_cut_off_too(office: Office) -> None:
    """After a database was away everybody has been silent; the living get time to say so."""
    await office.publish(3)
    await office.claim(3)
    late = office.world.now + timedelta(minutes=20)
    assert await rescue(office.db, now=late) == (0, 0)
    assert await rescue(office.db, now=late, heard=heard({"w1": office.world.now})) == (1, 3)


async def test_a_claim_that_was_taken_over_changes_nothing(office: Office) -> None:
    await office.publish(1)

    async def carry(take: Take, report: Report, *, wanted: int, ahead: Ahead, at_once: AtOnce, **_: object) -> None:
        envelope = await take()
        assert envelope is not None
        async with office.db.transaction() as tx:
            await tx.execute(deliveries.update().values(claim="another", worker_id="w2"))
        await report(envelope, Dropped(reason="reset"), "relay")

    await deliver(office.db, replace(office.means(), carry=carry), worker_id="w1")
    assert (await office.column("claim"), await office.column("attempts")) == ({"another"}, {0})


async def test_what_is_too_old_expires_and_can_be_retried_by_name(office: Office) -> None:
    await office.publish(2)
    late = office.world.now + timedelta(hours=48, seconds=1)
    assert await expire(office.db, now=late) == 2
    async with office.db.transaction() as tx:
        assert await retry(tx, ids=None, now=late) == 0
        assert await retry(tx, ids=[1], now=late) == 1
    assert await office.states() == {"expired": 1, "pending": 1}


async def test_a_confirmation_goes_before_alerts_that_were_due_earlier(office: Office) -> None:
    await office.publish(3)
    async with office.db.transaction() as tx:
        values = {"kind": "test", "lane": 0, "subscriber_id": 1, "state": DeliveryState.PENDING}
        await tx.execute(deliveries.insert().values(**values, due_at=office.world.now, dated_at=office.world.now))
    office.relays.connections = 1
    await office.send()
    assert [it.delivery_id for it in office.relays.carried] == [4, 1, 2, 3]


async def test_a_confirmation_that_becomes_due_meanwhile_passes_the_alerts_that_are_claimed_already(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.publish(40)
    monkeypatch.setattr(claims_module, "_URGENT_S", 0.0)
    office.relays.connections = 1
    asked: list[asyncio.Task[None]] = []

    async def ask() -> None:
        async with office.db.transaction() as tx:
            values = {"kind": "test", "lane": 0, "subscriber_id": 1, "state": DeliveryState.PENDING}
            await tx.execute(deliveries.insert().values(**values, due_at=office.world.now, dated_at=office.world.now))

    def after(carried: int) -> None:
        if carried == 10:
            asked.append(asyncio.create_task(ask()))

    office.relays.after = after
    assert (await office.send()).sent == 41
    await asyncio.gather(*asked)
    assert [it.delivery_id for it in office.relays.carried].index(41) < 20


@pytest.mark.parametrize("lane", [0, 1, 2])
async def test_due_deliveries_are_found_on_the_index(sqlite_db: Database, now: datetime, lane: int) -> None:
    async with sqlite_db.reading() as tx:
        text = due_ids(Lane(lane), now=now, limit=10).compile(tx.sync_engine, compile_kwargs={"literal_binds": True})
        plan = (await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")).all()
    assert any("ix_deliveries_due" in str(row) for row in plan)
    assert not any("TEMP B-TREE" in str(row) for row in plan)


@dataclass
class Outage:
    """A database that can be away: opening a transaction to write, or a view to read, fails then."""

    db: Database
    away: bool = False
    tried: int = 0

    def begin(self) -> None:
        self.db.transaction = self._guarded(self.db.transaction)  # type: ignore[method-assign]
        self.db.prepared = self._guarded(self.db.prepared)  # type: ignore[method-assign]
        self.db.reading = self._guarded(self.db.reading)  # type: ignore[method-assign]

    def _guarded(self, real: Callable[[], AbstractAsyncContextManager[Any]]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - stands in for a method
        def asked() -> AbstractAsyncContextManager[Any]:
            if self.away:
                self.tried += 1
                raise DatabaseUnavailableError("it is away")
            return real()

        return asked


async def test_sending_stops_while_outcomes_cannot_be_written_and_goes_on_by_itself(office: Office) -> None:
    await office.publish(30)
    outage = Outage(office.db)
    outage.begin()

    def answer(_envelope: Envelope) -> Result:
        if len(office.relays.carried) == 10:
            outage.away = True
            asyncio.get_running_loop().call_later(1.2, setattr, outage, "away", False)
        return TAKEN

    office.relays.answer = answer
    done = await office.send()
    while (more := await office.send()).worked:
        done.sent += more.sent
    assert outage.tried >= 2
    assert (done.sent, len(office.relays.carried)) == (30, 30)
    assert await office.states() == {"sent": 30}


async def test_a_database_that_is_away_when_more_is_claimed_breaks_no_other_connection_off(office: Office) -> None:
    await office.publish(70)  # more than the first claim
    outage = Outage(office.db)
    outage.begin()

    def answer(envelope: Envelope) -> Result:
        outage.away = len(office.relays.carried) >= 64
        if outage.away:
            asyncio.get_running_loop().call_later(0.7, setattr, outage, "away", False)
        return TAKEN

    office.relays.answer = answer
    done = await office.send()
    assert done.sent == len(office.relays.carried) >= 64
    assert await office.states() == {"sent": done.sent} | ({"pending": 70 - done.sent} if done.sent < 70 else {})


async def test_what_a_server_said_never_keeps_an_outcome_off_the_disk(office: Office) -> None:
    await office.publish(2)
    office.relays.answer = lambda _: Reply(code=250, text="2.0.0 \x00 \ud800 \udcff\r\n queued", stage=Stage.BODY)
    async with asyncio.timeout(20):
        assert (await office.send()).sent == 2
    assert await office.column("reply") == {"250 2.0.0 queued"}


async def test_an_outcome_that_the_database_refuses_is_written_without_its_words(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.publish(3)
    monkeypatch.setattr("alerts.core.deliveries.readable", lambda _text: "\ud800")
    async with asyncio.timeout(20):
        assert (await office.send()).sent == 3
    assert await office.states() == {"sent": 3}


async def test_a_run_that_is_broken_off_leaves_what_was_in_flight_in_doubt_and_gives_the_rest_back(
    office: Office,
) -> None:
    await office.publish(30)
    hangs = asyncio.Event()

    async def carry(take: Take, report: Report, *, wanted: int, ahead: object, at_once: AtOnce, **_: object) -> None:
        await take()
        hangs.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(deliver(office.db, replace(office.means(), carry=carry), worker_id="w1"))
    await hangs.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await office.states() == {"pending": 30}
    async with office.db.reading() as tx:
        doubted = (await tx.execute(select(deliveries.c.due_at).where(deliveries.c.in_doubt))).scalars().all()
    assert doubted == [office.world.now + timedelta(minutes=5)]


async def test_a_run_that_is_broken_off_does_not_wait_for_a_database_that_is_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.publish(3)
    monkeypatch.setattr("alerts.services.deliver.run._LAST_WORDS_S", 0.1)
    outage = Outage(office.db)
    outage.begin()
    sent = asyncio.Event()

    def answer(_envelope: Envelope) -> Result:
        outage.away = True
        sent.set()
        return TAKEN

    office.relays.answer = answer
    running = asyncio.create_task(office.send())
    await sent.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await running


async def test_a_database_that_was_away_makes_no_domain_a_slow_one(office: Office) -> None:
    await office.publish(2)
    means = office.means()

    async def carry(take: Take, report: Report, *, wanted: int, ahead: Ahead, at_once: AtOnce, **_: object) -> None:
        first = await take()
        following = await ahead(first)
        assert first is not None
        assert following is not None
        writing = asyncio.ensure_future(report(first, TAKEN, "relay"))
        await asyncio.sleep(0)  # the answer came, and is on its way to the disk
        office.world.now += timedelta(seconds=60)
        await writing
        office.world.now += timedelta(seconds=1)
        await report(following, TAKEN, "relay")

    assert (await deliver(office.db, replace(means, carry=carry), worker_id="w1")).sent == 2
    assert not means.domains["example.org"].slow


async def test_who_left_while_nothing_could_be_written_gets_none(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes wait for the database for a minute; what happened in it is looked at all the same."""
    await office.publish(30)
    monkeypatch.setattr("alerts.services.deliver.outcomes.RETRY_WRITE_S", 0.01)
    office.relays.connections = 1
    outage, last = Outage(office.db), 30

    async def leave() -> None:
        async with office.db.transaction() as tx:
            gone = subscriptions.update().where(subscriptions.c.subscriber_id == last)
            await tx.execute(gone.values(state="ended", end_reason="unsubscribed", ended_at=office.world.now))

    def answer(_envelope: Envelope) -> Result:
        if len(office.relays.carried) == 3:
            outage.begin()
            outage.away = True
        return TAKEN

    office.relays.answer = answer
    sending = asyncio.create_task(office.send())
    while outage.tried < 3:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    office.world.now += timedelta(seconds=1)
    outage.away = False
    await leave()
    outage.away = True
    tried = outage.tried
    while outage.tried < tried + 3:
        office.world.now += timedelta(seconds=10)
        await asyncio.sleep(0.011)
    outage.away = False
    done = await sending
    assert (done.sent, done.cancelled) == (29, 1)


async def test_a_claim_that_fails_ends_the_run_and_holds_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.publish(300)
    loaded = 0

    async def load(tx: AsyncConnection, claimed: Sequence[Delivery]) -> list[Letter]:
        nonlocal loaded
        loaded += 1
        if loaded > 1:
            raise LookupError("a row that nobody understands")
        return await load_letters(tx, claimed)

    monkeypatch.setattr(claims_module, "load_letters", load)
    with contextlib.suppress(LookupError, ExceptionGroup):
        await office.send()
    assert loaded == 2 if office.relays.plain else loaded <= 1 + office.relays.connections
    assert set(await office.states()) == {"pending", "sent"}


async def test_a_worker_that_froze_while_it_wrote_keeps_nobody_from_rescuing_the_rest(
    postgresql_ledger_url: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session holds a row until the server ends it; the other claims are free at once, and then that one too."""
    monkeypatch.setattr("alerts.storage.postgresql.SENDERS_IDLE_MS", 1_500)
    frozen, others = [await Database.open(postgresql_ledger_url, inline=inline) for inline in (True, False)]
    office = Office(World(others, now))
    await office.publish(5)
    await office.claim(5)
    late = now + timedelta(minutes=20)
    with pytest.raises(DatabaseUnavailableError):
        async with frozen.prepared() as quick:
            await claim_due(quick, worker_id="w1", claim="d", now=now, lease_until=now, limit=1)
            reply = Reply(code=250, text="ok", stage=Stage.BODY)
            (one, *_) = await listed(others)
            done = Written(one.id, "c", outcome(reply, one, now=now, jitter=0.0), "relay")
            await record_outcomes(quick, [done], now=now)
            async with asyncio.timeout(1):
                assert await rescue(others, now=late) == (0, 4)
            await asyncio.sleep(2.5)
            await record_outcomes(quick, [done], now=now)
    assert await rescue(others, now=late) == (0, 1)
    assert await office.states() == {"pending": 5}
    await frozen.close()
    await others.close()


async def listed(db: Database) -> list[Delivery]:
    async with db.reading() as tx:
        return await list_deliveries(tx)
