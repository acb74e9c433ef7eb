"""An installation to measure: `alerts run` with its senders, on SQLite, with as many readers as asked for.

Everything goes the way it goes in earnest: an article's file falls into the folder, is read, matched, fanned out, sent.
Only the readers are written by bulk SQL, as an import of long ago would have left them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from processes import cpu_s, tree
from sinks import RunningSink, free_port

from alerts.services.subscribe import subscribe
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets

_CONFIG = """\
site:
  name: EV Daily
  url: http://127.0.0.1:{web}
  postal_address: 1 Harbour Street, Springfield
web:
  listen: 127.0.0.1:{web}
mail:
  sender: alerts@daily.example
  relays:
{relays}
sources:
  - folder: seeds
channels:
{channels}
"""
_RELAY = """\
    - url: smtp://127.0.0.1:{port}
      tls: none
      connections: {connections}
      messages_per_connection: 1000
"""
_CHANNEL = "  - {{slug: {slug}, name: {slug}, query: 'tag:{slug}'}}\n"
_ARTICLE = """\
---
title: Xiaomi opens its second car plant in Beijing, part {number}
tags: [{slug}]
---
Xiaomi has begun to build cars in the second phase of its plant in the south of Beijing, the company said on Monday.

The plant adds to what Xiaomi can build in a year. Buyers of its sport utility vehicle have waited for up to a year
since orders opened, and the company said that it hopes to bring that below half a year by the autumn ({number}).

Analysts expect that the second phase brings the plant to some three hundred thousand vehicles a year.
"""
_LONG_AGO = "2025-01-01 00:00:00.000000"
_READY_WITHIN_S = 60.0
_SLOWEST = 100  # mails a second; below that something is broken, not slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One article's way to all its readers."""

    readers: int
    seconds: float  # from the article's row to the last outcome's row, as another process sees them
    first_mail_s: float  # from the article's row to the first mail that a sink took
    confirmation_s: float | None  # from owed to taken, asked for in the middle
    cpu_s: float  # of the main process and the senders

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.readers / self.seconds


