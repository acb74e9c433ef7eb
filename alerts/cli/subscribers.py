"""`alerts subscribers`: who hears from us, brought in one by one or by a list, shown, exported and forgotten."""

from __future__ import annotations

import csv
import io
import json as json_module
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, print_table, say
from alerts.core.errors import NotFoundError
from alerts.core.model import Frequency, Subscriber, SubscriberState, Subscription
from alerts.core.subscriber_list import Problem, Remark, write_cell
from alerts.core.tokens import SALT_SIZE
from alerts.services import forget as forgetting
from alerts.services.import_subscribers import Imported, import_subscribers
from alerts.services.preferences import Held, each_person, person_by_address
from alerts.services.subscribe import Subscribed, have_counted, known_zones, subscribe, subscribe_listed

app = typer.Typer(no_args_is_help=True)

ConfirmedOption = Annotated[
    bool, typer.Option("--confirmed", help="They agreed already, and you can show it: mail them without asking.")
]
_EXPORTED = (
    "email",
    "name",
    "language",
    "time_zone",
    "frequency",
    "channel",
    "subscription",
    "state",
    "created_at",
    "confirmed_at",
)


def _as_dict(person: Subscriber, held: tuple[Subscription, ...]) -> dict[str, Any]:
    return {
        "email": person.email,
        "state": person.state.value,
        "name": person.name,
        "language": person.language,
        "time_zone": person.time_zone,
        "created_at": person.created_at.isoformat(),
        "confirmed_at": person.confirmed_at.isoformat() if person.confirmed_at else None,
        "paused_until": person.paused_until_at.isoformat() if person.paused_until_at else None,
        "subscriptions": [
            {
                "channel": one.channel_slug,
                "state": one.state.value,
                "frequency": one.frequency.value,
                "activated_at": one.activated_at.isoformat() if one.activated_at else None,
                "ended_at": one.ended_at.isoformat() if one.ended_at else None,
                "end_reason": one.end_reason.value if one.end_reason else None,
            }
            for one in held
        ],
    }


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    state: Annotated[SubscriberState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the first who came; else all.")] = None,
    json: JsonOption = False,
) -> None:
    """List the subscribers and what they subscribe to, in the order in which they came."""

    async def ask(app: App) -> list[Held]:
        found: list[Held] = []
        async for person, held in each_person(app.db):
            if state is None or person.state is state:
                found.append((person, held))
            if limit is not None and len(found) == limit:
                break
        return found

    found = run_async(ctx, ask)
    if json:
        print_json([_as_dict(*one) for one in found])
        return
    rows = [[person.email, person.state.value, _in_short(held)] for person, held in found]
    print_table(["address", "state", "subscriptions"], rows, empty="no subscribers")


def _in_short(held: tuple[Subscription, ...]) -> str:
    return ", ".join(f"{one.channel_slug} ({one.state.value}, {one.frequency.value})" for one in held)


@app.command()
def add(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG…", help="Channels.")],
    *,
    confirmed: ConfirmedOption = False,
    frequency: Annotated[Frequency | None, typer.Option(help="How often; immediate if nothing is said.")] = None,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    language: Annotated[str | None, typer.Option(help="Such as en or pt-BR.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    json: JsonOption = False,
) -> None:
    """Subscribe an address to channels; it is asked by mail first, unless --confirmed. A second time is harmless."""

    async def act(app: App) -> Subscribed:
        return await subscribe(
            app.db,
            address=email,
            slugs=slugs,
            frequency=frequency,
            confirmed=confirmed,
            now=app.clock(),
            secrets=app.secrets,
            salt=os.urandom(SALT_SIZE),
            name=name,
            language=language,
            time_zone=time_zone,
            enlist=app.queue.enlist,
        )

    done = run_async(ctx, act)
    if any(one.frequency is not Frequency.IMMEDIATE for one in done.subscriptions):
        note("digests are not sent by this version: daily and weekly subscriptions are kept, and get no mail yet")
    if json:
        data = _as_dict(done.subscriber, done.subscriptions)
        print_json(data | {"confirmation_owed": done.confirmation_owed, "throttled": done.throttled})
        return
    say(f"{done.subscriber.email}: {_in_short(done.subscriptions)}")
    if done.confirmation_owed:
        say("a confirmation mail is on its way; it is good for 48 hours")
    if done.throttled:
        note("no further confirmation mail: three went to this address within a day")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Its first line names the columns, email among them.")
    ],
    *,
    channel: Annotated[list[str], typer.Option("--channel", metavar="SLUG", help="May be given more than once.")],
    confirmed: ConfirmedOption = False,
    json: JsonOption = False,
) -> None:
    """Subscribe everybody in a CSV file; a second time is harmless.

    Rows that cannot be taken are reported with their line number and the rest is imported; then the exit code is 1.
    """
    refused: list[Problem] = []

    def report(one: Problem | Remark) -> None:
        if isinstance(one, Problem):
            refused.append(one)
            note(f"{file}:{one.line}: {one.reason}")
        else:
            note(f"{file}: {one.text}")

    async def act(app: App) -> Imported:
        write = partial(
            subscribe_listed,
            app.db,
            slugs=channel,
            confirmed=confirmed,
            now=app.clock(),
            secrets=app.secrets,
            new_salt=partial(os.urandom, SALT_SIZE),
        )
        with _progress_bar(f"importing {file.name}") as progress:
            done = await import_subscribers(
                file, write=write, known_zones=known_zones(), report=report, progress=progress
            )
        await have_counted(app.db)
        return done

    done = run_async(ctx, act)
    if json:
        errors = [{"line": one.line, "reason": one.reason} for one in refused]
        print_json(
            {
                "rows": done.rows,
                "subscribed": done.subscribed,
                "asked": done.asked,
                "unchanged": done.unchanged,
                "refused": done.refused,
                "bad": done.bad,
                "errors": errors,
            }
        )
    else:
        say(
            f"{done.rows} rows: {done.subscribed} subscribed, {done.asked} asked to confirm, "
            f"{done.unchanged} unchanged, {done.refused} refused, {done.bad} bad"
        )
    if refused:
        raise typer.Exit(1)


