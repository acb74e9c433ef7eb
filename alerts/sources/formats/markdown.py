"""``.md``: Markdown with the front matter of Hugo, Jekyll or Eleventy becomes an Item."""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import cache

from markdown_it import MarkdownIt

from alerts.core.dates import read_moment
from alerts.core.errors import ArticleError
from alerts.core.html_text import html_to_text
from alerts.core.items import Parsed, ParsedItem, make_item
from alerts.core.text import clean_line, clean_text, fold
from alerts.sources.formats.fields import Fields
from alerts.sources.formats.file_name import day_in_name, title_in_name
from alerts.sources.formats.front_matter import split_front_matter

LONGEST_MARKUP = 128 << 10  # characters; some Markdown costs the square of its length, so more stays as it is

PUBLISHED = ("publishdate", "publish_date", "pubdate", "published_at", "published", "date")
EXPIRES = ("expirydate", "expiry_date", "unpublishdate", "expires", "expires_at")

# Hugo's {{< shortcode >}}, Liquid's and Nunjucks' {% tag %}, {{ variable }}: instructions to another program.
_TEMPLATE_CODE = re.compile(r"\{\{[^{}]{0,1000}\}\}|\{%[^{}]{0,1000}%\}")


def read(path_name: str, text: str, time_zone: tzinfo) -> Parsed:
    """Return the one item of a Markdown file; raise ArticleError, with the line, for a broken front matter."""
    # 1. Head and body.
    head, below = split_front_matter(text)
    fields = Fields(head.values, where=lambda key: f"line {head.line(key)}: {key}: ")
    heading, body, notes = _plain_text(below)
    # 2. A title: the one given, the heading on top, the file's name.
    title = clean_line(fields.text("title", "headline")) or heading
    if not title and not body:
        raise ArticleError("holds no text")
    if heading and fold(heading) != fold(title):
        body = f"{heading}\n\n{body}"
    # 3. When it may be seen.
    published_at = fields.moment(*PUBLISHED, time_zone=time_zone) or read_moment(day_in_name(path_name), time_zone)
    item = make_item(
        item_id=clean_line(fields.text("id", "guid", "uuid", "uid")) or path_name,
        title=title or title_in_name(path_name),
        summary=fields.lines("summary", "description", "excerpt"),
        body=body,
        url=fields.text("canonical", "canonical_url", "canonicalurl", "permalink", "url", "link"),
        author=fields.names("author", "authors", "byline"),
        tags=fields.parts("tags", "tag", "categories", "category", "keywords"),
        language=fields.text("lang", "language", "locale"),
        published_at=published_at,
    )
    parsed = ParsedItem(
        item=item,
        is_draft=fields.is_draft or "_drafts" in path_name.split("/")[:-1],
        not_before_at=published_at,
        expires_at=fields.moment(*EXPIRES, time_zone=time_zone),
    )
    return Parsed(items=(parsed,), notes=notes)


def _plain_text(markdown: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the heading on top (or an empty string), the text below it, and what was odd."""
    if len(markdown) > LONGEST_MARKUP:
        return "", clean_text(markdown), (f"over {LONGEST_MARKUP >> 10} KiB, so kept as it is written",)
    tokens = _parser().parse(_TEMPLATE_CODE.sub("", markdown))
    render = _parser().renderer.render
    heading = ""
    if tokens and tokens[0].type == "heading_open":
        heading = clean_line(html_to_text(render(tokens[:3], _parser().options, {})))
        tokens = tokens[3:]
    return heading, html_to_text(render(tokens, _parser().options, {})), ()


@cache
def _parser() -> MarkdownIt:
    """Make the parser once; HTML in Markdown stays HTML, since all of it is turned to text afterwards."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
