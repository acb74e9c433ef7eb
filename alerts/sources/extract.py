"""Find the article in an HTML page. Runs in the child that may be killed; what finds it is an extra (ADR 52)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from alerts.core.errors import FetchError
from alerts.core.full_text import ReadPage
from alerts.core.text import clean_line, clean_text, fold
from alerts.sources.encoding import decode_page
from alerts.sources.entries import MAX_BODY

_LONGEST_HEADING = 500
_MOST_HEADINGS = 5
_LIST_ITEM = "- "


def extract_page(body: bytes, *, charset: str | None = None) -> ReadPage:
    """Return what a page says, without what stands around it; raise FetchError where it is no HTML."""
    try:
        import trafilatura  # noqa: PLC0415 - an extra, and only children that read pages need its weight
    except ImportError as error:
        raise FetchError("pages are read with the extra `page`: pip install 'news-alert[page]'") from error
    tree = trafilatura.load_html(decode_page(body, charset=charset).replace("\0", ""))
    if tree is None:
        raise FetchError("the answer is no HTML")
    written = (heading.text_content() for heading in tree.iter("title", "h1"))
    headings = tuple(clean_line(line[:_LONGEST_HEADING]) for line in islice(written, _MOST_HEADINGS))
    # What is no article's is worse than what is missing: it makes mails about what is told in a sidebar.
    text = trafilatura.extract(tree, favor_precision=True, include_comments=False) or ""
    return ReadPage(headings=headings, text=_tidy(text, headings)[:MAX_BODY])


def _tidy(text: str, headings: tuple[str, ...]) -> str:
    """Return the paragraphs parted by a blank line, without a headline above them; list items stand together."""
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    while lines and _is_headline(lines[0], headings):
        del lines[0]
    return clean_text("".join(_parted(lines)))


def _is_headline(line: str, headings: tuple[str, ...]) -> bool:
    """Say whether a line is a title of the page, or its beginning: the rest is often the site's name."""
    return any(fold(one).startswith(fold(line)) and 2 * len(line) > len(one) for one in headings)


def _parted(lines: list[str]) -> Iterator[str]:
    in_list = False
    for line in lines:
        was_in_list, in_list = in_list, line.startswith(_LIST_ITEM)
        yield "\n" if in_list and was_in_list else "\n\n"
        yield f"• {line.removeprefix(_LIST_ITEM)}" if in_list else line
