"""An article on the command line: how one is named, and what is printed of it; the commands are in ``articles``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from alerts.app import App
from alerts.cli.output import note
from alerts.core.model import Article
from alerts.services.articles import FoundArticle, find_article


async def load_article(app: App, file_or_id: str) -> FoundArticle:
    """Return the article with this id or in this file, and say on stderr what is odd about the file."""
    found = await find_article(app.db, file_or_id, now=app.clock(), time_zone=ZoneInfo(app.config.site.time_zone))
    for remark in found.notes:
        note(f"{file_or_id}: {remark}")
    return found


def article_as_dict(article: Article, channels: Sequence[str]) -> dict[str, Any]:
    """Return an article under the names that scripts rely on; one that is not stored has no id."""
    item = article.item
    return {
        "id": article.id or None,
        "title": item.title,
        "summary": list(item.summary),
        "body": item.body,
        "url": item.url,
        "author": item.author,
        "tags": list(item.tags),
        "tickers": list(item.tickers),
        "language": item.language,
        "published_at": item.published_at,
        "first_seen_at": article.first_seen_at if article.id else None,
        "source": article.source_name or None,
        "channels": list(channels),
        "same_story_as": article.same_story_as,
    }


def article_as_text(article: Article, channels: Sequence[str]) -> str:
    """Return an article as people read it in a terminal."""
    item = article.item
    facts = {
        "id": str(article.id) if article.id else "",
        "url": item.url or "",
        "author": item.author or "",
        "published": item.published_at.isoformat() if item.published_at else "",
        "source": article.source_name,
        "language": item.language or "",
        "same story": f"as article {article.same_story_as}, of another source" if article.same_story_as else "",
        "tags": ", ".join(item.tags),
        "tickers": ", ".join(item.tickers),
        "channels": ", ".join(channels),
    }
    lines = [item.title, *(f"  • {line}" for line in item.summary), ""]
    lines += [f"{name + ':':<11}{value}" for name, value in facts.items() if value]
    return "\n".join([*lines, "", item.body]).rstrip()
