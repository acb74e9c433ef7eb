"""`alerts channels test`: the examples, the stored articles and the last 30 days, before readers depend on a query."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from alerts.app import App
from alerts.cli.context import run_joined
from alerts.cli.edits import change_as_dict, say_change, tell_progress, volume
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.config import ChannelConfig
from alerts.core.edits import Edit
from alerts.core.errors import InputError
from alerts.core.model import ChannelState
from alerts.services import channels as service
from alerts.services.aliases import reader_of
from alerts.services.back_test import BackTest, back_test
from alerts.services.examples import Failure, failing_examples
from alerts.services.try_channels import Trial, edits_of, try_channels, try_query

_SHOWN = 20  # titles for people; --json has all


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """What there is to say of one channel, or of a query that is none's."""

    trial: Trial
    examples: int
    failures: list[Failure]
    change: BackTest | None  # to the query that is in force
    mails: int | None  # a month


def try_(
    ctx: typer.Context,
    slug: Annotated[str | None, typer.Argument(metavar="[SLUG]", help="Only this channel.", show_default=False)] = None,
    *,
    query: Annotated[str | None, typer.Option(help="Try this query instead of a channel's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Ask about so many articles, the newest.")] = 1000,
    json: JsonOption = False,
) -> None:
    """Run the channels' examples, show which stored articles each matches, and what the config would change."""
    if slug is not None and query is not None:
        raise InputError("give a slug or --query, not both")
    tested = run_joined(ctx, lambda app: _test(app, slug, limit) if query is None else _test_query(app, query, limit))
    if json:
        print_json([_as_dict(one) for one in tested])
    else:
        for one in tested:
            _say(one)
        if not tested:
            note(f"no {ChannelState.ACTIVE.value} channels")
    if any(one.trial.problem or one.failures for one in tested):
        raise typer.Exit(1)


async def _test(app: App, slug: str | None, limit: int) -> list[_Tested]:
    """Test the channels as the config has them, whatever is in force, and those added by hand."""
    declared = app.config.channels
    read = reader_of(app.config.aliases)
    trials = await try_channels(app.db, slug=slug, limit=limit, declared=declared, read=read, progress=_tell)
    wanted = {one.slug: one for one in declared if slug in {None, one.slug}}
    failures = await failing_examples(wanted.values(), time_zone=ZoneInfo(app.config.site.time_zone), read=read)
    changes = await _changes(app, list(wanted.values()), slug)
    mails = await _mails_in_force(app)
    return [
        _Tested(
            trial=trial,
            examples=len(wanted[trial.slug].examples) if trial.slug in wanted else 0,
            failures=[one for one in failures if one.slug == trial.slug],
            change=changes.get(trial.slug),
            mails=changes[trial.slug].mails_after if trial.slug in changes else mails.get(trial.slug),
        )
        for trial in trials
    ]


async def _changes(app: App, declared: list[ChannelConfig], slug: str | None) -> dict[str | None, BackTest]:
    edits = [edit for edit in await edits_of(app.db, declared, app.config.aliases) if slug in {None, edit.slug}]
    tested = await back_test(app.db, edits, now=app.clock(), progress=tell_progress, read=reader_of(app.config.aliases))
    return {one.edit.slug: one for one in tested}


async def _mails_in_force(app: App) -> dict[str | None, int | None]:
    by_id = await service.mails_a_month(app.db, now=app.clock())
    return {one.channel.slug: by_id.get(one.channel.id) for one in await service.list_channels(app.db)}


async def _test_query(app: App, query: str, limit: int) -> list[_Tested]:
    trial = await try_query(app.db, query, limit=limit, read=reader_of(app.config.aliases), progress=_tell)
    edit = Edit(slug=None, old=None, new=query)
    (change,) = await back_test(
        app.db, [edit], now=app.clock(), progress=tell_progress, read=reader_of(app.config.aliases)
    )
    return [_Tested(trial=trial, examples=0, failures=[], change=None, mails=change.mails_after)]


def _tell(done: int, most: int) -> None:
    tell_progress(done, most, of="articles")


def _as_dict(tested: _Tested) -> dict[str, Any]:
    trial = tested.trial
    return {
        "slug": trial.slug,
        "query": trial.query,
        "problem": trial.problem,
        "articles": trial.asked,
        "matched": len(trial.answering),
        "matches": [{"id": one.id, "title": one.title, "score": one.score} for one in trial.answering],
        "mails_a_month": tested.mails,
        "examples": {"tried": tested.examples, "failed": [_failure_as_dict(one) for one in tested.failures]},
        "change": change_as_dict(tested.change) if tested.change else None,
    }


def _failure_as_dict(failure: Failure) -> dict[str, Any]:
    return {
        "place": failure.example.place,
        "must": failure.example.must,
        "example": failure.example.label,
        "why": failure.why,
    }


def _say(tested: _Tested) -> None:
    trial = tested.trial
    name = trial.slug or "the query"
    if trial.problem:
        say(f"{name}: {trial.problem}\n{indent(trial.picture, '    ')}")
        return
    say(f"{name}: matches {len(trial.answering)} of {trial.asked} articles")
    for one in trial.answering[:_SHOWN]:
        say(f"  {one.score:.2f}  {one.id}  {one.title}")
    if len(trial.answering) > _SHOWN:
        say(f"  … and {len(trial.answering) - _SHOWN} more")
    if trial.asked:
        say(f"  {volume(tested.mails)}")
    if tested.examples:
        say(f"  {tested.examples - len(tested.failures)} of {tested.examples} examples hold")
    for failure in tested.failures:
        say(f"  {failure}")
    if tested.change is not None and tested.change.articles:
        say_change(tested.change)
