"""What breaks while mails go out: relays of every temper, a locked ledger, a full disk, a database that crashes."""

import asyncio
import random
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from cast import World
from daemon import Daemon, Site, article, relay_at, wait_until
from postgresql_server import PostgresqlServer, PostgresqlUnavailableError
from scripted_smtp import DROP, EHLO, STALL, ScriptedSmtp, Session, SinkThread, connected_to, sockets_of_this_process
from sqlalchemy import func, select
from website import app_over, config_in

from alerts.core.deliveries import InDoubt, Result
from alerts.core.model import Envelope
from alerts.mail.opening import Endpoint
from alerts.mail.relays import Relay, carry_all
from alerts.mail.timeouts import Timeouts
from alerts.services.deliver import Means, deliver
from alerts.services.fan_out import fan_out
from alerts.services.maintain import maintain
from alerts.storage import workers
from alerts.storage.deliveries import next_due_at
from alerts.storage.engine import Database
from alerts.storage.schema import deliveries, subscribers, suppressions

pytestmark = pytest.mark.slow

STEPWISE = tuple(it for it in EHLO if it != "PIPELINING")
CONNECTIONS = 8
SEED = 20260105

#: What a relay does with a mail, in per mille, and at which command; the rest is taken with 250.
MIX = (
    (25, "rcpt", b"450 4.2.1 greylisted, \x00 \xff come again\r\n"),
    (20, "dot", b"451 4.3.0 try later\r\n"),
    (15, "rcpt", b"421 4.7.0 too busy\r\n"),
    (10, "dot", b"421 4.3.2 shutting down\r\n"),
    (30, "rcpt", b"550-5.1.1 there is\r\n550 5.1.1 no such user\r\n"),
    (10, "body", DROP),
    (10, "dot", DROP),
    (6, "dot", STALL),
    (7, "rcpt", b"\xff\xfe\x00 what?\r\n"),
    (7, "dot", b"777 seven\r\n"),
)
#: A relay that stalls where a command should be answered is taken for one that cannot pipeline.
STALLS = (*MIX, (4, "rcpt", STALL), (2, "data", STALL))
MAY_HAVE_TAKEN = {DROP, STALL, b"777 seven\r\n"}  # as an answer to the final dot
GOOD = b"250 2.0.0 queued\r\n"


class Tempers:
    """A relay's script: what it does with each try of each recipient, by a seed; it remembers what it did."""

    def __init__(self, mix: tuple[tuple[int, str, bytes], ...]) -> None:
        self._mix = mix
        self._drawn: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
        self.at_dot: defaultdict[str, list[bytes]] = defaultdict(list)  # what each mail heard that came to its end
        self.doubts: Counter[str] = Counter()  # how often a recipient's mail broke off after we could say all of it
        self.most_connected = 0
        self.port = 0

    def __call__(self, phase: str, session: Session) -> bytes | None:
        if phase == "banner":
            self.most_connected = max(self.most_connected, connected_to(self.port))
        if phase == "rcpt":
            self._drawn[session.recipient].append(self._draw(session.recipient))
        if phase not in {"rcpt", "data", "body", "dot"}:
            return None
        at, answer = self._drawn[session.recipient][-1]
        given = answer if at == phase else None
        if phase == "dot":
            self.at_dot[session.recipient].append(given or GOOD)
        self.doubts[session.recipient] += phase in {"body", "dot"} and given in MAY_HAVE_TAKEN
        return given

    def _draw(self, recipient: str) -> tuple[str, bytes]:
        drawn = random.Random(f"{SEED} {recipient} {len(self._drawn[recipient])}").randrange(1_000)  # noqa: S311 - a seed
        for share, phase, answer in self._mix:
            if drawn < share:
                return phase, answer
            drawn -= share
        return "dot", GOOD

    def copies(self, recipient: str) -> int:
        """Count the mails that the recipient may have got."""
        return sum(answer == GOOD or answer in MAY_HAVE_TAKEN for answer in self.at_dot[recipient])

    def acknowledged(self, recipient: str) -> int:
        """Count the mails that the relay said it took."""
        return self.at_dot[recipient].count(GOOD)

    def refused(self, recipient: str) -> bool:
        return any(answer.startswith(b"550") for _, answer in self._drawn[recipient])


