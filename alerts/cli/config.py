"""`alerts config`: is it right, what is in force, and one to start from."""

from __future__ import annotations

import asyncio
import os
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from ruamel.yaml import YAML

from alerts.cli.config_changes import changes_of
from alerts.cli.context import config_of
from alerts.cli.edits import change_as_dict, summary_of
from alerts.cli.output import JsonOption, print_json, say
from alerts.config import Config
from alerts.config.load import path_of
from alerts.config.show import shown
from alerts.config.starter import write_starter
from alerts.core.errors import ConfigError
from alerts.services.aliases import reader_of
from alerts.services.back_test import BackTest
from alerts.services.examples import refuse_failing

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Say what is wrong with the config, every mistake with its line; exit 2 if anything is."""
    try:
        config = config_of(ctx)
        changes = asyncio.run(_judged(config))
    except ConfigError as error:
        if not json:
            raise
        print_json({"path": str(_path(ctx)), "ok": False, "problems": str(error).splitlines()})
        raise typer.Exit(2) from None
    counts = {"sources": len(config.sources), "channels": len(config.channels), "relays": len(config.mail.relays)}
    if json:
        changed = [change_as_dict(change) for change in changes]
        print_json({"path": str(config.path), "ok": True, "problems": [], **counts, "changes": changed})
    else:
        for change in changes:
            say(summary_of(change))
        say(f"{config.path} is right: " + ", ".join(f"{count} {noun}" for noun, count in counts.items()))


async def _judged(config: Config) -> list[BackTest]:
    """Try the examples, then compare the queries with those in force."""
    await refuse_failing(config.channels, time_zone=ZoneInfo(config.site.time_zone), read=reader_of(config.aliases))
    return await changes_of(config)


@app.command()
def show(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Print the config in force, defaults and environment included, secrets hidden."""
    data = shown(config_of(ctx))
    if json:
        print_json(data)
        return
    text = StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.width = 4096
    writer.dump(data, text)
    say(text.getvalue().rstrip())


@app.command()
def init(ctx: typer.Context) -> None:
    """Write a config to start from, and a folder for articles, where there is none."""
    path = _path(ctx)
    write_starter(path)
    say(f"wrote {path}; next: alerts run")


def _path(ctx: typer.Context) -> Path:
    named = ctx.find_root().params.get("config")
    return path_of(Path(named) if named else None, os.environ)
