"""`alerts channels`: the named queries, what they match, and a place to try one before readers depend on it."""

from __future__ import annotations

from textwrap import indent
from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, print_table, say
from alerts.config import Config
from alerts.core.errors import InputError
from alerts.core.model import Channel, ChannelState
from alerts.core.sentences import ENGLISH, spoken, translator
from alerts.core.snippets import form_snippet, frame_snippet
from alerts.languages import catalogues
from alerts.services import channels as service
from alerts.services.try_channels import Trial, try_channels, try_query
from alerts.storage.channels import ListedChannel

app = typer.Typer(no_args_is_help=True)
_SHOWN = 20  # titles for people; --json has all


def _as_dict(listed: ListedChannel) -> dict[str, Any]:
    channel = listed.channel
    return {
        "slug": channel.slug,
        "name": channel.name,
        "query": channel.query,
        "state": channel.state,
        "origin": listed.origin,
        "matches": listed.matches,
        "subscribers": listed.subscribers,
        "created_at": listed.created_at,
        "changed_at": listed.changed_at,
    }


@app.command("list")
def list_(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """List the channels with how many articles they matched and how many people they reach."""

    async def ask(app: App) -> list[ListedChannel]:
        return await service.list_channels(app.db)

    found = run_async(ctx, ask)
    if json:
        print_json([_as_dict(one) for one in found])
        return
    rows = [
        [
            one.channel.slug,
            one.channel.name,
            one.channel.state.value,
            str(one.matches),
            str(one.subscribers),
            one.channel.query,
        ]
        for one in found
    ]
    columns = ["slug", "name", "state", "matches", "subscribers", "query"]
    print_table(columns, rows, empty="no channels; declare them in the config, or use `alerts channels add`")


@app.command()
def add(
    ctx: typer.Context,
    *,
    slug: Annotated[str, typer.Option(help="Its name in links and commands: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Its name for readers.")],
    query: Annotated[str, typer.Option(help="What it asks; docs/query.md explains the language.")],
    json: JsonOption = False,
) -> None:
    """Add a channel, or bring a retired one back; articles are asked about from now on."""

    async def act(app: App) -> Channel:
        return await service.add_channel(app.db, slug=slug, name=name, query=query, now=app.clock())

    added = run_async(ctx, act)
    if json:
        print_json({"slug": added.slug, "name": added.name, "query": added.query, "state": added.state})
        return
    say(f"added the channel {added.slug} ({added.name})")


@app.command()
def show(ctx: typer.Context, slug: Annotated[str, typer.Argument(metavar="SLUG")], *, json: JsonOption = False) -> None:
    """Show one channel with all that is known of it, and the HTML that puts its box on another page."""

    async def ask(app: App) -> tuple[ListedChannel, Config]:
        return await service.show_channel(app.db, slug), app.config

    listed, config = run_async(ctx, ask)
    data, snippets = _as_dict(listed), _snippets(listed.channel, config)
    if json:
        print_json(data | snippets)
        return
    for key, value in data.items():
        say(f"{key}: {value}")
    if snippets["embed"]:
        say(f"\nThe box in a frame, for another page (docs/embedding.md):\n\n{snippets['embed']}")
        say(f"The box as a plain form, which takes that page's look:\n\n{snippets['form']}")


def _snippets(channel: Channel, config: Config) -> dict[str, str | None]:
    """Return the HTML for other pages, in the site's language; none for a channel that is closed."""
    if channel.state is ChannelState.RETIRED:
        return {"embed": None, "form": None}
    known = catalogues(config.templates)
    say_html = translator(known[spoken([config.site.language], known) or ENGLISH], html=True)
    root = config.site.url.rstrip("/")
    return {
        "embed": frame_snippet(channel, root=root, say=say_html),
        "form": form_snippet(channel, root=root, say=say_html),
    }


@app.command("test")
def try_(
    ctx: typer.Context,
    slug: Annotated[str | None, typer.Argument(metavar="[SLUG]", help="Only this channel.", show_default=False)] = None,
    *,
    query: Annotated[str | None, typer.Option(help="Try this query instead of a channel's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Ask about so many articles, the newest.")] = 1000,
    json: JsonOption = False,
) -> None:
    """Read the queries of all channels and show which stored articles each matches; changes nothing."""
    if slug is not None and query is not None:
        raise InputError("give a slug or --query, not both")

    async def ask(app: App) -> list[Trial]:
        if query is not None:
            return [await try_query(app.db, query, limit=limit)]
        return await try_channels(app.db, slug=slug, limit=limit)

    trials = run_async(ctx, ask)
    if json:
        print_json([_trial_as_dict(trial) for trial in trials])
    else:
        for trial in trials:
            _say_trial(trial)
        if not trials:
            note(f"no {ChannelState.ACTIVE.value} channels")
    if any(trial.problem for trial in trials):
        raise typer.Exit(1)


def _trial_as_dict(trial: Trial) -> dict[str, Any]:
    return {
        "slug": trial.slug,
        "query": trial.query,
        "problem": trial.problem,
        "articles": trial.asked,
        "matched": len(trial.answering),
        "matches": [
            {"id": one.article.id, "title": one.article.item.title, "score": one.score} for one in trial.answering
        ],
    }


def _say_trial(trial: Trial) -> None:
    name = trial.slug or "the query"
    if trial.problem:
        say(f"{name}: {trial.problem}\n{indent(trial.picture, '    ')}")
        return
    say(f"{name}: matches {len(trial.answering)} of {trial.asked} articles")
    for one in trial.answering[:_SHOWN]:
        say(f"  {one.score:.2f}  {one.article.id}  {one.article.item.title}")
    if len(trial.answering) > _SHOWN:
        say(f"  … and {len(trial.answering) - _SHOWN} more")