class Installation:
    """Use it as a context: the daemon runs in it."""

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[RunningSink],
        *,
        connections: int,
        channels: Mapping[str, int],
        senders: int | None = None,
    ) -> None:
        self._options = [] if senders is None else ["--senders", str(senders)]
        self._folder = folder
        self._readers = channels
        self._web = free_port()
        self._published = 0
        (folder / "seeds").mkdir()
        relays = "".join(_RELAY.format(port=sink.port, connections=connections) for sink in sinks)
        slugs = "".join(_CHANNEL.format(slug=slug) for slug in channels)
        self._config = folder / "config.yaml"
        self._config.write_text(_CONFIG.format(web=self._web, relays=relays.rstrip(), channels=slugs), encoding="utf-8")
        self._daemon: subprocess.Popen[bytes] | None = None
        self._db: Database | None = None

    @property
    def config(self) -> Path:
        """The config file."""
        return self._config

    @property
    def database(self) -> Path:
        """The ledger's file."""
        return self._folder / "var" / "alerts.db"

    def prepare(self) -> None:
        """Make the ledger and write the readers."""
        subprocess.run(self._command("run", "--once"), check=True, capture_output=True)
        with closing(sqlite3.connect(self.database)) as db, db:
            for slug, readers in self._readers.items():
                _subscribe(db, slug, readers)

    def example(self, slug: str) -> bytes:
        """Compose the mail that a reader of this channel would get."""
        article, mail = self._folder / "example.md", self._folder / "example.eml"
        article.write_text(_ARTICLE.format(slug=slug, number=0), encoding="utf-8")
        command = self._command("mail", "preview", str(article), slug, "--eml", str(mail))
        subprocess.run(command, check=True, capture_output=True)
        return mail.read_bytes()

    def publish(self, slug: str) -> str:
        """Drop an article's file, finished ten seconds ago; return its title."""
        self._published += 1
        text = _ARTICLE.format(slug=slug, number=self._published)
        hidden = self._folder / "seeds" / f".{self._published}.md"
        hidden.write_text(text, encoding="utf-8")
        os.utime(hidden, (time.time() - 10,) * 2)
        hidden.rename(self._folder / "seeds" / f"{self._published}.md")
        return text.splitlines()[1].removeprefix("title: ")

    async def deliver(self, slug: str) -> Run:
        """Publish an article, ask for a confirmation in the middle, wait for the last outcome."""
        assert self._daemon is not None
        readers = self._readers[slug]
        used = cpu_s(tree(self._daemon.pid))
        title = self.publish(slug)
        until = time.monotonic() + 30 + readers / _SLOWEST
        asked: int | None = None
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, isolation_level=None)) as db:
            while (article := _row(db, "SELECT id, first_seen_at FROM articles WHERE title = ?", title)) is None:
                await _wait(0.005, until)
            while not _finished(db, article[0]):
                if asked is None and _row(db, _SENT_YET, article[0]):
                    asked = await self._ask()
                await _wait(0.01, until)
            ended = datetime.now(UTC)
            while asked and not _row(db, "SELECT 1 FROM deliveries WHERE id = ? AND finished_at IS NOT NULL", asked):
                await _wait(0.01, until)
            sent, first = _row(db, _COUNT, article[0]) or (0, "")
            taken = _row(db, "SELECT dated_at, finished_at FROM deliveries WHERE id = ?", asked) if asked else None
        if sent != readers:
            raise SystemExit(f"{sent} of {readers} mails were sent; the log is {self._folder}/log")
        began = _time(article[1])
        return Run(
            readers=readers,
            seconds=(ended - began).total_seconds(),
            first_mail_s=(_time(first) - began).total_seconds(),
            confirmation_s=(_time(taken[1]) - _time(taken[0])).total_seconds() if taken else None,
            cpu_s=cpu_s(tree(self._daemon.pid)) - used,
        )

    async def _ask(self) -> int:
        """Have somebody new ask for a channel, as the site's form would; return the delivery of the confirmation."""
        assert self._db is not None
        async with self._db.reading() as tx:
            known = await load_secrets(tx)
        await subscribe(
            self._db,
            address=f"alice{self._published}@example.org",
            slugs=[next(iter(self._readers))],
            frequency=None,
            confirmed=False,
            now=datetime.now(UTC),
            secrets=known,
            salt=secrets.token_bytes(16),
        )
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            found = _row(db, "SELECT max(id) FROM deliveries WHERE kind = 'confirmation'")
        assert found is not None
        return int(found[0])

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "alerts", "--config", str(self._config), *arguments]

    async def __aenter__(self) -> Self:
        self._db = await Database.open(f"sqlite:///{self.database}")
        self._start()
        until = time.monotonic() + _READY_WITHIN_S
        while not await asyncio.to_thread(self._is_ready):
            await _wait(0.05, until)
        return self

    def _start(self) -> None:
        with (self._folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                self._command("run", *self._options), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _is_ready(self) -> bool:
        """Whether the site answers and the senders have joined."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self._web}/readyz", timeout=5) as _:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
                (workers,) = db.execute("SELECT count(*) FROM workers").fetchone()
            assert self._daemon is not None
            return bool(workers >= len(tree(self._daemon.pid)) > 1)
        return False

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._daemon.wait, 40)
        if self._db is not None:
            await self._db.close()


_COUNT = "SELECT count(*), min(finished_at) FROM deliveries WHERE article_id = ? AND state = 'sent'"
_SENT_YET = "SELECT 1 FROM deliveries WHERE article_id = ? AND finished_at IS NOT NULL LIMIT 1"
# Each on the index of what waits: whoever measures must not cost what is measured.
_PENDING = "SELECT 1 FROM deliveries WHERE state = 'pending' AND +article_id = ? LIMIT 1"
_CLAIMED = "SELECT 1 FROM deliveries WHERE state = 'claimed' AND +article_id = ? LIMIT 1"
_FANNED_OUT = "SELECT 1 FROM fan_outs WHERE article_id = ? AND finished_at IS NOT NULL"


def _finished(db: sqlite3.Connection, article_id: int) -> bool:
    if _row(db, _FANNED_OUT, article_id) is None:
        return False
    return _row(db, _PENDING, article_id) is None and _row(db, _CLAIMED, article_id) is None


def _row(db: sqlite3.Connection, question: str, *values: object) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = db.execute(question, values).fetchone()
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def _wait(seconds: float, until: float) -> None:
    if time.monotonic() > until:
        raise SystemExit("it took too long; the daemon's log is in the installation's folder")
    await asyncio.sleep(seconds)


def _subscribe(db: sqlite3.Connection, slug: str, readers: int) -> None:
    (channel,) = db.execute("SELECT id FROM channels WHERE slug = ?", (slug,)).fetchone()
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM subscribers").fetchone()
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?),"
        " reader(id, email) AS (SELECT i, 'reader' || i || '@d' || (i % 997) || '.example' FROM n)"
        " INSERT INTO subscribers (id, email, email_key, domain, state, created_at, confirmed_at)"
        " SELECT id, email, email, 'd' || (id % 997) || '.example', 'active', ?, ? FROM reader",
        (last + 1, last + readers, _LONG_AGO, _LONG_AGO),
    )
    db.execute(
        "INSERT INTO subscriptions (subscriber_id, channel_id, state, frequency, created_at, activated_at)"
        " SELECT id, ?, 'active', 'immediate', ?, ? FROM subscribers WHERE id > ?",
        (channel, _LONG_AGO, _LONG_AGO, last),
    )
