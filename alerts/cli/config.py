"""`alerts config`: is it right, what is in force, and one to start from."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import typer
from ruamel.yaml import YAML

from alerts.cli.context import config_of
from alerts.cli.output import JsonOption, print_json, say
from alerts.config.load import path_of
from alerts.config.show import shown
from alerts.config.starter import write_starter
from alerts.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Say what is wrong with the config, every mistake with its line; exit 2 if anything is."""
    try:
        config = config_of(ctx)
    except ConfigError as error:
        if not json:
            raise
        print_json({"path": str(_path(ctx)), "ok": False, "problems": str(error).splitlines()})
        raise typer.Exit(2) from None
    counts = {"sources": len(config.sources), "channels": len(config.channels), "relays": len(config.mail.relays)}
    if json:
        print_json({"path": str(config.path), "ok": True, "problems": [], **counts})
    else:
        say(f"{config.path} is right: " + ", ".join(f"{count} {noun}" for noun, count in counts.items()))


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
