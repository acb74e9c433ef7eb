"""Several nodes of one installation, as processes on this machine: one config, one PostgreSQL, a port each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from daemon import Site, free_port, own_environment, wait_until
from nursery import Started, nursery


@dataclass(eq=False)
class Node:
    """`alerts run` under a name of its own; ``folder`` is where the code lies, if not where it is installed."""

    site: Site
    name: str
    senders: int = 1
    roles: str = ""
    folder: Path | None = None
    web: int = field(default_factory=free_port)
    _process: Started | subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        return self.site.folder / f"{self.name}.log"

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    @property
    def process(self) -> Started | subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> Self:
        """Start it, and do not wait."""
        roles = ["--role", self.roles] if self.roles else []
        command = [
            "--config",
            str(self.site.config),
            "run",
            "--node",
            self.name,
            "--senders",
            str(self.senders),
            *roles,
        ]
        environ = {**own_environment(), "ALERTS_WEB__LISTEN": f"127.0.0.1:{self.web}"}
        with self.log_file.open("ab") as log:
            if self.folder is None:
                self._process = nursery().start(command, out=log, err=log, environ=environ)
            else:  # other code: it has to be imported
                whole, nothing = [sys.executable, "-m", "alerts", *command], subprocess.DEVNULL
                self._process = subprocess.Popen(
                    whole, stdout=log, stderr=log, stdin=nothing, env=environ, cwd=self.folder
                )
        return self

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def get(self, path: str) -> int:
        """Get a page; return its status, 0 for no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except (OSError, TimeoutError):
            return 0

    def wait_until_ready(self) -> Self:
        wait_until(self._is_ready, within_s=60, what=f"{self.name} is ready; log:\n{self.log()[-3000:]}")
        return self

    def _is_ready(self) -> bool:
        assert self.is_alive(), f"{self.name} ended:\n{self.log()[-3000:]}"
        return self.get("/readyz") == 200 and self.log().count("event=sender_started") >= self.senders

    def sender_pids(self) -> list[int]:
        """Find its sender processes."""
        pid = self.process.pid
        with suppress(OSError):
            found = [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            return [it for it in found if "send-worker" in _command_of(it)]
        return []

    def kill(self) -> None:
        """End all of its processes as a power cut does."""
        senders = self.sender_pids()
        self.process.send_signal(signal.SIGKILL)
        for pid in senders:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, *, within_s: float = 40) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def sent(self) -> int:
        """Count the mails that its senders say they sent."""
        return sum(map(int, re.findall(r"event=delivered sent=(\d+)", self.log())))


@dataclass
class Cluster:
    """Nodes that end with the block."""

    site: Site
    url: str
    nodes: list[Node]

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_until_ready()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            if node.is_alive():
                for pid in (node.process.pid, *node.sender_pids()):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                node.process.send_signal(signal.SIGTERM)
        for node in self.nodes:
            if node.is_alive():
                try:
                    node.process.wait(40)
                except subprocess.TimeoutExpired:
                    node.kill()

    def ask(self, question: str) -> list[tuple[object, ...]]:
        """Ask the ledger."""
        with psycopg.connect(self.url) as ledger:
            return list(ledger.execute(question.encode()).fetchall())

    def scheduler(self) -> Node | None:
        """Name the node that schedules."""
        holder = "SELECT workers.name FROM leases JOIN workers ON workers.id = leases.holder"
        names = [name for (name,) in self.ask(holder)]
        return next((node for node in self.nodes if node.name in names), None)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
