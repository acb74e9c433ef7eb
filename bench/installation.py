"""An installation to measure, with as many readers as asked for: `alerts run` on SQLite, or its nodes on PostgreSQL.

Everything goes the way it goes in earnest: an article's file falls into the folder, is read, matched, fanned out, sent.
Only the readers are written by bulk SQL, as an import of long ago would have left them.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from ledgers import Ledger, time_of
from processes import cpu_s, tree
from sinks import RunningSink, free_port

from alerts.app import App
from alerts.config import load_config
from alerts.daemon.polling import Polling
from alerts.services.subscribe import subscribe
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets

_CONFIG = """\
site:
  name: EV Daily
  url: http://127.0.0.1:{web}
  postal_address: 1 Harbour Street, Springfield
database: {database}
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
_LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
_READY_WITHIN_S = 60.0
_TOLD_WITHIN_S = 10.0  # a sender says what it sent a moment after its last mail
_OFTEN_S, _SELDOM_S = 0.01, 0.05  # between two looks: a look costs PostgreSQL a thousandth of a second
_SLOWEST = 100  # mails a second; below that something is broken, not slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One article's way to all its readers."""

    readers: int
    seconds: float  # from the article's row to the last outcome's row, as another process sees them
    first_mail_s: float  # from the article's row to the first mail that a sink took
    confirmation_s: float | None  # from owed to taken, asked for in the middle
    cpu_s: float  # of the main processes and the senders
    server_cpu_s: float  # of the database's server, if it has one
    shares: tuple[int, ...]  # mails that each node sent

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.readers / self.seconds


@dataclass(slots=True)
class _Node:
    """One `alerts run`, on a port of its own."""

    name: str
    log: Path
    web: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> list[int]:
        """The main process and what lives below it."""
        return tree(self.process.pid) if self.process is not None else []

    def start(self, command: Sequence[str]) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--node", self.name],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "ALERTS_WEB__LISTEN": f"127.0.0.1:{self.web}"},
            )

    def is_ready(self) -> bool:
        """Whether its site answers."""
        if self.process is None or self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended; its log is {self.log}")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.web}/readyz", timeout=5):
            return True
        return False

    def leave(self) -> None:
        """Ask it to stop."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until it has stopped, and not for ever."""
        if self.process is None:
            return
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def sent(self) -> int:
        """Count the mails that its senders ever told of."""
        return sum(map(int, re.findall(rb"event=delivered sent=(\d+)", self.log.read_bytes())))