@contextmanager
def _progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is, on a terminal; nothing when the output goes elsewhere."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)


@app.command()
def export(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Print everybody as CSV, a row for each subscription.

    A cell that a spreadsheet would run as a formula begins with an apostrophe, which importing takes off again.
    """

    async def act(app: App) -> None:
        await (_export_json if json else _export_csv)(each_person(app.db))

    run_async(ctx, act)


async def _export_json(people: AsyncIterator[Held]) -> None:
    """Print one JSON list, a person a line, as it is read."""
    before = "[\n"
    async for one in people:
        _put(before + json_module.dumps(_as_dict(*one), ensure_ascii=False))
        before = ",\n"
    _put(("[" if before == "[\n" else "\n") + "]\n")


async def _export_csv(people: AsyncIterator[Held]) -> None:
    _put(_csv_line(_EXPORTED))
    async for person, held in people:
        data = _as_dict(person, held)
        about = {name: data.get(name) or "" for name in _EXPORTED}
        rows = [
            about | {"frequency": one.frequency.value, "channel": one.channel_slug, "subscription": one.state.value}
            for one in held
        ]
        for row in rows or [about]:
            _put(_csv_line([write_cell(row[name]) for name in _EXPORTED]))


def _csv_line(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _put(text: str) -> None:
    """Write to stdout in UTF-8 whatever the locale: what is exported must be importable elsewhere."""
    sys.stdout.buffer.write(text.encode())


@app.command()
def show(
    ctx: typer.Context, email: Annotated[str, typer.Argument(metavar="EMAIL")], *, json: JsonOption = False
) -> None:
    """Show one subscriber with all subscriptions, ended ones too."""

    async def ask(app: App) -> Held | None:
        return await person_by_address(app.db, email)

    found = run_async(ctx, ask)
    if found is None:
        raise NotFoundError(f"there is no subscriber {email.strip()}; `alerts subscribers list` shows them")
    data = _as_dict(*found)
    if json:
        print_json(data)
        return
    for key in ("email", "state", "name", "language", "time_zone", "created_at", "confirmed_at", "paused_until"):
        say(f"{key}: {data[key] or ''}")
    for one in data["subscriptions"]:
        why = f" ({one['end_reason']} at {one['ended_at']})" if one["end_reason"] else ""
        say(f"  {one['channel']}: {one['state']}{why}, {one['frequency']}")


@app.command()
def forget(
    ctx: typer.Context, email: Annotated[str, typer.Argument(metavar="EMAIL")], *, json: JsonOption = False
) -> None:
    """Erase a person: address, name, subscriptions; mails that wait are not sent. It cannot be undone."""

    async def act(app: App) -> forgetting.Forgotten:
        return await forgetting.forget(app.db, address=email, now=app.clock())

    done = run_async(ctx, act)
    if json:
        print_json({"forgotten": True, "subscriptions": done.subscriptions, "cancelled": done.cancelled})
        return
    say(f"forgotten: {done.subscriptions} subscriptions removed, {done.cancelled} waiting mails cancelled")
