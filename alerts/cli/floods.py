"""`alerts sources show | release | drop`: what of a source is held as a flood, and the operator's decision about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from alerts.app import App, utc_now
from alerts.cli.context import run_async
from alerts.cli.hubs import hub_as_dict, hub_in_words
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.core.model import Content, FloodDecision, Source
from alerts.services.decide_flood import Decided, Reach, decide_flood, find_flood, reach_of_flood
from alerts.services.sources import hubs_by_source
from alerts.storage.floods import Flood
from alerts.storage.websub import HubSubscription

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As `alerts sources list` shows it.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsDict = Callable[[Source], dict[str, Any]]

_TOLD_EVERY = 10_000  # articles
_DONE = {
    FloodDecision.RELEASED: "released, each is mailed as usual",
    FloodDecision.DIGEST: "released as digest, one mail a subscriber",
    FloodDecision.DROPPED: "dropped, never mailed",
}


def held_in_words(flood: Flood | None) -> str:
    """Say what is held and what to do, for a column or a line; empty when nothing is."""
    return f"{_held(flood)}; release or drop" if flood is not None and flood.decision is None else ""


def held_as_dict(flood: Flood | None) -> dict[str, Any] | None:
    """Give what is held under the names that scripts rely on; None when nothing is."""
    if flood is None or flood.decision is not None:
        return None
    return {"articles": flood.articles, "since_at": flood.began_at, "most_in_24_hours": flood.most}


def mount(app: typer.Typer, as_dict: AsDict) -> None:
    """Add the commands to `alerts sources`; ``as_dict`` says what JSON tells of a source."""

    @app.command()
    def show(ctx: typer.Context, name: NameArgument, *, json: JsonOption = False) -> None:
        """Show one source, the hub that tells of its news, and what of it is held as a flood."""
        source, hub, flood, reach = run_async(ctx, lambda app: _find(app, name))
        if json:
            held = None if reach is None else _reach_as_dict(reach)
            beside = {"hub": hub_as_dict(hub), "held": held, "last_flood": _last_as_dict(flood)}
            print_json({**as_dict(source), **beside})
        else:
            _say_source(as_dict(source), flood, reach)
            if hub is not None:
                say(hub_in_words(hub, now=utc_now()))

    @app.command()
    def release(
        ctx: typer.Context,
        name: NameArgument,
        *,
        as_digest: Annotated[
            bool, typer.Option("--as-digest", help="One mail a subscriber that lists what is held, not one an article.")
        ] = False,
        yes: YesOption = False,
        json: JsonOption = False,
    ) -> None:
        """Mail what a source's flood holds, to those who subscribed before it came."""
        _decide(ctx, name, FloodDecision.DIGEST if as_digest else FloodDecision.RELEASED, yes=yes, json=json)

    @app.command()
    def drop(ctx: typer.Context, name: NameArgument, *, yes: YesOption = False, json: JsonOption = False) -> None:
        """Never mail what a source's flood holds; it stays on the site."""
        _decide(ctx, name, FloodDecision.DROPPED, yes=yes, json=json)


async def _find(app: App, name: str) -> tuple[Source, HubSubscription | None, Flood | None, Reach | None]:
    source, flood = await find_flood(app.db, name)
    hub = (await hubs_by_source(app.db)).get(source.id)
    is_held = flood is not None and flood.decision is None
    return source, hub, flood, await reach_of_flood(app.db, name, now=app.clock()) if is_held else None


def _decide(ctx: typer.Context, name: str, decision: FloodDecision, *, yes: bool, json: bool) -> None:
    """Show what a decision would cause, ask, and take it."""

    async def look(app: App) -> Reach:
        return await reach_of_flood(app.db, name, now=app.clock())

    reach = run_async(ctx, look)
    mails = {FloodDecision.RELEASED: reach.mails, FloodDecision.DIGEST: reach.digests}.get(decision, 0)
    if not yes:
        _say_reach(reach, to=note)
        typer.confirm(f"{_articles(reach.flood)} {_DONE[decision]}: {mails} mails. Go on?", abort=True, err=True)

    async def act(app: App) -> Decided:
        return await decide_flood(app.db, reach.flood.id, decision, now=app.clock(), on_progress=_progress(reach.flood))

    done = run_async(ctx, act)
    if json:
        channels = _channels_as_list(reach)
        counts = {"articles": done.articles, "channels": channels, "mails": mails}
        print_json({"name": reach.source.name, "decision": done.decision, **counts})
    elif done.articles:
        say(f"{reach.source.name}: {done.articles} articles {_DONE[decision]}; {mails} mails at most")
    else:
        say(f"{reach.source.name}: done before, {done.decided_at:%Y-%m-%d %H:%M} UTC; nothing changed")


def _progress(flood: Flood) -> Callable[[int], None]:
    """Say how far a long decision came; killed, the daemon goes on with it."""

    def tell(done: int) -> None:
        if done % _TOLD_EVERY == 0:
            note(f"{done} of {_articles(flood)}")

    return tell


def _say_source(facts: dict[str, Any], flood: Flood | None, reach: Reach | None) -> None:
    for key, value in facts.items():
        if value is not None:
            say(f"{key}: {value}")
    if reach is not None:
        _say_reach(reach)
    elif flood is not None:
        say(f"last flood: {_articles(flood)} since {flood.began_at:%Y-%m-%d %H:%M} UTC, {flood.decision}")


def _say_reach(reach: Reach, *, to: Callable[[str], None] = say) -> None:
    to(f"{_held(reach.flood)}: more than {reach.flood.most} articles came within 24 hours")
    for slug, count in reach.channels:
        to(f"  {slug}: {count} articles")
    if not reach.channels:
        to("  no channel answers any of them")
    to(f"alerts sources release: {reach.mails} mails at most, one an article")
    to(f"alerts sources release --as-digest: {reach.digests} mails, one a subscriber")
    to("alerts sources drop: no mail")
    if reach.source.content is Content.PAGE:
        to("the pages of a flood are not read: its mails quote what the feed says, not the pages (content: page)")


def _held(flood: Flood) -> str:
    return f"held: {_articles(flood)} since {flood.began_at:%Y-%m-%d %H:%M} UTC"


def _articles(flood: Flood) -> str:
    return "1 article" if flood.articles == 1 else f"{flood.articles} articles"


def _reach_as_dict(reach: Reach) -> dict[str, Any]:
    mails = {"mails": reach.mails, "mails_as_digest": reach.digests, "text_of": _text_of(reach.source)}
    return {**(held_as_dict(reach.flood) or {}), "channels": _channels_as_list(reach), **mails}


def _text_of(source: Source) -> str:
    """Name what a release's mails quote: of a flood no page was read."""
    return Content.CONTENT if source.content is Content.PAGE else source.content


def _channels_as_list(reach: Reach) -> list[dict[str, Any]]:
    return [{"slug": slug, "articles": count} for slug, count in reach.channels]


def _last_as_dict(flood: Flood | None) -> dict[str, Any] | None:
    if flood is None or flood.decision is None:
        return None
    return {
        "articles": flood.articles,
        "since_at": flood.began_at,
        "decision": flood.decision,
        "decided_at": flood.decided_at,
    }