class Installation:
    """Use it as a context, as often as you like: its nodes run in it.

    ``connections`` are those of each node to each sink, ``senders`` those of each node. More nodes than one need
    ``url``, a ledger on PostgreSQL; ``server`` is the process that serves it.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[RunningSink],
        *,
        connections: int,
        channels: Mapping[str, int],
        senders: int | None = None,
        nodes: int = 1,
        url: str | None = None,
        server: int | None = None,
    ) -> None:
        self._senders = senders
        self._folder = folder
        self._readers = channels
        self._url = url or f"sqlite:///{folder}/var/alerts.db"
        self._server = server
        self._published = 0
        (folder / "seeds").mkdir(parents=True)
        self._nodes = [_Node(f"node{number}", folder / f"node{number}.log") for number in range(1, nodes + 1)]
        relays = "".join(_RELAY.format(port=sink.port, connections=connections) for sink in sinks)
        slugs = "".join(_CHANNEL.format(slug=slug) for slug in channels)
        self._config = folder / "config.yaml"
        text = _CONFIG.format(database=self._url, web=self._nodes[0].web, relays=relays.rstrip(), channels=slugs)
        self._config.write_text(text, encoding="utf-8")
        self._db: Database | None = None
        self._ledger: Ledger | None = None

    @property
    def config(self) -> Path:
        """The config file."""
        return self._config

    async def prepare(self) -> None:
        """Make the ledger, poll the empty folder, write the readers."""
        config = load_config(self._config, os.environ)
        async with await App.open(config) as app, Polling.open(app) as polling:
            for source in await polling.all():
                await polling.poll(source.id, once=True)
        with Ledger(self._url) as ledger:
            for slug, readers in self._readers.items():
                subscribe_many(ledger, slug, readers)

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
        ledger = self._ledger
        assert ledger is not None
        readers = self._readers[slug]
        told, used, served = [node.sent() for node in self._nodes], self._cpu_s(), self._server_cpu_s(ledger)
        title = self.publish(slug)
        until = time.monotonic() + 30 + readers / _SLOWEST
        asked: int | None = None
        while (article := ledger.row("SELECT id, first_seen_at FROM articles WHERE title = ?", title)) is None:
            await _wait(0.005, until)
        while left := _left(ledger, article[0]):
            if asked is None and ledger.row(_SENT_YET, article[0]):
                asked = await self._ask(ledger)
            await _wait(_SELDOM_S if asked and left != _CLAIMED else _OFTEN_S, until)
        ended = datetime.now(UTC)
        while asked and not ledger.row("SELECT 1 FROM deliveries WHERE id = ? AND finished_at IS NOT NULL", asked):
            await _wait(0.01, until)
        used, served = self._cpu_s() - used, self._server_cpu_s(ledger) - served
        sent, first = ledger.row(_COUNT, article[0]) or (0, "")
        taken = ledger.row("SELECT dated_at, finished_at FROM deliveries WHERE id = ?", asked) if asked else None
        if sent != readers:
            raise SystemExit(f"{sent} of {readers} mails were sent; the logs are in {self._folder}")
        began = time_of(article[1])
        return Run(
            readers=readers,
            seconds=(ended - began).total_seconds(),
            first_mail_s=(time_of(first) - began).total_seconds(),
            confirmation_s=(time_of(taken[1]) - time_of(taken[0])).total_seconds() if taken else None,
            cpu_s=used,
            server_cpu_s=served,
            shares=await self._shares(told, sent + bool(asked)),
        )

    def rest(self) -> None:
        """Leave the ledger as it is after a quiet hour: nothing waits, and PostgreSQL's statistics say so."""
        assert self._ledger is not None
        self._ledger.rest("deliveries")

    def complaints(self) -> list[str]:
        """Return the lines of the nodes' logs that are more than news."""
        found = []
        for node in self._nodes:
            lines = node.log.read_text(encoding="utf-8", errors="replace").splitlines()
            found += [f"{node.name}: {line[:300]}" for line in lines if not re.search(r"\blevel=(info|debug)\b", line)]
        return found

    def _cpu_s(self) -> float:
        return sum(cpu_s(node.pids) for node in self._nodes)

    def _server_cpu_s(self, ledger: Ledger) -> float:
        """Sum what the database's server used, but for us."""
        if self._server is None or ledger.pid is None:
            return 0.0
        return cpu_s(tree(self._server)) - cpu_s([ledger.pid])

    async def _shares(self, told: Sequence[int], sent: int) -> tuple[int, ...]:
        """Wait until the nodes have told of so many mails, and say how many each did."""
        if len(self._nodes) == 1:
            return (sent,)
        until = time.monotonic() + _TOLD_WITHIN_S
        while True:
            shares = tuple(node.sent() - before for node, before in zip(self._nodes, told, strict=True))
            if sum(shares) >= sent:
                return shares
            await _wait(0.05, until)

    async def _ask(self, ledger: Ledger) -> int:
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
        found = ledger.row("SELECT max(id) FROM deliveries WHERE kind = 'confirmation'")
        assert found is not None
        return int(found[0])

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "alerts", "--config", str(self._config), *arguments]

    async def __aenter__(self) -> Self:
        try:
            self._db = await Database.open(self._url)
            self._ledger = Ledger(self._url)
            senders = [] if self._senders is None else ["--senders", str(self._senders)]
            for node in self._nodes:
                node.start(self._command("run", *senders))
            until = time.monotonic() + _READY_WITHIN_S
            while not await asyncio.to_thread(self._is_ready):
                await _wait(0.05, until)
        except BaseException:
            await self._stop()
            raise
        return self

    def _is_ready(self) -> bool:
        """Whether every site answers and all senders have joined."""
        if not all(node.is_ready() for node in self._nodes):
            return False
        with Ledger(self._url) as ledger:
            (workers,) = ledger.row("SELECT count(*) FROM workers") or (0,)
        running = [len(node.pids) for node in self._nodes]
        return bool(workers >= sum(running) and min(running) > (1 if self._senders is None else self._senders))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for node in self._nodes:
            node.leave()
        for node in self._nodes:
            await asyncio.to_thread(node.wait)
        if self._ledger is not None:
            self._ledger.close()
        if self._db is not None:
            await self._db.close()


_COUNT = "SELECT count(*), min(finished_at) FROM deliveries WHERE article_id = ? AND state = 'sent'"
_SENT_YET = "SELECT 1 FROM deliveries WHERE article_id = ? AND finished_at IS NOT NULL LIMIT 1"
# Each on the index of what waits: whoever measures must not cost what is measured.
_PENDING = "SELECT 1 FROM deliveries WHERE state = 'pending' AND +article_id = ? LIMIT 1"
_CLAIMED = "SELECT 1 FROM deliveries WHERE state = 'claimed' AND +article_id = ? LIMIT 1"
_FANNED_OUT = "SELECT 1 FROM fan_outs WHERE article_id = ? AND finished_at IS NOT NULL"


def _left(ledger: Ledger, article_id: int) -> str:
    """Say which question shows that not all is sent; none if it is."""
    if ledger.row(_FANNED_OUT, article_id) is None:
        return _FANNED_OUT
    return next((question for question in (_PENDING, _CLAIMED) if ledger.row(question, article_id)), "")


async def _wait(seconds: float, until: float) -> None:
    if time.monotonic() > until:
        raise SystemExit("it took too long; the daemon's log is in the installation's folder")
    await asyncio.sleep(seconds)


def subscribe_many(ledger: Ledger, slug: str, readers: int) -> None:
    """Write readers of a channel, active since long ago."""
    (channel,) = ledger.row("SELECT id FROM channels WHERE slug = ?", slug) or (None,)
    (last,) = ledger.row("SELECT coalesce(max(id), 0) FROM subscribers") or (0,)
    ledger.do(
        "WITH RECURSIVE n(i) AS (SELECT CAST(? AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO subscribers (email, email_key, domain, state, created_at, confirmed_at)"
        " SELECT 'reader' || i || '@d' || (i % 997) || '.example', 'reader' || i || '@d' || (i % 997) || '.example',"
        " 'd' || (i % 997) || '.example', 'active', ?, ? FROM n",
        last + 1,
        last + readers,
        _LONG_AGO,
        _LONG_AGO,
    )
    ledger.do(
        "INSERT INTO subscriptions (subscriber_id, channel_id, state, frequency, created_at, activated_at)"
        " SELECT id, ?, 'active', 'immediate', ?, ? FROM subscribers WHERE id > ?",
        channel,
        _LONG_AGO,
        _LONG_AGO,
        last,
    )
    ledger.rest("subscribers", "subscriptions")