class Traveller:
    """A clock that runs, and can be set forward."""

    def __init__(self, now: datetime) -> None:
        self._start, self._began = now, time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def travel_to(self, when: datetime) -> None:
        self._start += max(timedelta(), when - self())


@pytest.mark.parametrize(
    ("how", "readers"),
    [
        ("sqlite, pipelined", 2_000),
        ("sqlite, stepwise", 2_000),
        ("sqlite, pipelined until caught", 800),
        ("postgresql, pipelined", 800),
    ],
)
async def test_relays_of_every_temper_leave_each_address_sent_or_rightly_failed(
    request: pytest.FixtureRequest, tmp_path: Path, now: datetime, how: str, readers: int
) -> None:
    """Seeded: what the relay does with each try of each mail is the same in every run."""
    ledger, offer = how.split(", ")
    postgresql = ledger == "postgresql"
    url = request.getfixturevalue("postgresql_ledger_url") if postgresql else f"sqlite:///{tmp_path / 'alerts.db'}"
    tempers = Tempers(MIX if offer == "pipelined" else STALLS)
    extensions = STEPWISE if offer == "stepwise" else EHLO
    tasks, sockets = asyncio.all_tasks(), len(sockets_of_this_process())
    db = await Database.open(url)
    async with ScriptedSmtp(tempers, extensions=extensions) as server:
        tempers.port = server.port
        relay = await send_all(db, server.port, tmp_path, Traveller(now), readers=readers)
        assert (relay.open_connections, connected_to(server.port)) == (0, 0)
    assert await judge(db, tempers, server) == readers
    assert relay.pipelining == (offer != "pipelined until caught")
    assert tempers.most_connected <= CONNECTIONS
    await db.close()
    assert asyncio.all_tasks() == tasks
    assert len(sockets_of_this_process()) == sockets


async def send_all(db: Database, port: int, folder: Path, clock: Traveller, *, readers: int) -> Relay:
    """Publish an article and send it to everybody, waiting out every pause by travelling in time."""
    app = await app_over(db, config_in(folder), clock)
    async with db.transaction() as tx:
        await workers.register(
            tx, workers.Worker(id="w1", node="n", pid=1, version="0", started_at=clock(), heartbeat_at=clock())
        )
    world = World(db, clock())
    channel = await world.channel()
    await world.readers(readers, (channel,))
    story = await world.article(await world.source(), channels=(channel,))
    while not (await fan_out(db, story, now=clock())).finished:
        pass
    relay = Relay(
        name="relay",
        endpoint=Endpoint(host="127.0.0.1", port=port, tls="none"),
        clock=clock,
        connections=CONNECTIONS,
        timeouts=Timeouts(connect_s=5, command_s=1, body_s=1, quit_s=1),
    )
    chance = random.Random(SEED)  # noqa: S311 - a seed, not a secret
    means = Means(
        carry=partial(carry_all, [relay]),
        compose=app.composer(),
        clock=clock,
        jitter=chance.random,
        new_claim=lambda: token_hex(8),
        holds=lambda: True,
        stopping=lambda: False,
    )
    while (due_at := await next_due(db)) is not None:
        clock.travel_to(max(due_at, relay.health.rest_until or due_at) + timedelta(minutes=4))
        await deliver(db, means, worker_id="w1")
        await maintain(db, now=clock())
    return relay


async def next_due(db: Database) -> datetime | None:
    async with db.reading() as tx:
        return await next_due_at(tx)


async def judge(db: Database, tempers: Tempers, server: ScriptedSmtp) -> int:
    """Hold every row against what the relay did; return how many there are."""
    async with db.reading() as tx:
        columns = (subscribers.c.email, deliveries.c.state, deliveries.c.reply, deliveries.c.claim)
        joined = deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        rows = (await tx.execute(select(*columns).select_from(joined))).all()
        suppressed = await tx.scalar(select(func.count()).select_from(suppressions))
    unjust = [
        (email, state, reply)
        for email, state, reply, claim in rows
        if claim is not None or not _is_just(tempers, email, state, reply) or tempers.copies(email) > 2
    ]
    assert unjust == []
    assert suppressed == sum(reply.startswith("550") for _, _, reply, _ in rows)
    versions = defaultdict(set)
    for mail in server.taken:
        versions[mail.recipient].add(mail.data)
    assert {recipient: len(seen) for recipient, seen in versions.items() if len(seen) > 1} == {}
    assert sum(state == "failed" for _, state, _, _ in rows) > 0
    return len(rows)


