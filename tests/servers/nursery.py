"""Starts `alerts` commands in a moment: forks them from a process that has imported the product, and done nothing else.

A start by the interpreter costs two seconds of processor time, nearly all of it imports, and the tests of kills and
stops start hundreds. What is forked is a process of its own in every other way: its pid, its environment, its files,
its signals. That the product starts from nothing is proved by the tests of the wheel, the image and the units.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn, Self

FOLDERS = (str(Path(__file__).parent), str(Path(__file__).parents[2]))
LENGTH = struct.Struct(">I")
READY_WITHIN_S = 60


class Nursery:
    """The process that forks; it ends with us, for its standard input does."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process = process
        self._address = address

    @classmethod
    def open(cls) -> Self:
        path = os.pathsep.join([*FOLDERS, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [sys.executable, "-c", "import nursery; nursery.serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert process.stdout is not None
        return cls(process, process.stdout.readline().decode().strip())

    def start(
        self,
        arguments: Sequence[str],
        *,
        out: IO[bytes],
        err: IO[bytes],
        environ: Mapping[str, str],
        folder: Path | None = None,
    ) -> Started:
        """Start `alerts` with these arguments, and nothing on its standard input."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(READY_WITHIN_S)
        line.connect("\0" + self._address)
        job = json.dumps({"arguments": list(arguments), "environ": dict(environ), "folder": str(folder or Path.cwd())})
        socket.send_fds(line, [LENGTH.pack(len(job.encode()))], [out.fileno(), err.fileno()])
        line.sendall(job.encode())
        return Started(line, ["alerts", *arguments])


@cache
def nursery() -> Nursery:
    """Give the one of this test process."""
    return Nursery.open()


class Started:
    """A process that was started, to be asked as a ``Popen`` is."""

    def __init__(self, line: socket.socket, command: Sequence[str]) -> None:
        self._line = line
        self._command = command
        self.returncode: int | None = None
        self.pid = int(self._read())

    def _read(self) -> str:
        said = b""
        while not said.endswith(b"\n"):
            piece = self._line.recv(1)
            assert piece, "the nursery has ended"
            said += piece
        return said.decode()

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code, or the signal that ended it as a negative number."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._read())
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired(self._command, timeout or 0) from error
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def serve() -> None:
    """Import the product and fork commands until standard input ends."""
    gc.disable()
    _import_everything()
    gc.freeze()
    door = socket.socket(socket.AF_UNIX)
    address = f"alerts-nursery-{os.getpid()}-{time.monotonic_ns()}"
    door.bind("\0" + address)
    door.listen(64)
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    sys.stdout.write(address + "\n")
    sys.stdout.flush()
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for ready in (sys.stdin.buffer, door, woken):
            selector.register(ready, selectors.EVENT_READ, ready)
        while True:
            for key, _ in selector.select():
                if key.data is sys.stdin.buffer:
                    return
                if key.data is door:
                    pid, line = _fork_one(door)
                    lines[pid] = line
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
            _tell_ends(lines)


def _import_everything() -> None:
    """Import each module but those that do something when they are imported."""
    alerts = import_module("alerts")
    for found in pkgutil.walk_packages(alerts.__path__, "alerts."):
        if not found.name.endswith("__main__") and ".versions" not in found.name:
            import_module(found.name)


def _fork_one(door: socket.socket) -> tuple[int, socket.socket]:
    line, _ = door.accept()
    length, files, _, _ = socket.recv_fds(line, LENGTH.size, 2)
    wanted = b""
    while len(wanted) < LENGTH.unpack(length)[0]:
        wanted += line.recv(65536)
    job = json.loads(wanted)
    pid = os.fork()
    if pid == 0:
        _become(job, files)
    for one in files:
        os.close(one)
    line.sendall(f"{pid}\n".encode())
    return pid, line


def _tell_ends(lines: dict[int, socket.socket]) -> None:
    """Tell whoever started them which children have ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            line = lines.pop(ended[0])
            with contextlib.suppress(OSError):  # nobody asks any more
                line.sendall(f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())
            line.close()


def _become(job: Mapping[str, object], files: Sequence[int]) -> NoReturn:
    """Be the command: with its files, environment, folder and signals, and nothing of ours left open."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in enumerate((nothing, *files)):
            os.dup2(file, number)
        os.closerange(3, 256)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as it lives
            for number, mode in enumerate(("r", "w", "w"))
        )
        environ = job["environ"]
        assert isinstance(environ, dict)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(str(job["folder"]))
        arguments = job["arguments"]
        assert isinstance(arguments, list)
        sys.argv = ["alerts", *arguments]
        gc.enable()
        code = import_module("alerts.cli").main()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        # What the interpreter does at its end, as far as it concerns the product.
        threading._shutdown()  # type: ignore[attr-defined]
        os._exit(code)
