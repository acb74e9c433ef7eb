"""One sender process: claims its own rows, sends over its share of the connections, and leaves when its parent does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from alerts.app import App
from alerts.core.errors import StorageError
from alerts.daemon.control import Control
from alerts.daemon.outbox import Outbox
from alerts.daemon.owned import owned
from alerts.daemon.worker import Worker

_log = structlog.get_logger(__name__)

TICK_S = 1.0  # finds what a lost poke missed
GRACE_S = 20.0  # for what is in flight when it is time to leave
_TOO_LATE_S = 27.0  # then the process ends, whatever hangs


@dataclass(slots=True)
class _Asked:
    """What this sender was asked for: to leave, to look."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    look: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self) -> None:
        """Ask to finish what is in flight and leave; the process ends within 30 s, whatever hangs."""
        if not self.stop.is_set():
            self.stop.set()
            self.look.set()
            asyncio.get_running_loop().call_later(_TOO_LATE_S, os._exit, 1)


async def run_sender() -> None:
    """Send until SIGTERM or the end of standard input, which is the end of the main process; finish and leave."""
    asked = _Asked()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.leave)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the config comes from the main process
    parent = os.getppid()
    _tidy_rarely()
    control = await Control.open()
    config = await control.config()
    if config is None:
        return
    async with await App.join(config, inline=True) as app:
        worker = Worker(app.db, app.clock)
        await worker.join()
        try:
            async with (
                owned(worker.keep_beating(), "heartbeat"),
                owned(control.listen(poked=asked.look.set, gone=asked.leave), "control"),
                owned(_watch(parent, asked.leave), "parent"),
            ):
                _log.info("sender_started", worker=worker.id)
                await _send(Outbox(app, worker, stopping=asked.stop.is_set), control, asked)
        finally:
            with contextlib.suppress(StorageError):  # the main process takes back what could not be given back
                await worker.leave()
    _log.info("sender_stopped", worker=worker.id)


def _tidy_rarely() -> None:
    """Let Python look for cycles in what it was started with never, and rarely in the rest: a mail makes none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _send(outbox: Outbox, control: Control, asked: _Asked) -> None:
    """Send whenever something is due; when asked to leave, give what is in flight its time, then break it off."""
    sending = asyncio.create_task(_send_all(outbox, control, asked), name="send")
    await asyncio.wait({sending, stop := asyncio.create_task(asked.stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    await asyncio.wait({sending}, timeout=GRACE_S)
    sending.cancel()
    await asyncio.gather(stop, return_exceptions=True)
    with contextlib.suppress(asyncio.CancelledError):
        await sending


async def _send_all(outbox: Outbox, control: Control, asked: _Asked) -> None:
    while not asked.stop.is_set():
        asked.look.clear()
        if await _send_once(outbox, control):
            continue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await asked.look.wait()


async def _send_once(outbox: Outbox, control: Control) -> bool:
    """Do a run of delivering if something is due; return whether it is worth looking again at once."""
    try:
        if not await outbox.something_to_send():
            return False
        done = await outbox.send_due()
    except StorageError as error:
        _log.warning("sending_waits_for_database", reason=str(error))
        return False
    if not done.worked:
        return False
    control.tell(done)
    _log.info("delivered", sent=done.sent, deferred=done.deferred, failed=done.failed, cancelled=done.cancelled)
    return True


async def _watch(parent: int, leave: Callable[[], None]) -> None:
    """Notice that the parent died even where a copy of the pipe's other end lives on in another process."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(TICK_S)
    leave()
