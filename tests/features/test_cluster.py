"""Several nodes on one PostgreSQL: they share the work, and whatever becomes of one of them, nobody's mail is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, Node
from daemon import Site, article, relay_at, wait_until
from postgresql_server import PostgresqlServer, PostgresqlUnavailableError
from scripted_smtp import ScriptedSmtp, SinkThread

from alerts.storage.migrations import revisions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found through /proc"),
]

CONNECTIONS = 4  # of a node
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        yield server


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """Give a server whose commits survive a crash."""
    try:
        started = PostgresqlServer.start(durable=True)
    except PostgresqlUnavailableError as error:
        pytest.skip(f"no PostgreSQL for the tests: {error}")
    with started:
        yield started


def site_on(url: str, sink: ScriptedSmtp, folder: Path, *, readers: int, connections: int = CONNECTIONS) -> Site:
    site = Site(folder, relays=relay_at(sink.port, connections=connections), database=url)
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(readers)])
    return site


def cluster_of(site: Site, count: int) -> Cluster:
    return Cluster(site, site.database, [Node(site, f"node{number}") for number in range(count)])


def everybody_has_it(sink: ScriptedSmtp, readers: int, *, within_s: float) -> float:
    return wait_until(
        lambda: len(sink.taken) >= readers and len({it.recipient for it in sink.taken}) == readers,
        within_s=within_s,
        what=f"every reader has it ({len(sink.taken)} mails of {readers} were heard)",
    )


def check_copies(sink: ScriptedSmtp, readers: int, *, most_repeated: int) -> None:
    """Everybody has the mail; some have it twice, with the same Message-ID and bytes."""
    copies = Counter(it.recipient for it in sink.taken)
    assert len(copies) == readers
    assert len(sink.taken) - readers <= most_repeated
    repeated = {recipient for recipient, number in copies.items() if number > 1}
    for recipient in repeated:
        assert len({it.data for it in sink.taken if it.recipient == recipient}) == 1
    assert len({it.header("Message-ID") for it in sink.taken}) == readers


def all_is_written(cluster: Cluster, readers: int) -> None:
    states = "SELECT state, count(*) FROM deliveries GROUP BY state"
    wait_until(lambda: cluster.ask(states) == [("sent", readers)], within_s=30, what="all is written")


@pytest.mark.timeout(300)
def test_four_nodes_share_a_fan_out_and_everybody_gets_one_mail(
    server: PostgresqlServer, sink: ScriptedSmtp, tmp_path: Path
) -> None:
    readers, count, connections = 50_000, 4, 16
    with server.database() as url:
        site = site_on(url, sink, tmp_path, readers=readers, connections=connections)
        with cluster_of(site, count) as cluster:
            site.publish("plant.txt", article())
            everybody_has_it(sink, readers, within_s=200)
            all_is_written(cluster, readers)
            status = site.json("status")
            assert sorted(node["name"] for node in status["nodes"]) == [f"node{number}" for number in range(count)]
            assert [node["schedules"] for node in status["nodes"]].count(True) == 1
            assert all(node["senders"] == 1 and len(node["roles"]) == 4 for node in status["nodes"])
            assert [node.stop() for node in cluster.nodes] == [0] * count
        shares = [node.sent() for node in cluster.nodes]
        assert sum(shares) == readers
        assert all(abs(share - readers / count) <= 0.2 * readers / count for share in shares), shares
        assert len(sink.taken) == readers
        assert sink.most_open <= count * connections
        (jobs,) = cluster.ask("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'todo'")
        assert jobs == (0,)


@pytest.mark.timeout(400)
def test_twenty_kills_of_nodes_lose_none_and_repeat_at_most_one_a_connection(
    server: PostgresqlServer, sink: ScriptedSmtp, tmp_path: Path
) -> None:
    """Seeded: which node dies, and how long after the last, is the same in every run; every fifth is the scheduler."""
    readers, kills = 10_000, 20
    moments = random.Random(20260107)  # noqa: S311 - a seed, not a secret
    sink.pause_s = 0.08  # so that the mails last as long as the kills
    with server.database() as url:
        site = site_on(url, sink, tmp_path, readers=readers)
        with cluster_of(site, 4) as cluster:
            site.publish("plant.txt", article())
            wait_until(lambda: len(sink.taken) > 100, within_s=30, what="some mails")
            for number in range(kills):
                time.sleep(moments.uniform(1.5, 3))
                chosen = moments.choice(cluster.nodes)
                struck = (cluster.scheduler() or chosen) if number % 5 == 4 else chosen
                if struck.is_alive():
                    struck.kill()
                struck.start()
            in_the_middle = len(sink.taken)
            sink.pause_s = 0.0
            everybody_has_it(sink, readers, within_s=60)
            all_is_written(cluster, readers)
            wait_until(lambda: cluster.scheduler() is not None, within_s=60, what="somebody schedules")
        check_copies(sink, readers, most_repeated=kills * CONNECTIONS)
        assert in_the_middle < readers, "the kills came too late to prove anything"


@pytest.mark.timeout(300)
def test_five_crashes_of_the_database_end_no_node_and_lose_none(
    server: PostgresqlServer, sink: ScriptedSmtp, tmp_path: Path
) -> None:
    readers, crashes = 4_000, 5
    sink.pause_s = 0.02
    with server.database() as url:
        site = site_on(url, sink, tmp_path, readers=readers)
        with cluster_of(site, 3) as cluster:
            processes = [node.process.pid for node in cluster.nodes]
            site.publish("plant.txt", article())
            for number in range(crashes):
                heard = len(sink.taken) + 200
                wait_until(lambda: len(sink.taken) >= heard, within_s=60, what=f"{heard} mails")  # noqa: B023 - at once
                server.crash()
                time.sleep(0.3 + number)
                server.revive()
                heard = len(sink.taken)
                took = wait_until(lambda: len(sink.taken) > heard + 50, within_s=30, what="work goes on")  # noqa: B023
                assert took < 30
            assert len(sink.taken) < readers, "the crashes came too late to prove anything"
            everybody_has_it(sink, readers, within_s=60)
            all_is_written(cluster, readers)
            assert [node.process.pid for node in cluster.nodes if node.is_alive()] == processes
            site.publish("suv.txt", article("Xiaomi shows a new SUV to dealers in Wuhan"))
            wait_until(lambda: len(sink.taken) >= 2 * readers, within_s=60, what="the next article goes out too")
        assert len(sink.taken) == 2 * readers


@pytest.mark.timeout(300)
def test_a_scheduler_and_a_sender_that_are_frozen_for_a_minute_and_wake_repeat_and_change_nothing(
    server: PostgresqlServer, sink: ScriptedSmtp, tmp_path: Path
) -> None:
    readers = 3_000
    sink.pause_s = 0.02
    with server.database() as url:
        site = site_on(url, sink, tmp_path, readers=readers)
        with cluster_of(site, 3) as cluster:
            site.publish("plant.txt", article())
            wait_until(lambda: len(sink.taken) > 300, within_s=60, what="some mails")
            scheduler = cluster.scheduler()
            assert scheduler is not None
            other = next(node for node in cluster.nodes if node is not scheduler)
            frozen = [scheduler.process.pid, *other.sender_pids()]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            everybody_has_it(sink, readers, within_s=50)
            wait_until(lambda: cluster.scheduler() not in {scheduler, None}, within_s=50, what="another schedules")
            site.publish("suv.txt", article("Xiaomi shows a new SUV to dealers in Wuhan"))
            wait_until(lambda: len(sink.taken) >= 2 * readers, within_s=50, what="the next article goes out")
            time.sleep(max(0.0, began + 60 - time.monotonic()))
            heard, follower = len(sink.taken), cluster.scheduler()
            (lease,) = cluster.ask("SELECT holder, epoch FROM leases")
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            time.sleep(6)
            assert len(sink.taken) - heard <= CONNECTIONS, "a mail for each connection that it had open, at most"
            assert cluster.ask("SELECT holder, epoch FROM leases") == [lease]
            assert cluster.scheduler() is follower
            wait_until(lambda: "scheduling_lost" in scheduler.log(), within_s=10, what="it finds its epoch gone")
            sink.taken.clear()
            site.publish("car.txt", article("Xiaomi opens a third plant near Beijing"))
            everybody_has_it(sink, readers, within_s=60)
            all_is_written(cluster, 3 * readers)
        assert len(sink.taken) == readers


@pytest.mark.timeout(200)
def test_nodes_of_two_versions_work_side_by_side_and_one_that_does_not_fit_says_so(
    server: PostgresqlServer, sink: ScriptedSmtp, tmp_path: Path
) -> None:
    """The newer version has one more step of the schema, marked as one that keeps older versions going."""
    readers = 500
    newer = tmp_path / "newer"
    for part in ("alerts", "templates"):
        shutil.copytree(REPOSITORY / part, newer / part, ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "alerts" / "__init__.py").write_text('__version__ = "9.0.0"\n')
    head = int(revisions()[-1])
    theirs, breaking = f"{head + 1:04}", f"{head + 2:04}"
    steps = newer / "alerts" / "storage" / "migrations" / "versions"
    (steps / f"{theirs}_a_note.py").write_text(NEXT_STEP.format(name="note", own=theirs, last=f"{head:04}", keeps=True))
    with server.database() as url:
        site = site_on(url, sink, tmp_path / "site", readers=readers)
        old, new = (
            Node(site, "old", senders=0, roles="schedule,poll"),
            Node(site, "new", folder=newer, roles="web,send"),
        )
        with Cluster(site, url, [old, new]) as cluster:
            assert cluster.ask("SELECT version_num FROM alembic_version") == [(theirs,)]
            site.publish("plant.txt", article())
            everybody_has_it(sink, readers, within_s=60)
            versions = {node["name"]: node["version"] for node in site.json("status")["nodes"]}
            assert versions["new"] == "9.0.0" != versions["old"]
            assert old.stop() == 0
            assert old.start().wait_until_ready().is_alive(), "an older node may start beside a schema that it fits"
            step = NEXT_STEP.format(name="other_note", own=breaking, last=theirs, keeps=False)
            (steps / f"{breaking}_a_break.py").write_text(step)
            refused = Node(site, "newest", folder=newer).start()
            assert refused.process.wait(60) == 1
            assert f"schema {theirs} and must be brought to {breaking}" in refused.log()
            assert "(version 9.0.0)" in refused.log()
            assert [node.stop() for node in (old, new)] == [0, 0]
            cluster.nodes.append(Node(site, "newest", folder=newer).start().wait_until_ready())
            assert old.start().process.wait(60) == 1
            assert f"made by a newer version of News Alert (its schema is {breaking}" in old.log()


NEXT_STEP = '''
"""A note that nobody else looks at."""

import sqlalchemy as sa

revision = "{own}"
down_revision = "{last}"
keeps_older = {keeps}


def upgrade(op):
    op.add_column("sources", sa.Column("{name}", sa.Text))
'''
