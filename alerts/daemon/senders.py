"""The sender processes beside the main one: started, poked, replaced when they die, ended with it.

A sender lives with one config. A changed config gets new senders once the old ones have left, so that no relay ever
sees more connections than the config in force allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import structlog

from alerts.app import App
from alerts.config import Config
from alerts.core.errors import StorageError
from alerts.daemon.control import POKE, introduced, read_count
from alerts.daemon.shares import shares
from alerts.daemon.worker import bury_the_gone
from alerts.services.maintain import rescue

_log = structlog.get_logger(__name__)

LEAVE_S = 28.0  # a sender that has not left so long after it was told is killed
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_STEADY_S = 20.0  # who lived so long did not die of its start
_MOST_UNREAD = 4_096  # pokes that a sender has not read: more say nothing new


class Senders:
    """Use between ``start`` and ``stop``; ``look`` pokes them all."""

    def __init__(self, app: App, command: Sequence[str], *, wanted: int, node: str) -> None:
        self._app = app
        self._command = command
        self._wanted = wanted
        self._node = node
        self._config = app.config
        self._running: dict[int, Process] = {}  # by place
        self._keepers: list[asyncio.Task[None]] = []
        self._leaving = asyncio.Event()
        self._renewing = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [process.pid for process in self._running.values()]

    def start(self) -> None:
        """Start the senders of the config in force."""
        self._config = self._app.config
        self._leaving = asyncio.Event()
        self._keepers = [
            asyncio.create_task(self._keep(place, share), name=f"sender {place}")
            for place, share in enumerate(shares(self._config, self._wanted))
        ]

    async def stop(self) -> None:
        """Tell every sender to finish what is in flight and leave; return when none is left."""
        self._stopped = True
        async with self._renewing:
            await self._end()
        if self._renewal is not None:
            await asyncio.gather(self._renewal, return_exceptions=True)

    def rebuild(self) -> None:
        """Replace the senders by ones with the config that is now in force."""
        self._renewal = asyncio.create_task(self._renew(), name="renew senders")

    def look(self) -> None:
        """Poke them all; what they do is counted when they tell."""
        for process in list(self._running.values()):
            pipe = process.stdin
            if pipe is not None and not pipe.is_closing() and pipe.transport.get_write_buffer_size() < _MOST_UNREAD:
                pipe.write(POKE)

    async def _renew(self) -> None:
        async with self._renewing:
            if self._stopped or self._app.config == self._config:
                return
            await self._end()
            self.start()

    async def _end(self) -> None:
        self._leaving.set()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []

    async def _keep(self, place: int, share: Config) -> None:
        """Keep one place filled: a sender that dies is replaced, ever more slowly if it dies young."""
        pause_s = _FIRST_PAUSE_S
        while not self._leaving.is_set():
            began = time.monotonic()
            code = await self._run(place, share)
            if self._leaving.is_set():
                return
            _log.warning("sender_died", place=place, code=code)
            await self._take_back()
            pause_s = _FIRST_PAUSE_S if time.monotonic() - began > _STEADY_S else min(pause_s * 2, _LONGEST_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._leaving.wait()

    async def _run(self, place: int, share: Config) -> int:
        """Run one sender to its end; return its exit code."""
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        except OSError as error:
            _log.error("sender_not_started", place=place, reason=str(error))
            return -1
        self._running[place] = process
        leaver = asyncio.create_task(self._see_off(process), name=f"see off sender {place}")
        try:
            if process.stdin is not None:
                process.stdin.write(introduced(share, self._node))
            await self._hear(process)
            return await process.wait()
        finally:
            del self._running[place]
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            _kill(process)

    async def _see_off(self, process: Process) -> None:
        """Once it is time to leave, say so, and do not wait for ever."""
        await self._leaving.wait()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if process.stdin is not None:
            process.stdin.close()
        await asyncio.sleep(LEAVE_S)
        _log.error("sender_killed", pid=process.pid, after_s=LEAVE_S)
        _kill(process)

    async def _hear(self, process: Process) -> None:
        """Count what a sender says that it did, until it says no more."""
        if process.stdout is None:
            return
        async for line in process.stdout:
            try:
                done = read_count(line)
            except (ValueError, TypeError):
                _log.warning("sender_not_understood", said=line.decode("utf-8", "replace")[:200])
                continue
            self._app.metrics.delivered(
                sent=done.sent, deferred=done.deferred, failed=done.failed, cancelled=done.cancelled
            )

    async def _take_back(self) -> None:
        """Take back at once what a dead sender had claimed; where the ledger is away, maintenance does it later."""
        try:
            await bury_the_gone(self._app.db)
            _, rescued = await rescue(self._app.db, now=self._app.clock())
        except StorageError as error:
            _log.warning("claims_not_rescued_yet", reason=str(error))
            return
        self._app.metrics.rescued(rescued)
        if rescued:
            _log.info("claims_rescued", claims=rescued, workers=1)
            self.look()


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
