"""`alerts db`: bring the database up to date, copy it, ask whether it is sound."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from alerts.cli.context import config_of
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.storage import migrations
from alerts.storage.backup import back_up, problems_of
from alerts.storage.engine import Database
from alerts.storage.sqlite import path_of

app = typer.Typer(no_args_is_help=True)


@app.command()
def upgrade(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Bring the database to this version's tables; `run` does so too, at its start."""
    where = asyncio.run(_open_and_close(config_of(ctx).database))
    revision = migrations.revisions()[-1]
    if json:
        print_json({"database": where, "revision": revision})
    else:
        say(f"{where} is up to date (revision {revision})")


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; an existing one is never overwritten.")],
    *,
    json: JsonOption = False,
) -> None:
    """Copy the SQLite database to a new file, while the daemon goes on."""
    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("copying", total=None)
        size = back_up(
            config_of(ctx).database, file, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if json:
        print_json({"file": str(file), "bytes": size})
    else:
        say(f"wrote {file} ({size:,} bytes)")


@app.command()
def check(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Read the whole database and say whether it is sound; exit 1 if not."""
    url = config_of(ctx).database
    problems: list[str] = []
    if url.startswith("sqlite:"):
        problems = problems_of(path_of(url))
    where = "" if problems else asyncio.run(_open_and_close(url))
    if json:
        print_json({"database": where, "sound": not problems, "problems": problems})
    elif not problems:
        say(f"{where} is sound")
    for problem in problems:
        note(problem)
    if problems:
        raise typer.Exit(1)


async def _open_and_close(url: str) -> str:
    db = await Database.open(url)
    await db.close()
    return db.where
