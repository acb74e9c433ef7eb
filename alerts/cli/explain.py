"""`alerts articles explain`: why an article answers which channel, and whether a subscriber gets it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.article_view import article_as_dict, load_article
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.services.explain import Answer, Explanation, Person, explain_article
from alerts.storage.traces import Trace


def explain(
    ctx: typer.Context,
    article: Annotated[str, typer.Argument(metavar="FILE-OR-ID", help="A file, which is not stored, or an id.")],
    *,
    channel: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this channel.", show_default=False)] = None,
    subscriber: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="Say also what became of it for this person.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show for each channel whether an article answers it, with the terms, where they stand and the score."""

    async def ask(app: App) -> Explanation:
        found = await load_article(app, article)
        return await explain_article(app.db, found.article, slug=channel, email=subscriber, stored=found.is_stored)

    found = run_async(ctx, ask)
    if json:
        print_json(_as_dict(found))
        return
    say(found.article.item.title)
    if found.article.same_story_as is not None:
        say(f"the same story as article {found.article.same_story_as} of another source: channels told then not again")
    for answer in found.answers:
        _say_answer(answer)
    if not found.answers:
        note("no channels; declare them in the config, or use `alerts channels add`")
    if found.person is not None:
        _say_person(found.person)


def _as_dict(found: Explanation) -> dict[str, Any]:
    slugs = [answer.channel.slug for answer in found.answers if answer.matched]
    data: dict[str, Any] = {
        "article": article_as_dict(found.article, slugs),
        "channels": [_answer_as_dict(answer) for answer in found.answers],
    }
    if found.person is not None:
        data["subscriber"] = _person_as_dict(found.person)
    return data


def _answer_as_dict(answer: Answer) -> dict[str, Any]:
    return {
        "slug": answer.channel.slug,
        "name": answer.channel.name,
        "query": answer.channel.query,
        "matched": answer.matched,
        "score": answer.score,
        "hits": [{"term": hit.term, "zone": hit.zone, "count": hit.count} for hit in answer.hits],
        "why": answer.why,
        "quotes": [
            {"term": one.term, "zone": one.zone, "before": one.before, "found": one.found, "after": one.after}
            for one in answer.quotes
        ],
    }


def _person_as_dict(person: Person) -> dict[str, Any]:
    trace = person.delivery
    return {
        "email": person.email,
        "state": person.state,
        "subscriptions": [
            {"channel": one.channel_slug, "state": one.state, "frequency": one.frequency}
            for one in person.subscriptions
        ],
        "delivery": None
        if trace is None
        else {
            "id": trace.delivery_id,
            "state": trace.state,
            "due_at": trace.due_at,
            "finished_at": trace.finished_at,
            "attempts": trace.attempts,
            "reply": trace.reply,
            "relay": trace.relay,
            "lane": trace.lane.value,
            "dated_at": trace.dated_at,
            "faults": trace.faults,
            "in_doubt": trace.in_doubt,
            "worker": trace.worker,
            "lease_until": trace.lease_until,
        },
        "why": person.why,
        "named_channels": list(person.named),
        "limits": list(person.limits),
    }


def _say_answer(answer: Answer) -> None:
    say(f"{'yes' if answer.matched else 'no ':3}  {answer.score:.2f}  {answer.channel.slug}: {answer.why}")
    say(f"           asks {answer.channel.query}")
    for hit in answer.hits:
        say(f"           {hit.term}: {hit.zone} ×{hit.count}")
        for quote in answer.quotes:
            if (quote.term, quote.zone) == (hit.term, hit.zone):
                say(f"               {quote}")


def _say_person(person: Person) -> None:
    say(f"{person.email}: {person.why}")
    for limit in person.limits:
        say(f"  limit   {limit}")
    if person.named:
        say(f"  merged  one mail names {', '.join(person.named)}")
    if person.delivery is not None:
        say(f"  queue   {_queue(person.delivery)}")
        say(f"  reply   {_reply(person.delivery)}")


def _queue(trace: Trace) -> str:
    """Say how a delivery stands in the queue, or stood."""
    parts = [f"lane {trace.lane.value} ({trace.lane.name.lower()})", f"first due {_time(trace.dated_at)}"]
    parts += [f"due {_time(trace.due_at)}"] if trace.finished_at is None else []
    parts += [f"claimed by {trace.worker} until {_time(trace.lease_until)}"] if trace.lease_until else []
    parts.append(f"{trace.attempts} attempt{'' if trace.attempts == 1 else 's'}")
    parts += [f"{trace.faults} faults of our own"] if trace.faults else []
    parts += ["in doubt: a connection dropped after the text"] if trace.in_doubt else []
    return ", ".join(parts)


def _reply(trace: Trace) -> str:
    """Say what a server answered last, which one, and when it was over."""
    said = trace.reply or "none yet"
    relay = f" from {trace.relay}" if trace.relay else ""
    return f"{said}{relay}{f' at {_time(trace.finished_at)}' if trace.finished_at else ''}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
