"""`alerts sources`: the feeds and folders that are polled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from alerts.app import App, utc_now
from alerts.cli import source_lists
from alerts.cli.context import run_async
from alerts.cli.floods import held_as_dict, held_in_words, mount
from alerts.cli.hubs import hub_as_dict, hub_in_words
from alerts.cli.output import JsonOption, note, print_json, print_table, say
from alerts.cli.source_lists import ContentOption
from alerts.core.errors import FetchError, InputError, RefusedTargetError
from alerts.core.feed_choice import choose as choose_feed
from alerts.core.model import Content, Source, SourceKind, SourceState
from alerts.core.source_names import feed_location
from alerts.services import sources as service
from alerts.services.decide_flood import held_sources
from alerts.services.discover_feed import discover_feed
from alerts.services.poll import poll_feed
from alerts.services.read_folder import read_folder
from alerts.sources.fetch import Fetcher
from alerts.sources.page_reader import PageReader
from alerts.sources.parser_process import ParserProcess
from alerts.storage.floods import Flood
from alerts.storage.websub import HubSubscription

app = typer.Typer(no_args_is_help=True)
app.command("import")(source_lists.import_)
app.command("export")(source_lists.export)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As `alerts sources list` shows it.")]
_AT_ONCE = 16  # one that hangs keeps nobody waiting but itself
_RESTING = (SourceState.PAUSED, SourceState.STOPPED)


@app.command("list")
def list_(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """List the sources, and how each does."""

    async def ask(app: App) -> tuple[list[Source], dict[int, Flood], dict[int, HubSubscription]]:
        return await service.list_sources(app.db), await held_sources(app.db), await service.hubs_by_source(app.db)

    found, held, hubs = run_async(ctx, ask)
    if json:
        more = [{"held": held_as_dict(held.get(one.id)), "hub": hub_as_dict(hubs.get(one.id))} for one in found]
        print_json([{**_as_dict(one), **beside} for one, beside in zip(found, more, strict=True)])
        return
    now = utc_now()
    rows = [
        [
            one.name,
            one.kind.value,
            f"failing since {one.failing_since_at:%Y-%m-%d %H:%M}" if one.failing_since_at else one.state.value,
            f"{one.polled_at:%Y-%m-%d %H:%M}" if one.polled_at else "never",
            one.location,
            "; ".join(
                filter(None, (held_in_words(held.get(one.id)), one.reason, hub_in_words(hubs.get(one.id), now=now)))
            ),
        ]
        for one in found
    ]
    print_table(
        ["name", "kind", "state", "last poll that worked (UTC)", "where", "why"],
        rows,
        empty="no sources; `alerts sources add URL` adds a feed",
    )


@app.command()
def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Of an RSS, Atom or JSON feed, or of a page with some.")],
    *,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The feed may be on a private or loopback address.")
    ] = False,
    content: ContentOption = Content.CONTENT,
    choose: Annotated[int | None, typer.Option(metavar="NUMBER", help="Which of the feeds that a page offers.")] = None,
    unasked: Annotated[
        bool, typer.Option("--unasked", help="Take the address as it is; whether it is a feed, its first poll tells.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Add a feed; what it holds at its first poll is stored and mailed to nobody."""

    async def ask(app: App) -> Source:
        location = feed_location(url)
        service.refuse_without_its_part(content)
        if not unasked:
            location = await _find_feed(app, location, choose, allow_private=allow_private)
        return await service.add_feed(app.db, location, allow_private=allow_private, content=content, now=app.clock())

    added = run_async(ctx, ask)
    if added.location != url.strip():
        note(f"the feed is {added.location}")
    _show(added, "added", json=json)