def _is_just(tempers: Tempers, email: str, state: str, reply: str) -> bool:
    """Say whether a row tells what happened: sent once and acknowledged, refused for good, or twice in doubt."""
    if state == "sent":
        return tempers.acknowledged(email) == 1
    if state == "failed" and reply.startswith("550 5.1.1"):
        return tempers.refused(email) and not tempers.acknowledged(email)
    return state == "failed" and tempers.doubts[email] >= 2 and not tempers.acknowledged(email)


class Hand:
    """Gives out one mail, and keeps what came of it."""

    def __init__(self, message: bytes) -> None:
        self._mails = [
            Envelope(
                delivery_id=1,
                sender="alerts@daily.example",
                recipient="alice@example.org",
                message=message,
                smtputf8=False,
            )
        ]
        self.results: list[Result] = []

    async def take(self) -> Envelope | None:
        return self._mails.pop() if self._mails else None

    async def report(self, _envelope: Envelope, result: Result, _relay: str) -> None:
        self.results.append(result)


@pytest.mark.parametrize("extensions", [b"PIPELINING", b"SIZE"])
async def test_a_relay_that_reads_no_more_keeps_no_socket_of_ours(extensions: bytes, now: datetime) -> None:
    enough = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        said = b""
        while not said.startswith(b"DATA"):
            said = await reader.readuntil(b"\n")
            writer.write(b"250-hello\r\n250 " + extensions + b"\r\n" if said.startswith(b"EHLO") else b"")
            writer.write(b"250 ok\r\n" if said.startswith((b"MAIL", b"RCPT")) else b"")
        writer.write(b"354 go ahead\r\n")
        await enough.wait()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    quick = Timeouts(connect_s=5, command_s=5, body_s=0.3, quit_s=0.2)
    relay = Relay("relay", Endpoint(host="127.0.0.1", port=port, tls="none"), lambda: now, timeouts=quick)
    hand = Hand(b"Subject: x\r\n\r\n" + b"y" * 70 * 400_000 + b"\r\n")
    await carry_all([relay], hand.take, hand.report, wanted=1)
    await asyncio.sleep(0.05)
    assert [type(one) for one in hand.results] == [InDoubt]
    assert connected_to(port) == 0
    enough.set()
    server.close()
    await server.wait_closed()


# --- the ledger's own faults, under the daemon as an operator runs it ------------------------------------------------

PAUSE_S = 0.012  # the relay takes so long over a mail, so that something can happen in the middle
CROWD = 1_000


@dataclass
class Installation:
    """A daemon in the middle of a fan-out, and a look at its ledger from outside."""

    site: Site
    daemon: Daemon
    sink: ScriptedSmtp

    def heard(self) -> int:
        return len(self.sink.taken)

    def wait_for(self, mails: int, *, within_s: float = 60) -> float:
        return wait_until(lambda: self.heard() >= mails, within_s=within_s, what=f"{mails} mails")

    def stands_still(self) -> int:
        """Wait until the relay hears no more; return how many mails it has heard."""
        deadline, before, since = time.monotonic() + 30, -1, time.monotonic()
        while time.monotonic() < deadline:
            if self.heard() != before:
                before, since = self.heard(), time.monotonic()
            if time.monotonic() - since > 1.5:
                return before
            time.sleep(0.05)
        raise AssertionError("sending did not stop")

    def is_alive(self) -> bool:
        return self.daemon.process.poll() is None

    def leave(self) -> int:
        """Unsubscribe the first reader as a mailbox does it; return the status."""
        link = self.sink.taken[0].header("List-Unsubscribe").strip("<>")
        request = urllib.request.Request(link, data=b"List-Unsubscribe=One-Click")  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=45) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code if error.headers["Retry-After"] else 0


