"""`alerts run`: one node that polls, matches, delivers and serves the site, or some of it, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from alerts.app import App
from alerts.config import Config
from alerts.core.errors import ConfigError
from alerts.daemon.alone import alone
from alerts.daemon.clock import Clock
from alerts.daemon.flow import Flow
from alerts.daemon.outbox import Outbox
from alerts.daemon.owned import owned
from alerts.daemon.polling import Polling
from alerts.daemon.reload import ConfigFile
from alerts.daemon.roles import EVERYTHING, Role
from alerts.daemon.scheduling import Scheduling
from alerts.daemon.senders import Senders
from alerts.daemon.sending import Sending
from alerts.daemon.worker import Worker
from alerts.mail.catcher import Catcher
from alerts.queue import WorkQueue
from alerts.sources.watch import watch_folders
from alerts.web.server import WebServer
from alerts.web.site import create_site
from alerts.web.state import LastTick

_log = structlog.get_logger(__name__)

GRACE_S = 20.0  # for what is in flight; with the web server's 5 s the process is gone within 30 s of SIGTERM
_TOO_LATE_S = 28.5  # a second after the last sender: then the process ends, whatever hangs


@dataclass(slots=True)
class _Asked:
    """What the operator asked for by signals."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as stop, SIGHUP as reload."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)

    def _leave(self) -> None:
        """Ask to stop in good order, and end within 30 s all the same: a database that hangs may be waited for in vain.

        What is not written by then is as after a kill: whoever comes next finds and finishes it.
        """
        if not self.stop.is_set():
            self.stop.set()
            late = threading.Timer(_TOO_LATE_S, _end)  # not the loop's: that may be what hangs
            late.daemon = True
            late.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderProcesses:
    """How many senders to run beside the main process, none: it sends itself; and the command that starts one."""

    wanted: int
    command: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What this node is called, and what it does."""

    senders: SenderProcesses
    roles: frozenset[Role] = EVERYTHING
    name: str = ""  # the host's, if empty


def _end() -> None:
    _log.error("stopped_in_the_midst", after_s=_TOO_LATE_S)
    os._exit(1)


async def run_daemon(read_config: Callable[[], Config], *, node: Node) -> None:
    """Run until SIGTERM or SIGINT, then finish what is in flight and leave; SIGHUP reloads the config.

    Where another main process runs on the same SQLite file, stand by until it ends.
    Raises ConfigError, StorageError or RelayError for what keeps it from starting.
    """
    asked = _Asked()
    asked.listen()
    config = read_config()
    if config.database.startswith("sqlite:") and node.roles != EVERYTHING:
        raise ConfigError("on SQLite one process does everything: leave --role out, or use a postgresql:// database")
    async with alone(config.database, asked.stop) as free:
        if free:
            await _run(config, read_config, node, asked)


async def _run(config: Config, read_config: Callable[[], Config], node: Node, asked: _Asked) -> None:
    async with await App.open(config) as app, contextlib.AsyncExitStack() as stack:
        catcher = await stack.enter_async_context(_catcher(app))
        worker = Worker(app.db, app.clock, node=node.name, roles=node.roles)
        await worker.join()
        stack.push_async_callback(worker.leave)
        await _serve(app, worker, catcher, read_config, node, asked)


async def _serve(  # noqa: PLR0917 - what it wires
    app: App,
    worker: Worker,
    catcher: Catcher | None,
    read_config: Callable[[], Config],
    node: Node,
    asked: _Asked,
) -> None:
    """Start everything, wait for the stop, end everything in the order that loses nothing."""
    clock = Clock()
    scheduling = Scheduling(app.db, worker, alone=app.db.dialect == "sqlite")
    async with (
        Polling.open(app, worker=lambda: worker.id) as polling,
        owned(worker.keep_beating(), "heartbeat"),
        _post(app, worker, node, asked) as post,
        _schedules(scheduling, node),
    ):
        flow = Flow(
            app,
            app.queue,
            roles=node.roles,
            scheduling=scheduling,
            polling=polling,
            post=post,
            heard=worker.heard,
        )
        config_file = ConfigFile(app, read_config, asked=asked.reload, after=post.rebuild)
        clock.every(1, flow.look_for_due)
        clock.every(5, flow.look_after)
        clock.every(0.5, config_file.look)
        clock.every(3600, flow.look_for_old)
        clock.every(20, flow.look_again_for_future)
        clock.after_step.append(flow.clock_was_set)
        async with (
            _working(app.queue, flow, clock),
            _web(app, node, catcher, lambda: flow.ticked_at, polling),
            owned(_watch_folders(polling, flow, node), "watch"),
            owned(flow.get_ready(), "channels"),
        ):
            _log.info("started", worker=worker.id, site=app.config.site.url, roles=",".join(sorted(node.roles)))
            await asked.stop.wait()
            _log.info("stopping", worker=worker.id)
    _log.info("stopped", worker=worker.id)


@contextlib.asynccontextmanager
async def _working(queue: WorkQueue, flow: Flow, clock: Clock) -> AsyncIterator[None]:
    """Tick, and do jobs; whatever ends the block, no more are taken, and those that run get their time."""
    await queue.start(flow.handlers())
    try:
        await flow.look_after()
        await flow.look_for_old()
        await flow.look_for_future()
        clock.start()
        try:
            yield
        finally:
            await clock.stop()
    finally:
        await queue.stop(grace_s=GRACE_S)


@contextlib.asynccontextmanager
async def _schedules(scheduling: Scheduling, node: Node) -> AsyncIterator[None]:
    """Take part in the scheduling where it is this node's role."""
    if Role.SCHEDULE not in node.roles:
        yield
        return
    await scheduling.look()
    try:
        async with owned(scheduling.keep(), "scheduling"):
            yield
    finally:
        await scheduling.leave()


async def _watch_folders(polling: Polling, flow: Flow, node: Node) -> None:
    if Role.POLL in node.roles:
        await watch_folders(polling.watched, flow.look_at_folders)


class _NoPost:
    """What stands where nothing is sent."""

    def look(self) -> None:
        """Do nothing: the nodes that send look for themselves."""

    def rebuild(self) -> None:
        """Do nothing."""


@contextlib.asynccontextmanager
async def _post(app: App, worker: Worker, node: Node, asked: _Asked) -> AsyncIterator[Sending | Senders | _NoPost]:
    """Have sender processes, or send here; senders are told to leave the moment the stop is asked for."""
    if Role.SEND not in node.roles:
        yield _NoPost()
        return
    if not node.senders.wanted:
        outbox = Outbox(app, worker, stopping=asked.stop.is_set)
        sending = Sending(outbox, stop=asked.stop, tell=lambda _done: None)
        running = asyncio.create_task(sending.run(), name="sending")
        try:
            yield sending
        finally:
            asked.stop.set()
            await running
        return
    senders = Senders(app, node.senders.command, wanted=node.senders.wanted, node=node.name)
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
async def _web(
    app: App, node: Node, catcher: Catcher | None, last_tick: LastTick, polling: Polling
) -> AsyncIterator[None]:
    """Serve the site; where that is not this node's role, only what probes ask."""
    site = create_site(
        app,
        catcher=catcher,
        last_tick=last_tick,
        only_health=Role.WEB not in node.roles,
        parser=polling.parser,
        page_reader=polling.page_reader,
    )
    server = WebServer(site, app.config.web.host, app.config.web.port)
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
