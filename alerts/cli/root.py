"""The root of the commands: mounts the nouns, and turns every error into a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from alerts import __version__, logs
from alerts.cli import (
    articles,
    channels,
    config,
    db,
    deliveries,
    doctor,
    mail,
    run,
    sources,
    status,
    subscribers,
)
from alerts.cli.output import note, say
from alerts.core.errors import AlertsError, ConfigError, InputError

app = typer.Typer(
    name="alerts",
    help="Email alerts: readers pick channels and get a mail the moment an article about them appears.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's signature for a callback
    if asked:
        say(f"alerts {__version__}")
        raise typer.Exit


@app.callback()
def root(
    config: Annotated[  # noqa: ARG001 - read from the context by whoever needs it
        Path | None,
        typer.Option("--config", metavar="FILE", help="The config file; else $ALERTS_CONFIG, else config.yaml here."),
    ] = None,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    version: Annotated[  # noqa: ARG001 - the callback answers
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Set up what every command shares."""
    logs.set_up(verbose=verbose, json=os.environ.get("ALERTS_LOG_FORMAT") == "json")


app.command("run")(run.run)
app.command("send-worker", hidden=True)(run.send_worker)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config", help="Check and show the config.")
app.add_typer(sources.app, name="sources", help="Feeds and folders that are polled.")
app.add_typer(channels.app, name="channels", help="Named queries that readers subscribe to.")
app.add_typer(articles.app, name="articles", help="What was found, and why it matched.")
app.add_typer(subscribers.app, name="subscribers", help="Addresses and what they subscribe to.")
app.add_typer(deliveries.app, name="deliveries", help="Mails owed, sent and failed.")
app.add_typer(mail.app, name="mail", help="Look at mails before readers do.")
app.add_typer(db.app, name="db", help="The database: upgrade, back up, check.")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Move ``--config FILE`` to the front, so that it may stand anywhere in a command.

    >>> hoisted(["status", "--config", "a.yaml", "--json"])
    ['--config', 'a.yaml', 'status', '--json']
    """
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument == "--config":
            front += [argument, *(value for value in [next(waiting, None)] if value is not None)]
        elif argument.startswith("--config="):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    try:
        app(hoisted(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as ended:  # typer has shown a usage error, or a command has chosen its code
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        note("stopped")
        return 130
    except AlertsError as error:
        note(f"error: {error}")
        return 2 if isinstance(error, ConfigError | InputError) else 1
    except BrokenPipeError:  # `alerts … | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
