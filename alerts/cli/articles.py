"""`alerts articles`: what was found, what is in a file, and why it matched."""

from __future__ import annotations

from typing import Annotated

import typer

from alerts.app import App
from alerts.cli.article_view import article_as_dict, article_as_text, load_article
from alerts.cli.context import run_async
from alerts.cli.explain import explain
from alerts.cli.output import JsonOption, print_json, print_table, say
from alerts.core.model import Article
from alerts.services.articles import list_articles, matching_slugs

app = typer.Typer(no_args_is_help=True)
app.command("explain")(explain)


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List the articles seen last."""

    async def main(app: App) -> list[tuple[Article, list[str]]]:
        found = await list_articles(app.db, limit=limit)
        return list(zip(found, await matching_slugs(app.db, found), strict=True))

    found = run_async(ctx, main)
    if json:
        print_json([article_as_dict(article, slugs) for article, slugs in found])
        return
    rows = [
        [
            str(article.id),
            f"{article.first_seen_at:%Y-%m-%d %H:%M}",
            article.source_name,
            article.item.title,
            ", ".join(slugs),
        ]
        for article, slugs in found
    ]
    print_table(["id", "seen (UTC)", "source", "title", "channels"], rows, empty="no articles yet")


@app.command("show")
def show(
    ctx: typer.Context,
    file_or_id: Annotated[str, typer.Argument(metavar="FILE-OR-ID", help="A file, which is not stored, or an id.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show an article and the channels that it answers."""

    async def main(app: App) -> tuple[Article, list[str]]:
        found = await load_article(app, file_or_id)
        return found.article, (await matching_slugs(app.db, [found.article]))[0]

    article, slugs = run_async(ctx, main)
    if json:
        print_json(article_as_dict(article, slugs))
    else:
        say(article_as_text(article, slugs))
