"""`alerts run`: the daemon, or with ``--once`` one round of everything that is due."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from alerts.app import App
from alerts.cli.context import config_of
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.daemon import Summary, run_daemon, run_once


def run(
    ctx: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Poll every source now, match, send all that is due, print a summary, exit.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the daemon: poll, match, deliver, serve the site; SIGTERM finishes what is in flight, SIGHUP reloads."""
    loop_factory = _loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        if once:
            _print(runner.run(_once(ctx)), json=json)
        else:
            runner.run(run_daemon(lambda: config_of(ctx)))


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
