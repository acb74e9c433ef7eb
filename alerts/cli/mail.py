"""`alerts mail`: look at a mail before readers do, and see that mail goes out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from alerts.app import App
from alerts.cli.article_view import load_article
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.core.errors import AlertsError
from alerts.services.preview import Preview
from alerts.services.preview import preview as compose_preview
from alerts.services.send_test import send_test as queue_test

app = typer.Typer(no_args_is_help=True)


@app.command()
def preview(
    ctx: typer.Context,
    file_or_id: Annotated[str, typer.Argument(metavar="FILE-OR-ID", help="A file, which is not stored, or an id.")],
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="The channel whose reader gets the mail.")],
    *,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the HTML part there.")] = None,
    eml: Annotated[Path | None, typer.Option("--eml", metavar="FILE", help="Write the whole mail there.")] = None,
    json: JsonOption = False,
) -> None:
    """Show the mail about an article, its subject and its text part; nothing is stored or sent."""

    async def main(app: App) -> Preview:
        found = await load_article(app, file_or_id)
        made = await compose_preview(
            app.db, article=found.article, slug=slug, site=app.site, templates=app.templates, now=app.clock()
        )
        await asyncio.to_thread(_write, {html: made.html.encode("utf-8"), eml: made.raw})
        return made

    made = run_async(ctx, main)
    if json:
        print_json({"subject": made.subject, "text": made.text, "html": made.html, "size": len(made.raw)})
    else:
        say(f"Subject: {made.subject}\n\n{made.text.rstrip()}")


def _write(files: dict[Path | None, bytes]) -> None:
    """Write the files that were asked for."""
    for path, octets in files.items():
        if path is None:
            continue
        try:
            path.write_bytes(octets)
        except OSError as error:
            raise AlertsError(f"{path} cannot be written: {error.strerror}") from error
        note(f"wrote {path}")


@app.command("send-test")
def send_test(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="EMAIL", help="Who gets the test mail.")],
    *,
    json: JsonOption = False,
) -> None:
    """Queue one test mail; the daemon sends it as it sends every other."""

    async def main(app: App) -> int:
        return await queue_test(app.db, address=address, secrets=app.secrets, now=app.clock())

    delivery_id = run_async(ctx, main)
    if json:
        print_json({"delivery": delivery_id})
    else:
        say(f"queued as delivery {delivery_id}; a running `alerts run` sends it at once, else `alerts run --once` does")
