"""`alerts articles explain`: why an article answers which channel, and whether a subscriber gets it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.app import App
from alerts.cli.article_view import article_as_dict, load_article
from alerts.cli.context import run_async
from alerts.cli.output import JsonOption, note, print_json, say
from alerts.services.explain import Answer, Explanation, Person, explain_article


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
    for answer in found.answers:
        _say_answer(answer)
    if not found.answers:
        note("no channels; declare them in the config, or use `alerts channels add`")
    if found.person is not None:
        say(f"{found.person.email}: {found.person.why}")


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
        },
        "why": person.why,
    }


def _say_answer(answer: Answer) -> None:
    say(f"{'yes' if answer.matched else 'no ':3}  {answer.score:.2f}  {answer.channel.slug}: {answer.why}")
    for hit in answer.hits:
        say(f"           {hit.term}: {hit.zone} ×{hit.count}")
