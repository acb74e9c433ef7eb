import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from daemon import Daemon, Site, article, relay_at, wait_until
from nursery import Started
from scripted_smtp import ScriptedSmtp, SinkThread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found through /proc"),
]

CONNECTIONS = 4
SENDERS = 2


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        yield server


def children(pid: int) -> list[int]:
    """Find the sender processes of a main process."""
    try:
        found = [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [it for it in found if "send-worker" in command_of(it)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def memory_mib(pid: int) -> float:
    """Say how large a process has ever been."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def site_with(sink: ScriptedSmtp, folder: Path, readers: int) -> Site:
    site = Site(folder, relays=relay_at(sink.port, connections=CONNECTIONS))
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(readers)])
    return site


def start(site: Site) -> Daemon:
    """Start a daemon and wait for its senders."""
    daemon = site.daemon(senders=SENDERS).start()
    wait_until(lambda: len(children(daemon.process.pid)) == SENDERS, within_s=20, what="the senders run")
    return daemon


@contextmanager
def running(site: Site) -> Iterator[Daemon]:
    """Run a daemon and its senders for as long as the block lasts."""
    daemon = start(site)
    try:
        yield daemon
    finally:
        daemon.terminate()


def everybody_has_it(sink: ScriptedSmtp, readers: int) -> None:
    wait_until(lambda: heard_of(sink, readers), within_s=150, what="every reader has it")


def heard_of(sink: ScriptedSmtp, readers: int) -> bool:
    """Whether so many readers have a mail; the looking must not take the time of the sink, which runs here too."""
    return len(sink.taken) >= readers and len({it.recipient for it in sink.taken}) == readers


def ledger(site: Site, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site.folder / "var" / "alerts.db")) as db:
        return list(db.execute(question))


def strike(daemon: Daemon, what: str, moments: random.Random) -> None:
    """Kill a sender, the main process, or all at once as a power cut would; bring the main process back."""
    senders = children(daemon.process.pid)
    if what in {"main", "all"}:
        daemon.kill()
    for pid in moments.sample(senders, min(1, len(senders))) if what == "sender" else senders if what == "all" else []:
        os.kill(pid, signal.SIGKILL)
    if what != "sender":
        wait_until(lambda: not any(map(command_of, senders)), within_s=10, what="no sender outlives its main process")
        daemon.start()


@pytest.mark.timeout(300)
def test_ten_kills_in_one_fan_out_lose_none_and_repeat_at_most_one_a_connection(
    sink: ScriptedSmtp, tmp_path: Path
) -> None:
    """Seeded: who is killed and when is the same in every run, what it hits is not."""
    readers, kills, struck = 10_000, 10, ["sender", "sender", "sender", "main", "all"]
    moments = random.Random(20260105)  # noqa: S311 - a seed, not a secret
    site = site_with(sink, tmp_path, readers)
    daemon = start(site)
    site.publish("plant.txt", article())
    for heard in sorted(moments.sample(range(200, readers - 1_000), kills)):
        wait_until(lambda: len(sink.taken) >= heard, within_s=100, what=f"{heard} mails")  # noqa: B023 - called at once
        strike(daemon, moments.choice(struck), moments)
        so_far = len(sink.taken)
        wait_until(lambda: len(sink.taken) > so_far, within_s=10, what="sending goes on")  # noqa: B023 - likewise
    everybody_has_it(sink, readers)
    assert daemon.terminate() == 0
    copies = Counter(it.recipient for it in sink.taken)
    repeated = {recipient for recipient, number in copies.items() if number > 1}
    assert len(copies) == readers
    assert sum(copies.values()) - readers <= kills * CONNECTIONS
    for recipient in repeated:
        assert len({it.data for it in sink.taken if it.recipient == recipient}) == 1
    assert len({it.header("Message-ID") for it in sink.taken}) == readers
    assert ledger(site, "SELECT state, count(*) FROM deliveries GROUP BY state") == [("sent", readers)]
    assert sink.most_open <= CONNECTIONS


@pytest.mark.timeout(300)
def test_ten_stops_in_one_fan_out_lose_none_and_repeat_none(sink: ScriptedSmtp, tmp_path: Path) -> None:
    readers, stops = 3_000, 10
    moments = random.Random(20260106)  # noqa: S311 - a seed, not a secret
    site = site_with(sink, tmp_path, readers)
    daemon = site.daemon(senders=SENDERS).start()
    site.publish("plant.txt", article())
    for heard in sorted(moments.sample(range(50, readers - 300), stops)):
        wait_until(lambda: len(sink.taken) >= heard, within_s=60, what=f"{heard} mails")  # noqa: B023 - called at once
        senders = children(daemon.process.pid)
        assert daemon.terminate(within_s=30) == 0
        assert not any(map(command_of, senders))
        daemon.start()
    everybody_has_it(sink, readers)
    assert daemon.terminate() == 0
    assert len(sink.taken) == readers
    assert ledger(site, "SELECT count(*) FROM workers") == [(0,)]


@pytest.mark.timeout(200)
def test_a_second_main_process_stands_by_and_takes_over(sink: ScriptedSmtp, tmp_path: Path) -> None:
    readers = 600
    site = site_with(sink, tmp_path, readers)
    first = start(site)
    second = standing_by(site, "second.log")
    third = standing_by(site, "third.log")
    site.publish("plant.txt", article())
    wait_until(lambda: len(sink.taken) > readers // 3, within_s=60, what="the first sends")
    third.terminate()
    assert third.wait(10) == 0
    first.kill()
    wait_until(lambda: b"taking_over" in (tmp_path / "second.log").read_bytes(), within_s=10, what="the second goes on")
    everybody_has_it(sink, readers)
    wait_until(lambda: site.get("/readyz")[0] == 200, within_s=20, what="the second serves the site")
    second.terminate()
    assert second.wait(30) == 0
    assert len(sink.taken) - readers <= CONNECTIONS


def standing_by(site: Site, log: str) -> Started:
    """Start another main process, and wait until it says that it is not needed yet."""
    with (site.folder / log).open("wb") as out:
        process = site.start("run", out=out, err=out)
    wait_until(lambda: b"standing_by" in (site.folder / log).read_bytes(), within_s=30, what="it stands by")
    return process


@pytest.mark.timeout(300)
def test_a_fan_out_begins_to_leave_before_it_is_written_and_takes_no_more_memory_for_more_readers(
    sink: ScriptedSmtp, tmp_path: Path
) -> None:
    few, many = 5_000, 20_000
    site = site_with(sink, tmp_path, few)
    with running(site) as daemon:
        processes = [daemon.process.pid, *children(daemon.process.pid)]
        site.publish("plant.txt", article())
        everybody_has_it(sink, few)
        before = [memory_mib(pid) for pid in processes]
        site.subscribe([f"reader{number}@example.org" for number in range(few, many)])
        sink.taken.clear()
        site.publish("suv.txt", article("Xiaomi shows a new SUV to dealers in Wuhan"))
        everybody_has_it(sink, many)
        after = [memory_mib(pid) for pid in processes]
    assert max(after) <= 300
    assert max(now - then for now, then in zip(after, before, strict=True)) < 32
    (first_sent,) = ledger(site, "SELECT min(finished_at) FROM deliveries WHERE article_id = 2")
    (written,) = ledger(site, "SELECT finished_at FROM fan_outs WHERE article_id = 2")
    assert str(first_sent[0]) < str(written[0])
    assert sink.most_open <= CONNECTIONS


@pytest.mark.timeout(200)
def test_a_sender_that_is_killed_leaves_its_claims_to_others_within_seconds(sink: ScriptedSmtp, tmp_path: Path) -> None:
    readers = 1_500
    site = site_with(sink, tmp_path, readers)
    with running(site) as daemon:
        site.publish("plant.txt", article())
        wait_until(lambda: len(sink.taken) > 200, within_s=30, what="some mails")
        for pid in children(daemon.process.pid):
            os.kill(pid, signal.SIGKILL)
        took = wait_until(lambda: len({it.recipient for it in sink.taken}) == readers, within_s=60, what="all are sent")
        claims = ledger(site, "SELECT count(*) FROM deliveries WHERE state = 'claimed'")
    assert took < 30, "no claim waited for its lease"
    assert claims[0][0] == 0 or len(sink.taken) >= readers
    assert daemon.log().count("sender_died") == SENDERS


@pytest.mark.timeout(120)
def test_a_changed_config_gets_new_senders_and_never_more_connections(sink: ScriptedSmtp, tmp_path: Path) -> None:
    readers = 3_000
    site = site_with(sink, tmp_path, readers)
    with running(site) as daemon:
        old = set(children(daemon.process.pid))
        site.publish("plant.txt", article())
        wait_until(lambda: len(sink.taken) > 300, within_s=30, what="some mails")
        site.relays = relay_at(sink.port, connections=1)
        site.write_config()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(now := children(daemon.process.pid)) == 1 and not old & set(now), within_s=30, what="a new one"
        )
        sink.most_open = 0
        everybody_has_it(sink, readers)
    assert sink.most_open <= 1
    assert len(sink.taken) == readers
