"""`alerts run`: one process that polls, matches, delivers and serves the site, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from alerts.app import App
from alerts.config import Config
from alerts.daemon.alone import alone
from alerts.daemon.clock import Clock
from alerts.daemon.flow import Flow
from alerts.daemon.outbox import Outbox
from alerts.daemon.owned import owned
from alerts.daemon.polling import Polling
from alerts.daemon.reload import ConfigFile
from alerts.daemon.senders import Senders
from alerts.daemon.worker import Worker
from alerts.mail.catcher import Catcher
from alerts.queue import LocalQueue
from alerts.sources.watch import watch_folders
from alerts.web.server import WebServer
from alerts.web.site import create_site
from alerts.web.state import LastTick

_log = structlog.get_logger(__name__)

GRACE_S = 20.0  # for what is in flight; with the web server's 5 s the process is gone within 30 s of SIGTERM


@dataclass(slots=True)
class _Asked:
    """What the operator asked for by signals."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as stop, SIGHUP as reload."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderProcesses:
    """How many senders to run beside the main process, none: it sends itself; and the command that starts one."""

    wanted: int
    command: Sequence[str]


async def run_daemon(read_config: Callable[[], Config], *, senders: SenderProcesses) -> None:
    """Run until SIGTERM or SIGINT, then finish what is in flight and leave; SIGHUP reloads the config.

    Where another main process runs on the same SQLite file, stand by until it ends.
    Raises ConfigError, StorageError or RelayError for what keeps it from starting.
    """
    asked = _Asked()
    asked.listen()
    config = read_config()
    async with alone(config.database, asked.stop) as free:
        if free:
            await _run(config, read_config, senders, asked)


async def _run(config: Config, read_config: Callable[[], Config], senders: SenderProcesses, asked: _Asked) -> None:
    async with await App.open(config) as app, contextlib.AsyncExitStack() as stack:
        catcher = await stack.enter_async_context(_catcher(app))
        worker = Worker(app.db, app.clock)
        await worker.join()
        stack.push_async_callback(worker.leave)
        await _serve(app, worker, catcher, read_config, senders, asked)


async def _serve(  # noqa: PLR0917 - what it wires
    app: App,
    worker: Worker,
    catcher: Catcher | None,
    read_config: Callable[[], Config],
    senders: SenderProcesses,
    asked: _Asked,
) -> None:
    """Start everything, wait for the stop, end everything in the order that loses nothing."""
    queue = LocalQueue()
    clock = Clock()
    async with (
        Polling.open(app) as polling,
        owned(worker.keep_beating(), "heartbeat"),
        _post(app, worker, senders, asked) as post,
    ):
        flow = Flow(app, queue, polling=polling, post=post, judges=worker.judges)
        config_file = ConfigFile(app, read_config, asked=asked.reload, after=post.rebuild)
        await queue.start(flow.handlers())
        await flow.look_after()
        await flow.look_for_old()
        clock.every(1, flow.look_for_due)
        clock.every(5, flow.look_after)
        clock.every(2, config_file.look)
        clock.every(3600, flow.look_for_old)
        clock.start()
        async with (
            _web(app, catcher, lambda: flow.ticked_at),
            owned(watch_folders(polling.watched, flow.look_at_folders), "watch"),
        ):
            _log.info("started", worker=worker.id, site=app.config.site.url)
            await asked.stop.wait()
            _log.info("stopping", worker=worker.id)
        clock.stop()
        await queue.stop(grace_s=GRACE_S)
    _log.info("stopped", worker=worker.id)


@contextlib.asynccontextmanager
async def _post(app: App, worker: Worker, wanted: SenderProcesses, asked: _Asked) -> AsyncIterator[Outbox | Senders]:
    """Have sender processes, or send here; senders are told to leave the moment the stop is asked for."""
    if not wanted.wanted:
        yield Outbox(app, worker, stopping=asked.stop.is_set)
        return
    senders = Senders(app, wanted.command, wanted=wanted.wanted)
    senders.start()

    async def leave_in_time() -> None:
        await asked.stop.wait()
        await senders.stop()

    leaving = asyncio.create_task(leave_in_time(), name="senders leave")
    try:
        yield senders
    finally:
        asked.stop.set()
        await leaving


@contextlib.asynccontextmanager
async def _web(app: App, catcher: Catcher | None, last_tick: LastTick) -> AsyncIterator[None]:
    server = WebServer(create_site(app, catcher=catcher, last_tick=last_tick), app.config.web.host, app.config.web.port)
    await server.start()
    try:
        yield
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def _catcher(app: App) -> AsyncIterator[Catcher | None]:
    """Run the built-in catcher where a relay of the config is it."""
    catcher = app.catcher()
    if catcher is None:
        yield None
        return
    await catcher.start()
    try:
        yield catcher
    finally:
        await catcher.stop()