@contextmanager
def in_the_middle(site: Site, sink: ScriptedSmtp) -> Iterator[Installation]:
    """Give an installation that has sent some of a fan-out's mails; at the end, everybody must have exactly one."""
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(CROWD)])
    with site.daemon() as daemon:
        it = Installation(site, daemon, sink)
        site.publish("plant.txt", article())
        it.wait_for(100)
        yield it
        it.wait_for(CROWD, within_s=60)
        wait_until(lambda: site.json("status")["deliveries"]["sent"] == CROWD, within_s=20, what="all is written")
        assert daemon.terminate() == 0
    copies = Counter(mail.recipient for mail in sink.taken)
    assert (len(copies), max(copies.values())) == (CROWD, 1)
    assert site.json("status")["deliveries"] == {
        **dict.fromkeys(("pending", "claimed", "failed", "expired", "cancelled"), 0),
        "sent": CROWD,
    }


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        server.pause_s = PAUSE_S
        yield server


def test_a_ledger_that_another_process_locks_stops_sending_and_loses_and_repeats_nothing(
    sink: ScriptedSmtp, tmp_path: Path
) -> None:
    """Longer than a write waits (10 s), and than a worker may be silent (8 s)."""
    site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS))
    with in_the_middle(site, sink) as it:
        with closing(sqlite3.connect(tmp_path / "var" / "alerts.db", timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked_at = time.monotonic()
            heard = it.stands_still()
            written = count_sent(other)
            assert heard < CROWD
            assert 0 <= heard - written <= CONNECTIONS
            assert site.get("/")[0] == 200  # who only reads does not wait
            assert it.leave() == 503
            time.sleep(max(0.0, locked_at + 13 - time.monotonic()))
            assert (it.heard(), it.is_alive()) == (heard, True)
            other.execute("ROLLBACK")
        assert it.wait_for(heard + 20, within_s=10) < 10


def test_a_full_disk_stops_sending_and_loses_and_repeats_nothing(sink: ScriptedSmtp, tmp_path: Path) -> None:
    with small_disk(tmp_path / "var") as disk:
        site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS))
        with in_the_middle(site, sink) as it:
            with closing(sqlite3.connect(disk / "alerts.db", isolation_level=None)) as other:
                other.execute("BEGIN")  # a long look at the ledger, as a backup takes it: its log can only grow
                count_sent(other)
                fill(disk / "ballast")
                heard = it.stands_still()
                other.execute("ROLLBACK")
                assert heard < CROWD
                assert 0 <= heard - count_sent(other) <= CONNECTIONS
                time.sleep(1.5)
                assert (it.heard(), it.is_alive(), site.get("/")[0]) == (heard, True, 200)
            (disk / "ballast").unlink()
            assert it.wait_for(heard + 20, within_s=10) < 10


def test_a_database_server_that_crashes_stops_sending_and_loses_and_repeats_nothing(
    sink: ScriptedSmtp, tmp_path: Path
) -> None:
    try:
        server = PostgresqlServer.start(durable=True)
    except PostgresqlUnavailableError as error:
        pytest.skip(f"no PostgreSQL for the tests: {error}")
    with server, server.database() as url:
        site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS), database=url)
        with in_the_middle(site, sink) as it:
            for away_s in (0.2, 9):
                server.crash()
                heard = it.stands_still()
                assert heard < CROWD
                time.sleep(away_s)
                assert (it.heard(), it.is_alive()) == (heard, True)
                assert it.leave() == 503
                assert site.get("/readyz")[0] == 503
                server.revive()
                # What was written before the crash is there, and what was heard is written but for what is in flight.
                with psycopg.connect(url) as other:
                    [(written,)] = other.execute("SELECT count(*) FROM deliveries WHERE state = 'sent'").fetchall()
                assert heard - CONNECTIONS <= written
                it.wait_for(heard + 20, within_s=20)


def count_sent(ledger: sqlite3.Connection) -> int:
    [(number,)] = ledger.execute("SELECT count(*) FROM deliveries WHERE state = 'sent'").fetchall()
    return int(number)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a folder that is a file system of 16 MiB."""
    folder.mkdir(mode=0o700)
    options = "size=16m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"no small disk for the test: {done.stderr.strip() if done else 'no mount'} (needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
