"""``.html``: a news page as a web server sends it becomes an Item.

What the page says of itself (Open Graph, JSON-LD, meta) comes before what it looks like; of its text, the article
element counts, and navigation, asides, forms and captions do not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from html import unescape

from alerts.core.dates import read_moment
from alerts.core.errors import ArticleError
from alerts.core.html_text import html_to_text, without_entities
from alerts.core.items import Parsed, ParsedItem, make_item, web_url
from alerts.core.text import clean_line, fold
from alerts.sources.formats import json_ld
from alerts.sources.formats.fields import Fields
from alerts.sources.formats.file_name import title_in_name
from alerts.sources.formats.html_tags import Tag, find_tags

_CHARSET = re.compile(rb"""<meta[^>]{1,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{1,100}?encoding\s*=\s*["']([A-Za-z0-9_:.\-]{2,40})""")
_DECLARED_WITHIN = 4096  # bytes

_DROPPED = frozenset({"nav", "aside", "footer", "form", "button", "figcaption", "noscript", "dialog", "menu", "select"})
_DROPPED_ROLES = frozenset({"navigation", "complementary", "contentinfo", "banner", "search", "dialog", "alert"})
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_REGIONS = ("article", "main", "body")  # the first that a page has holds its text
_NO_CARD = 0.3  # an article that fills less of its page's main part is a teaser for another page

_PUBLISHED = (
    *("article:published_time", "og:article:published_time", "parsely-pub-date", "sailthru.date", "pubdate"),
    *("publishdate", "date", "dc.date", "dc.date.issued", "dcterms.created", "dcterms.date"),
)
_EXPIRES = ("article:expiration_time", "og:article:expiration_time")


@dataclass(slots=True)
class _Page:
    """What one walk over the tags found."""

    markup: str
    meta: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    scripts: list[str] = field(default_factory=list)
    language: str = ""
    canonical: str = ""
    title: str = ""
    time: str = ""
    regions: defaultdict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    dropped: list[tuple[int, int]] = field(default_factory=list)

    def first(self, *names: str) -> str:
        """Return the first of these meta values that is not empty."""
        return next((value for name in names for value in self.meta[name]), "")


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that a page names in its first bytes."""
    beginning = data[:_DECLARED_WITHIN]
    found = _CHARSET.search(beginning) or _XML_ENCODING.match(beginning)
    return found[1].decode("ascii") if found else None


def read(path_name: str, text: str, time_zone: tzinfo) -> Parsed:
    """Return the one item of a page; raise ArticleError when it holds neither a title nor text."""
    # 1. What the page says of itself, and where its text stands.
    page = _walk(text)
    article = json_ld.find_article(page.scripts)
    heading, body = _text(page)
    body = body or html_to_text(article.text("articlebody"))
    # 2. The title, which the text does not repeat.
    told = (page.first("og:title", "twitter:title"), _plain(article, "headline"))
    title = next(filter(None, map(clean_line, told)), "") or heading or page.title
    if not title and not body:
        raise ArticleError("holds no text")
    body = _without_title(body, (title, heading))
    # 3. Its dates: of a page, one that cannot be read is as good as none.
    published_at = _moment((*_values(page, _PUBLISHED), article.text("datepublished"), page.time), time_zone)
    item = make_item(
        item_id=path_name,
        title=title or title_in_name(path_name),
        summary=[page.first("og:description", "description", "twitter:description") or _plain(article, "description")],
        body=body,
        url=_url(page.canonical, page.first("og:url"), article.text("url", "mainentityofpage")),
        author=article.names("author") or page.first("author", "article:author", "parsely-author"),
        tags=[
            *page.meta["article:tag"],
            *(part for name in ("news_keywords", "keywords") for each in page.meta[name] for part in each.split(",")),
            *article.parts("keywords"),
            *page.meta["article:section"],
        ],
        language=page.language or article.text("inlanguage") or page.first("og:locale"),
        published_at=published_at,
    )
    expires_at = _moment((*_values(page, _EXPIRES), article.text("expires")), time_zone)
    return Parsed(items=(ParsedItem(item=item, not_before_at=published_at, expires_at=expires_at),))


def _walk(markup: str) -> _Page:
    page = _Page(markup)
    opened: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    for tag in find_tags(markup):
        if tag.is_end:
            if opened[tag.name]:
                start, is_dropped = opened[tag.name].pop()
                _close(page, tag, start, is_dropped=is_dropped)
            continue
        attributes = tag.attributes() if tag.written.strip(" /\n") else {}
        _note(page, tag, attributes)
        if tag.name not in _VOID:
            opened[tag.name].append((tag.start, _is_dropped(tag, attributes)))
    for name in _REGIONS:  # those that never end
        page.regions[name] += [(start, len(markup)) for start, _ in opened[name][:1]]
    return page


def _note(page: _Page, tag: Tag, attributes: dict[str, str]) -> None:
    """Keep what a start tag says of the page."""
    if tag.name == "meta":
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop") or ""
        if value := clean_line(without_entities(attributes.get("content", ""))):
            page.meta[name.strip().lower()].append(value)
    elif tag.name == "link" and "canonical" in attributes.get("rel", "").lower().split():
        page.canonical = page.canonical or attributes.get("href", "")
    elif tag.name == "html":
        page.language = page.language or attributes.get("lang", "") or attributes.get("xml:lang", "")
    elif tag.name == "script" and "ld+json" in attributes.get("type", "").lower():
        page.scripts.append(tag.text)
    elif tag.name == "title":
        page.title = page.title or clean_line(without_entities(unescape(tag.text)))
    elif tag.name == "time":
        page.time = page.time or attributes.get("datetime", "")


def _is_dropped(tag: Tag, attributes: dict[str, str]) -> bool:
    is_hidden = "hidden" in attributes or attributes.get("aria-hidden", "").lower() == "true"
    return tag.name in _DROPPED or is_hidden or attributes.get("role", "").lower() in _DROPPED_ROLES


def _close(page: _Page, tag: Tag, start: int, *, is_dropped: bool) -> None:
    if is_dropped:
        page.dropped.append((start, tag.end))
    elif tag.name in _REGIONS:
        page.regions[tag.name].append((start, tag.end))


def _text(page: _Page) -> tuple[str, str]:
    """Return the first heading of the part that holds the page's text, and the text."""
    markup = _cut(page, *_region(page))
    found = re.search(r"<h1[\s>][^<]{0,2000}(?:<(?!/h1)[^<]{0,2000}){0,50}", markup, re.IGNORECASE)
    heading = html_to_text(found[0]) if found else ""
    return clean_line(heading), html_to_text(markup)


def _region(page: _Page) -> tuple[int, int]:
    """Return where the text is: in the longest article, if it is no mere card; else in main, else in the body."""
    article, main, body = (_longest(page.regions[name]) for name in _REGIONS)
    if article and (main is None or _length(article) >= _NO_CARD * _length(main)):
        return article
    return main or body or (0, len(page.markup))


def _longest(places: list[tuple[int, int]]) -> tuple[int, int] | None:
    return max(places, key=_length, default=None)


def _length(place: tuple[int, int]) -> int:
    return place[1] - place[0]


def _cut(page: _Page, start: int, end: int) -> str:
    """Return the markup from ``start`` to ``end`` without the elements that are not the article's."""
    kept: list[str] = []
    position = start
    for cut_start, cut_end in sorted(page.dropped):
        if cut_start >= position and cut_end <= end:
            kept.append(page.markup[position:cut_start])
            position = cut_end
    return "\n".join([*kept, page.markup[position:end]])


def _without_title(body: str, titles: Iterable[str]) -> str:
    """Drop the paragraphs on top that are the title once more."""
    folded = {fold(title) for title in titles if title}
    paragraphs = body.split("\n\n")
    while paragraphs and fold(paragraphs[0]) in folded:
        del paragraphs[0]
    return "\n\n".join(paragraphs)


def _plain(article: Fields, key: str) -> str:
    """Return what search engines are told; what is HTML's elsewhere is escaped in it as often as not."""
    return without_entities(article.text(key))


def _values(page: _Page, names: Iterable[str]) -> list[str]:
    return [value for name in names for value in page.meta[name]]


def _moment(written: Iterable[str], time_zone: tzinfo) -> datetime | None:
    return next(filter(None, (read_moment(value, time_zone) for value in written)), None)


def _url(*written: str) -> str | None:
    return next(filter(None, map(web_url, written)), None)
