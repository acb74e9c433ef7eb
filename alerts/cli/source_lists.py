"""`alerts sources import` and `export`: lists of feeds in OPML, as feed readers write them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.core.errors import InputError
from alerts.core.model import Content, SourceKind
from alerts.services import sources as service
from alerts.sources.opml import LARGEST, FeedList, ListedFeed, read_opml, write_opml

ContentOption = Annotated[
    Content,
    typer.Option(
        "--content",
        help="Which text is the article: the feed's summary, its content, or the page behind the link.",
    ),
]
_MOST_SAID = 50  # problems of a file


def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file, or - for what is piped in.")],
    *,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The feeds may be on private or loopback addresses.")
    ] = False,
    content: ContentOption = Content.CONTENT,
    json: JsonOption = False,
) -> None:
    """Add the feeds that an OPML file lists; what they hold at their first poll is stored and mailed to nobody."""
    listed = _read(file)

    async def ask(app: App) -> service.AddedFeeds:
        feeds = [(one.url, one.name) for one in listed.feeds]
        return await service.add_feeds(
            app.db,
            feeds,
            allow_private=allow_private,
            content=content,
            now=app.clock(),
            on_progress=_tell_progress,
        )

    added = run_async(ctx, ask)
    if json:
        print_json({"added": added.added, "known": added.known, "problems": listed.problems})
        return
    for problem in listed.problems[:_MOST_SAID]:
        note(f"{file}: {problem}")
    if len(listed.problems) > _MOST_SAID:
        note(f"{file}: and {len(listed.problems) - _MOST_SAID} more rows; --json tells all")
    say(f"{added.added} added, {added.known} known, {len(listed.problems)} rows passed over")


def export(
    ctx: typer.Context,
    *,
    opml: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there; else to stdout.")] = None,
) -> None:
    """Write the feeds as OPML, for a feed reader or another News Alert; folders are left out."""

    async def ask(app: App) -> bytes:
        feeds = [one for one in await service.list_sources(app.db) if one.kind is SourceKind.FEED]
        rows = (ListedFeed(url=one.location, name=one.name) for one in feeds)
        return write_opml(rows, title=app.config.site.name, now=app.clock())

    data = run_async(ctx, ask)
    if opml is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        opml.write_bytes(data)
    except OSError as error:
        raise InputError(f"{opml} cannot be written: {error.strerror}") from error


def _read(file: Path) -> FeedList:
    """Return what a file lists; raise InputError that names it."""
    try:
        if str(file) == "-":
            return read_opml(sys.stdin.buffer.read(LARGEST + 1))
        with file.open("rb") as opened:
            return read_opml(opened.read(LARGEST + 1))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _tell_progress(done: int, total: int) -> None:
    if total > service.FEEDS_A_STEP:
        note(f"{done} of {total} feeds")
