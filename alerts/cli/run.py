"""`alerts run`: the daemon, or with ``--once`` one round of everything that is due."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import alerts
from alerts.app import App
from alerts.cli.context import config_of
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.daemon import SenderProcesses, Summary, cores, run_daemon, run_once, run_sender


def run(
    ctx: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Poll every source now, match, send all that is due, print a summary, exit.")
    ] = False,
    senders: Annotated[
        int | None,
        typer.Option(
            "--senders",
            min=0,
            max=64,
            metavar="N",
            help="Processes that send, beside the main one (default: one a core); 0: the main process sends itself, "
            "as --once always does.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run the daemon: poll, match, deliver, serve the site; SIGTERM finishes what is in flight, SIGHUP reloads."""
    loop_factory = _loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        if once:
            _print(runner.run(_once(ctx)), json=json)
        else:
            wanted = SenderProcesses(wanted=cores() if senders is None else senders, command=_send_worker(ctx))
            runner.run(run_daemon(lambda: config_of(ctx), senders=wanted))


def send_worker() -> None:
    """Send as one of the processes that `alerts run` starts; it takes its config from there, and ends with it."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_sender())


def _send_worker(ctx: typer.Context) -> list[str]:
    """Name the command that starts a sender: this program, whatever lies in the folder where it was started."""
    here = Path(alerts.__file__).parents[1] == Path.cwd()
    verbose = ["--verbose"] if ctx.find_root().params.get("verbose") else []
    return [sys.executable, *([] if here else ["-P"]), "-m", "alerts", *verbose, "send-worker"]


async def _once(ctx: typer.Context) -> Summary:
    async with await App.open(config_of(ctx)) as app:
        return await run_once(app, say=note if sys.stderr.isatty() else lambda _: None)


def _print(summary: Summary, *, json: bool) -> None:
    if json:
        print_json(summary.as_dict())
        return
    say(
        f"{summary.polled} sources polled, {summary.articles_new} new articles, {summary.matches} matches, "
        f"{summary.deliveries_created} deliveries; "
        f"{summary.sent} sent, {summary.deferred} deferred, {summary.failed} failed"
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Use uvloop where there is one: twice as fast at sending and polling."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return uvloop.new_event_loop
