"""The product as an operator runs it: a folder with a config, the `alerts` command, a daemon that can be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, Self

from nursery import Started, nursery

CONFIG = """\
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
  - slug: xiaomi
    name: Xiaomi
    query: 'tag:Xiaomi OR about:Xiaomi'
  - slug: tesla
    name: Tesla
    query: 'about:Tesla'
"""

CATCHER = "    - url: catcher:\n"


def relay_at(port: int, *, connections: int = 4) -> str:
    """Write the config of a relay on loopback."""
    return f"    - url: smtp://127.0.0.1:{port}\n      tls: none\n      connections: {connections}\n"


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(true: Callable[[], bool], *, within_s: float, what: str) -> float:
    """Wait until something holds; return how long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def own_environment() -> dict[str, str]:
    """Give this process's environment without what would tell the product, or Python, to work otherwise."""
    left_out = ("ALERTS_", "PYTHONDONTWRITEBYTECODE")  # without byte code every start takes a second longer
    return {key: value for key, value in os.environ.items() if not key.startswith(left_out)}


@dataclass(slots=True)
class Site:
    """A folder that holds one installation."""

    folder: Path
    relays: str = CATCHER
    database: str = "sqlite:///var/alerts.db"
    web: int = field(default_factory=free_port)
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seeds.mkdir(parents=True, exist_ok=True)
        self.write_config()

    @property
    def seeds(self) -> Path:
        return self.folder / "seeds"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write_config(self) -> None:
        text = CONFIG.format(web=self.web, database=self.database, relays=self.relays.rstrip("\n"))
        self.config.write_text(text, encoding="utf-8")

    def start(self, *arguments: str, out: IO[bytes], err: IO[bytes]) -> Started:
        """Start an `alerts` command."""
        environ = {**own_environment(), **self.environ}
        return nursery().start(["--config", str(self.config), *arguments], out=out, err=err, environ=environ)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an `alerts` command to its end."""
        with TemporaryFile() as out, TemporaryFile() as err:
            code = self.start(*arguments, out=out, err=err).wait(100)
            said = [os.pread(file.fileno(), 1 << 26, 0).decode() for file in (out, err)]
        assert not check or code == 0, said[1]
        return subprocess.CompletedProcess(["alerts", *arguments], code, *said)

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON, and read it."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def daemon(self, *, senders: int = 1) -> Daemon:
        return Daemon(self, senders)

    def get(self, path: str) -> tuple[int, bytes]:
        """Get a page."""
        with suppress(ConnectionError, TimeoutError):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=5) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()
            except urllib.error.URLError:
                pass
        return 0, b""

    def subscribe(self, addresses: Sequence[str], *, channel: str = "xiaomi") -> None:
        """Import confirmed subscribers."""
        csv = self.folder / "readers.csv"
        csv.write_text("email\n" + "\n".join(addresses) + "\n", encoding="utf-8")
        self.run("subscribers", "import", str(csv), "--channel", channel, "--confirmed")

    def publish(self, name: str, text: str) -> None:
        """Put an article into the seed folder, as a publisher's script would."""
        (self.seeds / name).write_text(text, encoding="utf-8")


class Daemon:
    """`alerts run` as a process; use it as ``with site.daemon() as daemon``."""

    def __init__(self, site: Site, senders: int) -> None:
        self._site = site
        self._senders = senders
        self._log = site.folder / "daemon.log"
        self._process: Started | None = None

    def start(self) -> Self:
        with self._log.open("ab") as log:
            self._process = self._site.start("run", "--senders", str(self._senders), out=log, err=log)
        try:
            wait_until(self._is_ready, within_s=60, what="the daemon is ready")
        except BaseException:
            self.kill()  # else it would live on, with nobody who knows of it
            raise
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"the daemon ended:\n{self.log()[-3000:]}"
        return self._site.get("/readyz")[0] == 200

    @property
    def process(self) -> Started:
        assert self._process is not None
        return self._process

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, *, within_s: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.terminate()


def article(title: str = "Xiaomi opens its second car plant in Beijing") -> str:
    """Write an article about Xiaomi in the page-text shape."""
    return f"""{title}

  • Xiaomi said on Monday that the second phase of its car plant has begun to build vehicles.
  • The company wants to shorten the waiting time for its SUV.
{title}
(Xiaomi's plant. Image credit: Xiaomi)

Xiaomi (HKG: 1810) has begun to build cars in the second phase of its plant in the south of Beijing, the company said.

The plant adds to what Xiaomi can build in a year, and Xiaomi hopes that buyers of its SUV will wait less.
Jan 5, 2026
Xiaomi News Alert
Subscribe to receive email notifications immediately when new articles about Xiaomi are published.
Xiaomi
View more channels
"""
