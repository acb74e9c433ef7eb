"""`alerts deliveries`: the mails that are owed, sent and failed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, print_json, print_table, say
from alerts.core.errors import InputError, NotFoundError
from alerts.core.model import Delivery, DeliveryState
from alerts.services import deliveries as service
from alerts.storage.delivery_counts import ArticleCounts

app = typer.Typer(no_args_is_help=True)


def _as_dict(one: Delivery, email: str | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "state": one.state,
        "email": email,
        "article": one.article_id,
        "due_at": one.due_at,
        "dated_at": one.dated_at,
        "attempts": one.attempts,
        "faults": one.faults,
        "in_doubt": one.in_doubt,
        "reply": one.reply,
        "relay": one.relay,
        "finished_at": one.finished_at,
    }


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List deliveries, the newest first."""

    async def ask(app: App) -> list[tuple[Delivery, str | None]]:
        return await service.list_with_addresses(app.db, state=state, limit=limit)

    found = run_async(ctx, ask)
    if json:
        print_json([_as_dict(one, email) for one, email in found])
        return
    rows = [
        [
            str(one.id),
            one.kind.value,
            one.state.value,
            email or "(forgotten)",
            f"{one.due_at:%Y-%m-%d %H:%M:%S}",
            one.reply or "",
        ]
        for one, email in found
    ]
    print_table(["id", "kind", "state", "address", "due (UTC)", "last answer"], rows, empty="no deliveries")


@app.command()
def counts(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many articles, the newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """Count the alerts about each article by what became of them; also those too old to be listed."""

    async def ask(app: App) -> list[ArticleCounts]:
        return await service.count_by_article(app.db, limit=limit)

    found = run_async(ctx, ask)
    if json:
        print_json([{"article": it.article_id, "title": it.title, **it.counts} for it in found])
        return
    rows = [[str(it.article_id), *(str(count) for count in it.counts.values()), it.title] for it in found]
    print_table(["article", *(state.value for state in DeliveryState), "title"], rows, empty="no alerts")


@app.command()
def show(
    ctx: typer.Context, delivery_id: Annotated[int, typer.Argument(metavar="ID")], *, json: JsonOption = False
) -> None:
    """Show one delivery with all that is known of it."""

    async def ask(app: App) -> tuple[Delivery, str | None] | None:
        return await service.show(app.db, delivery_id)

    found = run_async(ctx, ask)
    if found is None:
        raise NotFoundError(f"there is no delivery {delivery_id}; `alerts deliveries list` shows them")
    data = _as_dict(*found)
    if json:
        print_json(data)
        return
    for key, value in data.items():
        say(f"{key}: {'' if value is None else value}")


@app.command()
def retry(
    ctx: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID…]")] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    json: JsonOption = False,
) -> None:
    """Try failed or expired deliveries again, now."""
    if bool(ids) == failed:
        raise InputError("name the deliveries to retry, or say --failed for all that failed")

    async def ask(app: App) -> int:
        return await service.retry(app.db, ids=ids or None, now=app.clock())

    count = run_async(ctx, ask)
    if json:
        print_json({"retried": count})
    else:
        say(f"{count} deliveries are due again")
    if ids and count < len(set(ids)):
        raise NotFoundError(f"{len(set(ids)) - count} of them were not failed or expired, or do not exist")
