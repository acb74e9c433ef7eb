"""Starts SMTP sinks for a bench: Postfix's ``smtp-sink`` where it is installed, else our own; both on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OURS = Path(__file__).with_name("sink.py")
_READY_WITHIN_S = 10


@dataclass(frozen=True, slots=True)
class RunningSink:
    """A sink that listens."""

    name: str  # which program it is
    port: int
    pid: int


def postfix_tool(name: str) -> str | None:
    """Find one of Postfix's test programs, which live outside most people's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def sinks(count: int, *, ours: bool = False) -> Iterator[list[RunningSink]]:
    """Run ``count`` sinks, a process each; ``ours`` leaves Postfix's alone."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_sink(ours=ours)) for _ in range(count)]


@contextlib.contextmanager
def _sink(*, ours: bool) -> Iterator[RunningSink]:
    postfix = None if ours else postfix_tool("smtp-sink")
    if postfix:
        port = free_port()
        command = [postfix, *(["-u", "nobody"] if os.geteuid() == 0 else []), f"127.0.0.1:{port}", "1024"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    else:
        process = subprocess.Popen([sys.executable, str(OURS), "--port", "0"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        port = int(process.stdout.readline())
    try:
        _wait_until_it_listens(port)
        yield RunningSink("smtp-sink" if postfix else "bench/sink.py", port, process.pid)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_it_listens(port: int) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