@app.command()
def poll(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one; else all of them.")] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Poll now, whatever the schedule says; what is new is mailed by `alerts run`."""

    async def ask(app: App) -> list[dict[str, Any]]:
        if name is not None:
            return await poll_each(app, [_pollable(await service.find_source(app.db, name))])
        return await poll_each(app, [one for one in await service.list_sources(app.db) if _is_polled(one)])

    results = run_async(ctx, ask)
    if json:
        print_json(results)
    else:
        _tell(results)
    if not all(result["worked"] for result in results):
        raise typer.Exit(1)


@app.command()
def pause(ctx: typer.Context, name: NameArgument, *, json: JsonOption = False) -> None:
    """Poll a source no more, until it is resumed."""

    async def ask(app: App) -> Source:
        return await service.pause_source(app.db, name)

    _show(run_async(ctx, ask), "paused", json=json)


@app.command()
def resume(ctx: typer.Context, name: NameArgument, *, json: JsonOption = False) -> None:
    """Poll a paused or stopped source again; what appeared meanwhile is new."""

    async def ask(app: App) -> Source:
        return await service.resume_source(app.db, name, now=app.clock())

    _show(run_async(ctx, ask), "resumed", json=json)


@app.command()
def remove(ctx: typer.Context, name: NameArgument, *, json: JsonOption = False) -> None:
    """Remove a source that was added by hand; its articles stay."""

    async def ask(app: App) -> Source:
        return await service.remove_source(app.db, name)

    _show(run_async(ctx, ask), "removed", json=json)


async def _find_feed(app: App, url: str, number: int | None, *, allow_private: bool) -> str:
    """Return the address of the feed that is meant; raise InputError when that is not clear, or there is none."""
    async with Fetcher(about=app.config.site.url) as fetcher, ParserProcess(children=1) as parser:
        try:
            found = await discover_feed(fetcher, parser, url, allow_private=allow_private)
        except RefusedTargetError as error:
            raise InputError(f"{error}; on the command line, --allow-private") from error
        except FetchError as error:
            raise InputError(f"{error}; --unasked adds the address all the same") from error
    return url if found.is_feed else feed_location(choose_feed(found.links, number).url)


async def poll_each(app: App, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Poll sources now, many at a time; say what came of each, in the order given."""
    gate = asyncio.Semaphore(_AT_ONCE)
    async with (
        Fetcher(about=app.config.site.url) as fetcher,
        ParserProcess() as parser,
        PageReader(fetcher) as page_reader,
    ):

        async def poll(source: Source) -> dict[str, Any]:
            async with gate:
                return await poll_one(app, source, fetcher, parser, page_reader)

        return list(await asyncio.gather(*(poll(source) for source in sources)))


async def poll_one(
    app: App, source: Source, fetcher: Fetcher, parser: ParserProcess, page_reader: PageReader
) -> dict[str, Any]:
    """Poll a source of either kind now; say what came of it."""
    if source.kind is SourceKind.FOLDER:
        return await _read_folder(app, source)
    jitter = random.random()  # noqa: S311 - spreads load, protects nothing
    polled = await poll_feed(
        app.db,
        fetcher,
        parser,
        source.id,
        now=app.clock(),
        jitter=jitter,
        only_due=False,
        page_reader=page_reader,
    )
    if not polled.claimed:
        return _result(source, worked=True, reason="another process polls it right now")
    return _result(
        source,
        worked=polled.worked,
        new=polled.new,
        changed=polled.changed,
        seen=polled.seen,
        held=polled.held,
        reason=polled.reason,
        pages_not_read=polled.pages.failures,
    )


async def _read_folder(app: App, source: Source) -> dict[str, Any]:
    read = await read_folder(
        app.db, source, now=app.clock(), site_time_zone=ZoneInfo(app.config.site.time_zone), once=True
    )
    return _result(
        source,
        worked=read.worked,
        new=read.new,
        changed=read.changed,
        seen=read.seen,
        held=read.held,
        reason=read.reason,
    )


def _is_polled(source: Source) -> bool:
    return source.state not in _RESTING and source.kind is not SourceKind.API


def _pollable(source: Source) -> Source:
    """Return the source; raise InputError when the operator or its server said that it is not to be polled."""
    if source.kind is SourceKind.API:
        raise InputError(f"{source.name} is not polled: whoever holds its key posts to us")
    if source.state in _RESTING:
        raise InputError(f"{source.name} is {source.state.value}; `alerts sources resume` first")
    return source


def _result(
    source: Source,
    *,
    worked: bool,
    new: int = 0,
    changed: int = 0,
    seen: int = 0,
    held: int = 0,
    reason: str | None = None,
    pages_not_read: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "name": source.name,
        "worked": worked,
        "new": new,
        "changed": changed,
        "seen": seen,
        "held": held,
        "reason": reason,
        "pages_not_read": dict(pages_not_read or {}),
    }


def _tell(results: Sequence[dict[str, Any]]) -> None:
    for result in results:
        if result["worked"]:
            held = f"{result['held']} held as a flood, see `alerts sources show`" if result["held"] else None
            remarks = "; ".join(filter(None, (held, result["reason"])))
            remark = f" ({remarks})" if remarks else ""
            say(f"{result['name']}: {result['new']} new, {result['changed']} changed, {result['seen']} known{remark}")
            for url, why in result["pages_not_read"].items():
                note(f"{result['name']}: {url} was not read: {why}")
        else:
            note(f"{result['name']}: {result['reason']}")
    if not results:
        note("no sources to poll; `alerts sources add URL` adds a feed")


def _show(source: Source, done: str, *, json: bool) -> None:
    if json:
        print_json(_as_dict(source))
    else:
        say(f"{done}: {source.name}")


def _as_dict(one: Source) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "location": one.location,
        "state": one.state,
        "reason": one.reason,
        "every_s": one.every.total_seconds(),
        "first_poll": one.first_poll,
        "max_age_s": one.max_age,
        "allow_private": one.allow_private,
        "failures": one.failures,
        "failing_since_at": one.failing_since_at,
        "polled_at": one.polled_at,
        "next_poll_at": one.next_poll_at,
        "flood": one.flood,
        "every_at_most_s": one.every_at_most and one.every_at_most.total_seconds(),
        "moved_to": one.moved_to,
        "warned_at": one.warned_at,
        "content": one.content,
    }


mount(app, _as_dict)
