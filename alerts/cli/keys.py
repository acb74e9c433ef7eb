"""`alerts keys`: who may post articles to us."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, print_table, say
from alerts.services import keys as service
from alerts.services.keys import NewKey
from alerts.storage.api_keys import ApiKey

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, such as cms; its source's name.")]


@app.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    *,
    per_hour: Annotated[int, typer.Option(help="How many articles it may post in an hour.")] = service.ARTICLES_AN_HOUR,
    json: JsonOption = False,
) -> None:
    """Make a key for POST /api/v1/articles; it is shown this once, and kept as a hash only."""

    async def ask(app: App) -> NewKey:
        return await service.add_key(app.db, name, articles_an_hour=per_hour, now=app.clock())

    made = run_async(ctx, ask)
    if json:
        print_json({**_as_dict(made.key), "key": made.secret})
        return
    say(made.secret)
    note(f"This is the key of {name}. Keep it now: it cannot be shown again.")


@app.command("list")
def list_(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """List the keys, revoked ones too; never what they are."""

    async def ask(app: App) -> list[ApiKey]:
        return await service.list_keys(app.db)

    found = run_async(ctx, ask)
    if json:
        print_json([_as_dict(one) for one in found])
        return
    rows = [
        [
            one.name,
            "revoked" if one.revoked_at else "living",
            f"{one.created_at:%Y-%m-%d %H:%M}",
            f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never",
            str(one.articles_an_hour),
        ]
        for one in found
    ]
    print_table(
        ["name", "state", "made (UTC)", "last post (UTC)", "articles an hour"],
        rows,
        empty="no keys; `alerts keys add NAME` makes one",
    )


@app.command()
def revoke(ctx: typer.Context, name: NameArgument, *, json: JsonOption = False) -> None:
    """Let a key open nothing any more; what was posted with it stays."""

    async def ask(app: App) -> ApiKey:
        return await service.revoke_key(app.db, name, now=app.clock())

    revoked = run_async(ctx, ask)
    if json:
        print_json(_as_dict(revoked))
    else:
        say(f"revoked: {revoked.name}")


def _as_dict(one: ApiKey) -> dict[str, Any]:
    return {
        "name": one.name,
        "created_at": one.created_at,
        "last_used_at": one.last_used_at,
        "revoked_at": one.revoked_at,
        "articles_an_hour": one.articles_an_hour,
    }
