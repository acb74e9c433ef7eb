"""Sending without end: a run of delivering whenever something is due; in a sender process, or the main one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from alerts.core.errors import StorageError
from alerts.daemon.outbox import Outbox
from alerts.services.deliver import Delivered

_log = structlog.get_logger(__name__)

TICK_S = 1.0  # finds what a lost poke missed
GRACE_S = 20.0  # for what is in flight when it is time to leave


class Sending:
    """Runs of delivering, one at a time."""

    def __init__(self, outbox: Outbox, *, stop: asyncio.Event, tell: Callable[[Delivered], None]) -> None:
        """``tell`` hears what each run did that did anything."""
        self._outbox = outbox
        self._stop = stop
        self._tell = tell
        self._look = asyncio.Event()

    def look(self) -> None:
        """Look at once whether something is due."""
        self._look.set()

    def rebuild(self) -> None:
        """Take relays, templates and site anew: a run that goes on keeps what it has."""
        self._outbox.rebuild()

    async def run(self) -> None:
        """Send until the stop; then give what is in flight its time, and break it off."""
        sending = asyncio.create_task(self._send_all(), name="send")
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({sending, stop}, return_when=asyncio.FIRST_COMPLETED)
            self._look.set()
            await asyncio.wait({sending}, timeout=GRACE_S)
        finally:
            stop.cancel()
            sending.cancel()
            await asyncio.gather(stop, return_exceptions=True)
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def _send_all(self) -> None:
        while not self._stop.is_set():
            self._look.clear()
            if await self._send_once():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._look.wait()

    async def _send_once(self) -> bool:
        """Do a run of delivering if something is due; return whether it is worth looking again at once."""
        try:
            if not await self._outbox.something_to_send():
                return False
            done = await self._outbox.send_due()
        except StorageError as error:
            _log.warning("sending_waits_for_database", reason=str(error))
            return False
        except Exception:  # noqa: BLE001 - whatever it was, the next look tries again: nobody else sends for this process
            _log.exception("sending_failed")
            return False
        if not done.worked:
            return False
        self._tell(done)
        _log.info("delivered", sent=done.sent, deferred=done.deferred, failed=done.failed, cancelled=done.cancelled)
        return True
