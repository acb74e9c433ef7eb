"""The root of the commands: mounts the nouns, and turns every error into a sentence and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from alerts import __version__, logs
from alerts.cli.output import note, say
from alerts.core.errors import AlertsError, ConfigError, InputError


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's signature for a callback
    if asked:
        say(f"alerts {__version__}")
        raise typer.Exit


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


#: Verbs on their own: module, function, hidden.
_VERBS = {
    "run": ("run", "run", False),
    "send-worker": ("send_worker", "send_worker", True),
    "status": ("status", "status", False),
    "doctor": ("doctor", "doctor", False),
}
#: Nouns, each a module of verbs, with what it is about.
_NOUNS = {
    "config": "Check and show the config.",
    "sources": "Feeds and folders that are polled.",
    "channels": "Named queries that readers subscribe to.",
    "articles": "What was found, and why it matched.",
    "subscribers": "Addresses and what they subscribe to.",
    "deliveries": "Mails owed, sent and failed.",
    "mail": "Look at mails before readers do.",
    "db": "The database: upgrade, back up, check.",
    "keys": "Who may post articles to us.",
}


def mounted(arguments: Sequence[str]) -> typer.Typer:
    """Return the root with the command that is meant, or with all of them where none is.

    A start costs the import of what its command needs, and no more: all of it takes a second on a small machine.
    """
    named = _command_in(arguments)
    whole = typer.Typer(
        name="alerts",
        help="Email alerts: readers pick channels and get a mail the moment an article about them appears.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    whole.callback()(root)
    for name, (module, function, hidden) in _VERBS.items():
        if named in {name, None}:
            whole.command(name, hidden=hidden)(getattr(import_module(f"alerts.cli.{module}"), function))
    for name, about in _NOUNS.items():
        if named in {name, None}:
            whole.add_typer(import_module(f"alerts.cli.{name}").app, name=name, help=about)
    return whole


def _imported(arguments: Sequence[str]) -> typer.Typer:
    """Return the command that is meant, its modules imported without a look for garbage.

    What an import makes stays: looking through it again and again takes a fifth of a start, and later of every look.
    """
    gc.disable()
    try:
        return mounted(arguments)
    finally:
        gc.freeze()
        gc.enable()


def _command_in(arguments: Sequence[str]) -> str | None:
    """Find the command; None where there is none, or help with all of them is asked for.

    >>> _command_in(["--config", "run", "status"])
    'status'
    """
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--config":
            next(waiting, None)
        elif argument in _VERBS or argument in _NOUNS:
            return argument
        elif argument == "--help":
            return None
    return None


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
    given = hoisted(sys.argv[1:] if arguments is None else arguments)
    try:
        command = _imported(given)
        command(given)
    except SystemExit as ended:  # typer has shown a usage error, or a command has chosen its code
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        note("stopped")
        return 130
    except AlertsError as error:
        note(f"error: {error.drawn}")
        return 2 if isinstance(error, ConfigError | InputError) else 1
    except BrokenPipeError:  # `alerts … | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
