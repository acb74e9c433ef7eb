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
from alerts.daemon.sending import Sending
from alerts.daemon.worker import Worker

_log = structlog.get_logger(__name__)

_LOOK_S = 1.0
_TOO_LATE_S = 27.0  # then the process ends, whatever hangs


@dataclass(slots=True)
class _Asked:
    """Whether this sender was asked to leave."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self) -> None:
        """Ask to finish what is in flight and leave; the process ends within 30 s, whatever hangs."""
        if not self.stop.is_set():
            self.stop.set()
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
    introduction = await control.introduction()
    if introduction is None:
        return
    config, node = introduction
    async with await App.join(config, inline=True) as app:
        worker = Worker(app.db, app.clock, node=node)
        await worker.join()
        outbox = Outbox(app, worker, stopping=asked.stop.is_set)
        sending = Sending(outbox, stop=asked.stop, tell=control.tell)
        try:
            async with (
                owned(worker.keep_beating(), "heartbeat"),
                owned(control.listen(poked=sending.look, gone=asked.leave), "control"),
                owned(_watch(parent, asked.leave), "parent"),
            ):
                _log.info("sender_started", worker=worker.id)
                await sending.run()
        finally:
            with contextlib.suppress(StorageError):  # the main process takes back what could not be given back
                await worker.leave()
    _log.info("sender_stopped", worker=worker.id)


def _tidy_rarely() -> None:
    """Let Python look for cycles in what it was started with never, and rarely in the rest: a mail makes none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _watch(parent: int, leave: Callable[[], None]) -> None:
    """Notice that the parent died even where a copy of the pipe's other end lives on in another process."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_LOOK_S)
    leave()
