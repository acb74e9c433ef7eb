"""`alerts channels`: the named queries, what they match, and a place to try one before readers depend on it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.edits import edit
from alerts.cli.output import JsonOption, print_json, print_table, say
from alerts.cli.trials import try_
from alerts.config import Config
from alerts.core.model import Channel, ChannelState
from alerts.core.sentences import ENGLISH, spoken, translator
from alerts.core.snippets import form_snippet, frame_snippet
from alerts.languages import catalogues
from alerts.services import channels as service
from alerts.storage.channels import ListedChannel

app = typer.Typer(no_args_is_help=True)


def _as_dict(listed: ListedChannel, mails: int | None) -> dict[str, Any]:
    channel = listed.channel
    return {
        "slug": channel.slug,
        "name": channel.name,
        "query": channel.query,
        "state": channel.state,
        "origin": listed.origin,
        "matches": listed.matches,
        "subscribers": listed.subscribers,
        "mails_a_month": mails,
        "created_at": listed.created_at,
        "changed_at": listed.changed_at,
    }


@app.command("list")
def list_(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """List the channels with how many articles they matched and how many people they reach."""

    async def ask(app: App) -> tuple[list[ListedChannel], dict[int, int | None]]:
        return await service.list_channels(app.db), await service.mails_a_month(app.db, now=app.clock())

    found, mails = run_async(ctx, ask)
    if json:
        print_json([_as_dict(one, mails.get(one.channel.id)) for one in found])
        return
    rows = [
        [
            one.channel.slug,
            one.channel.name,
            one.channel.state.value,
            str(one.matches),
            str(one.subscribers),
            one.channel.query,
            _short(mails.get(one.channel.id)),
        ]
        for one in found
    ]
    columns = ["slug", "name", "state", "matches", "subscribers", "query", "mails a month"]
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

    async def ask(app: App) -> tuple[ListedChannel, Config, dict[int, int | None]]:
        mails = await service.mails_a_month(app.db, now=app.clock())
        return await service.show_channel(app.db, slug), app.config, mails

    listed, config, mails = run_async(ctx, ask)
    data, snippets = _as_dict(listed, mails.get(listed.channel.id)), _snippets(listed.channel, config)
    if json:
        print_json(data | snippets)
        return
    for key, value in data.items():
        say(f"{key}: {_short(value) if key == 'mails_a_month' else value}")
    if snippets["embed"]:
        say(f"\nThe box in a frame, for another page (docs/embedding.md):\n\n{snippets['embed']}")
        say(f"The box as a plain form, which takes that page's look:\n\n{snippets['form']}")


def _short(mails: int | None) -> str:
    return "too young to say" if mails is None else f"about {mails}"


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


app.command("test")(try_)
app.command("edit")(edit)
