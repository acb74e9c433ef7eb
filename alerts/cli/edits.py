"""What an edited query would change, as people and scripts read it, and `alerts channels edit`, which asks first."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.core.edits import Edit
from alerts.core.errors import InputError
from alerts.core.model import Channel
from alerts.services import channels as service
from alerts.services.aliases import reader_of
from alerts.services.back_test import BackTest, Headline, back_test

_TELLS_AT = 5_000  # articles: somebody waits; a multiple of a back-test's pieces


def edit(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(metavar="SLUG")],
    *,
    query: Annotated[str | None, typer.Option(help="What it is to ask.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="Its new name for readers.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Save without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    json: JsonOption = False,
) -> None:
    """Change a channel that was added by hand: shows what its last 30 days would have been, then asks."""
    if query is None and name is None:
        raise InputError("say what to change: --query, --name, or both")
    if json and not (yes or dry_run):
        raise InputError("--json asks nothing: add --yes to save, or --dry-run")
    known, change = run_async(ctx, lambda app: _compare(app, slug, query))
    new_name, new_query = known.name if name is None else name, known.query if query is None else query
    if not json and change is not None:
        say_change(change)
    saved = not dry_run and (yes or typer.confirm(f"Save the channel {slug}?", err=True))
    if saved:
        run_async(ctx, lambda app: service.edit_channel(app.db, known, name=new_name, query=new_query, now=app.clock()))
    if json:
        answer = {"slug": slug, "name": new_name, "query": new_query, "saved": saved}
        print_json(answer | {"change": change_as_dict(change) if change else None})
    else:
        say(f"saved the channel {slug}" if saved else f"the channel {slug} is as it was")


async def _compare(app: App, slug: str, query: str | None) -> tuple[Channel, BackTest | None]:
    known = await service.editable_channel(app.db, slug)
    if query is None or query == known.query:
        return known, None
    edit = Edit(slug=slug, old=known.query, new=query)
    return known, (
        await back_test(app.db, [edit], now=app.clock(), progress=tell_progress, read=reader_of(app.config.aliases))
    )[0]


def tell_progress(done: int, total: int, *, of: str = "articles of the last 30 days") -> None:
    """Say on stderr how far it is, every few thousand articles."""
    if done % _TELLS_AT == 0 and done < total:
        note(f"asked about {done:,} of {total:,} {of} …")


def change_as_dict(change: BackTest) -> dict[str, Any]:
    """Return a back-test under the names that scripts rely on."""
    return {
        "slug": change.edit.slug,
        "old_query": change.edit.old,
        "new_query": change.edit.new,
        "articles": change.articles,
        "matched_before": change.before,
        "matched_after": change.after,
        "gained": change.gained,
        "lost": change.lost,
        "gained_articles": [_headline(one) for one in change.newest_gained],
        "lost_articles": [_headline(one) for one in change.newest_lost],
        "mails_a_month_before": change.mails_before,
        "mails_a_month_after": change.mails_after,
    }


def say_change(change: BackTest) -> None:
    """Print a back-test for people, with the newest titles."""
    say(summary_of(change))
    for sign, number, newest in (
        ("+", change.gained, change.newest_gained),
        ("-", change.lost, change.newest_lost),
    ):
        for one in newest:
            say(f"  {sign} {one.id}  {one.title}")
        if number > len(newest):
            say(f"  {sign} … and {number - len(newest)} more")


def summary_of(change: BackTest) -> str:
    """Say a back-test in one line."""
    name = change.edit.slug or "the query"
    if change.edit.old == change.edit.new:
        name = f"{name} (its aliases changed)"
    if change.edit.old is None:
        found = f"in the last 30 days {change.after} of {change.articles} articles"
        return f"{name} is new: {found}; {volume(change.mails_after)}"
    known = change.mails_before is not None and change.mails_after is not None
    mails = f"{volume(change.mails_before)} before, {volume(change.mails_after)} after" if known else volume(None)
    return f"{name}, last 30 days: {change.gained} gained, {change.lost} lost of {change.articles} articles; {mails}"


def volume(mails: int | None) -> str:
    """Say how many mails a month a channel makes.

    >>> volume(1), volume(None)
    ('about 1 mail a month', 'too young to say how many mails a month')
    """
    if mails is None:
        return "too young to say how many mails a month"
    return f"about {mails} mail{'' if mails == 1 else 's'} a month"


def _headline(one: Headline) -> dict[str, Any]:
    return {"id": one.id, "title": one.title}
