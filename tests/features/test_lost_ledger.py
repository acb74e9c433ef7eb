"""A ledger that is taken away, or held for ever, under a daemon that runs: nothing is said that is not kept."""

from __future__ import annotations

import sqlite3
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from daemon import Site, article, relay_at, wait_until
from scripted_smtp import ScriptedSmtp, SinkThread

pytestmark = pytest.mark.slow

READERS = 400
CONNECTIONS = 4
PAUSE_S = 0.01


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        server.pause_s = PAUSE_S
        yield server


@pytest.fixture
def site(sink: ScriptedSmtp, tmp_path: Path) -> Site:
    site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS))
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(READERS)])
    return site


def leave(link: str) -> int:
    """Unsubscribe as a mailbox does; return the status."""
    request = urllib.request.Request(link, data=b"List-Unsubscribe=One-Click")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=45) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_ledger_that_is_moved_away_stops_everything_until_it_is_back(site: Site, sink: ScriptedSmtp) -> None:
    """SQLite itself would go on with a file that has no name: what was acknowledged would end with the process."""
    ledger, away = site.folder / "var" / "alerts.db", site.folder / "var" / "away.db"
    with site.daemon() as daemon:
        site.publish("plant.txt", article())
        wait_until(lambda: len(sink.taken) > 20, within_s=30, what="some mails")
        ledger.rename(away)
        time.sleep(1)
        heard = len(sink.taken)
        assert heard < READERS
        assert leave(sink.taken[0].header("List-Unsubscribe").strip("<>")) == 503
        assert site.get("/readyz")[0] == 503
        time.sleep(1)
        assert (len(sink.taken), daemon.process.poll(), ledger.exists()) == (heard, None, False)
        away.rename(ledger)
        wait_until(lambda: len(sink.taken) > heard, within_s=10, what="sending goes on")
        wait_until(lambda: len({it.recipient for it in sink.taken}) == READERS, within_s=60, what="everybody has it")
        assert daemon.terminate() == 0
    assert max(Counter(it.recipient for it in sink.taken).values()) == 1


def test_a_stop_is_over_within_half_a_minute_though_the_ledger_is_locked(site: Site, sink: ScriptedSmtp) -> None:
    daemon = site.daemon().start()
    site.publish("plant.txt", article())
    wait_until(lambda: len(sink.taken) > 20, within_s=30, what="some mails")
    with closing(sqlite3.connect(site.folder / "var" / "alerts.db", timeout=20, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        daemon.terminate(within_s=30)
        other.execute("ROLLBACK")
    with daemon:
        wait_until(lambda: len({it.recipient for it in sink.taken}) == READERS, within_s=60, what="everybody has it")
    copies = Counter(it.recipient for it in sink.taken)
    assert sum(copies.values()) - READERS <= CONNECTIONS
