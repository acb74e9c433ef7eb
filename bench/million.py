"""A fan-out to very many: subscribers by bulk SQL, `alerts run`, one article, a sink; how fast, how much memory.

    python bench/million.py [--subscribers 1000000] [--senders N] [--connections 16] [--database URL]

It prints how long it took from the article's file to the first and to the last mail, the rate, the largest resident
size of the main process and of each sender, how long GET / took meanwhile, and how long a confirmation took that was
asked for in the middle. Run by hand; the sink runs on the same machine, so compare rates only within one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = """\
site:
  name: EV Daily
  url: http://127.0.0.1:{web}
  postal_address: 1 Harbour Street, Springfield
database: sqlite:///var/alerts.db
web:
  listen: 127.0.0.1:{web}
mail:
  sender: alerts@daily.example
  relays:
    - url: smtp://127.0.0.1:{sink}
      tls: none
      connections: {connections}
      messages_per_connection: 10000
sources:
  - folder: seeds
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'tag:Xiaomi'
"""
ARTICLE = """\
---
title: Xiaomi opens its second car plant in Beijing
tags: [Xiaomi]
---
Xiaomi has begun to build cars in the second phase of its plant in the south of Beijing, the company said on Monday.
"""
HERE = Path(__file__).parent


@dataclass
class Seen:
    """What was measured while the mails went out."""

    rss_kb: dict[str, int] = field(default_factory=dict)
    processor_s: dict[str, float] = field(default_factory=dict)  # the start included
    pages_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Site:
    """What runs: its folder, its port, its command."""

    folder: Path
    web: int
    alerts: list[str]


def main() -> None:
    """Run it and print what was measured."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--subscribers", type=int, default=1_000_000)
    wanted.add_argument("--senders", type=int, default=len(os.sched_getaffinity(0)))
    wanted.add_argument("--connections", type=int, default=16)
    wanted.add_argument("--keep", type=Path, help="work here, and leave it there")
    asked = wanted.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(measure(asked.keep or Path(temporary), asked), indent=2))


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Set the site up, publish, watch until everybody has the mail."""
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    count_file = folder / "count"
    sink = subprocess.Popen(
        [sys.executable, HERE / "sink.py", "--port", "0", "--count-file", count_file], stdout=subprocess.PIPE
    )
    assert sink.stdout is not None
    port, web = int(sink.stdout.readline().split()[-1]), free_port()
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(web=web, sink=port, connections=asked.connections))
    alerts = [sys.executable, "-m", "alerts", "--config", str(config)]
    subprocess.run([*alerts, "run", "--once"], check=True, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    subscribe(folder / "var" / "alerts.db", asked.subscribers)
    print(f"{asked.subscribers} subscribers written in {time.monotonic() - began:.1f} s", file=sys.stderr)
    daemon = subprocess.Popen([*alerts, "run", "--senders", str(asked.senders)], stderr=(folder / "log").open("wb"))
    try:
        wait_ready(web)
        return watch(Site(folder, web, alerts), daemon.pid, asked.subscribers)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(40)
        sink.terminate()
        sink.wait(10)


def subscribe(database: Path, count: int) -> None:
    """Write the subscribers and their subscriptions, as an import of long ago would have."""
    long_ago = "2025-01-01 00:00:00.000000"
    with sqlite3.connect(database) as db:
        (channel,) = db.execute("SELECT id FROM channels").fetchone()
        (first,) = db.execute("SELECT coalesce(max(id), 0) FROM subscribers").fetchone()
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        db.execute(
            f"{numbers} INSERT INTO subscribers (id, email, email_key, domain, state, created_at, confirmed_at)"
            " SELECT ? + i, 'reader' || i || '@d' || (i % 997) || '.example', 'reader' || i || '@d' || (i % 997)"
            " || '.example', 'd' || (i % 997) || '.example', 'active', ?, ? FROM n",
            (count, first, long_ago, long_ago),
        )
        db.execute(
            "INSERT INTO subscriptions (subscriber_id, channel_id, state, frequency, created_at, activated_at)"
            " SELECT id, ?, 'active', 'immediate', ?, ? FROM subscribers WHERE id > ?",
            (channel, long_ago, long_ago, first),
        )
    db.close()


def watch(site: Site, main_pid: int, total: int) -> dict[str, object]:
    """Publish, look at everything until the last mail is out, and say what was seen."""
    seen = Seen()
    folder, web = site.folder, site.web
    published = time.monotonic()
    hidden = folder / "seeds" / ".plant.md"
    hidden.write_text(ARTICLE)
    os.utime(hidden, (time.time() - 10,) * 2)
    hidden.rename(folder / "seeds" / "plant.md")
    asked = False
    while (count := read_count(folder / "count"))["messages"] < total + asked:
        now = time.monotonic()
        assert now - published < 60 + total / 500, f"{count} of {total}"
        look(main_pid, seen.rss_kb, seen.processor_s)
        began = time.monotonic()
        get(web, "/")
        seen.pages_s.append(time.monotonic() - began)
        if not asked and count["messages"] > total / 3:
            asked = True
            threading.Thread(target=ask, args=(site.alerts,)).start()
        time.sleep(0.1)
    first, last = count["first_at"] - published, count["last_at"] - published
    pages = sorted(seen.pages_s)
    return {
        "subscribers": total,
        "file to first mail, s": round(first, 3),
        "file to last mail, s": round(last, 2),
        "mails/s, first to last": round(total / (last - first)),
        "most connections open": count["most_open"],
        "largest RSS, MiB": {name: round(size / 1024) for name, size in seen.rss_kb.items()},
        "processor s": seen.processor_s,
        "GET / ms, median and worst": [round(statistics.median(pages) * 1000), round(pages[-1] * 1000)],
        "confirmation asked to taken, s": confirmed_at(folder),
    }


def confirmed_at(folder: Path) -> float | None:
    """Say how long the confirmation took, by the ledger: owed to taken."""
    with sqlite3.connect(f"file:{folder / 'var' / 'alerts.db'}?mode=ro", uri=True) as db:
        row = db.execute(
            "SELECT (julianday(finished_at) - julianday(dated_at)) * 86400 FROM deliveries"
            " WHERE kind = 'confirmation' AND state = 'sent'"
        ).fetchone()
    db.close()
    return round(row[0], 3) if row else None


def look(main_pid: int, rss_kb: dict[str, int], processor_s: dict[str, float]) -> None:
    """Keep the largest resident size of the main process and its children, and how long they have computed."""
    children = Path(f"/proc/{main_pid}/task/{main_pid}/children").read_text().split()
    for name, pid in [("main", str(main_pid)), *((f"child {it}", it) for it in children)]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        processor_s[name] = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / 100
        size = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
        rss_kb[name] = max(rss_kb.get(name, 0), size)


def ask(alerts: list[str]) -> None:
    """Subscribe somebody who must confirm, beside all that goes on."""
    subprocess.run([*alerts, "subscribers", "add", "alice@example.org", "xiaomi"], check=True, capture_output=True)


def get(web: int, path: str) -> int:
    """Get a page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{web}{path}", timeout=60) as answer:
        answer.read()
        return int(answer.status)


def wait_ready(web: int) -> None:
    """Wait until the site answers."""
    for _ in range(600):
        try:
            get(web, "/readyz")
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(3)  # until the senders stand too
            return
    raise TimeoutError("the daemon did not become ready")


def read_count(file: Path) -> dict[str, float]:
    """Read what the sink counted."""
    try:
        counted: dict[str, float] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {"messages": 0}
    return counted


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
