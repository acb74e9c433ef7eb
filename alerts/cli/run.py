"""`alerts run`: the daemon, or with ``--once`` one round of everything that is due."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

import alerts
from alerts.app import App
from alerts.cli.context import config_of, event_loop_factory
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.daemon.once import Summary, run_once
from alerts.daemon.roles import read_roles
from alerts.daemon.run import Node, SenderProcesses, run_daemon
from alerts.daemon.shares import cores


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
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE,…",
            help="What this node does: web, schedule, poll, send (default: all). Needs PostgreSQL.",
        ),
    ] = None,
    node: Annotated[
        str,
        typer.Option("--node", metavar="NAME", help="What `alerts status` calls this node (default: the host's name)."),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Run the daemon: poll, match, deliver, serve the site; SIGTERM finishes what is in flight, SIGHUP reloads."""
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        if once:
            _print(runner.run(_once(ctx)), json=json)
        else:
            wanted = SenderProcesses(wanted=cores() if senders is None else senders, command=_send_worker(ctx))
            here = Node(senders=wanted, roles=read_roles(role or []), name=node)
            runner.run(run_daemon(lambda: config_of(ctx), node=here))


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
