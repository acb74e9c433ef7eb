"""Which text of an item is the article's: its summary, what the feed gives, or its page's. Fetches no page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from alerts.core.language import guess_language
from alerts.core.model import Content, Item
from alerts.core.text import excerpt, fold
from alerts.core.tickers import find_tickers

LEAD = 500  # characters of a page that stand in for a summary where the feed gives none
_FAR_SHORTER = 0.5  # of the feed's own text: a teaser, a notice
_SPOKEN_OF = 0.5  # share of the headline that a page of it holds; it may be worded anew
_SUMMED_UP = 0.7  # share of the summary, which is longer and has more of the words that stand everywhere
_TELLING = 4  # letters; shorter words stand on every page

# Scripts that put no space between words: there a pair of characters is as telling as a word is elsewhere.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|[^\W_{_UNSPACED}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """What was read off the page behind an item's link."""

    headings: tuple[str, ...]  # the page's titles
    text: str  # its article; paragraphs parted by a blank line


def chosen(items: Iterable[Item], content: Content) -> tuple[Item, ...]:
    """Return items as a source's content wants them, before any page is read."""
    return tuple(map(only_summary, items) if content is Content.SUMMARY else items)


def only_summary(item: Item) -> Item:
    """Return the item without its body, as if the feed gave none.

    What a feed that gives no summary has in its place, the beginning of its text, stays.
    """
    return replace(item, body="", tickers=find_tickers("\n".join((item.title, *item.summary))))


def with_page(item: Item, text: str) -> Item:
    """Return the item with its page's text as its body; the page's beginning is its summary if the feed gave none."""
    summary = item.summary or (excerpt(text, LEAD),)
    found = find_tickers("\n".join((item.title, *summary, text)))
    return replace(
        item,
        summary=summary,
        body=text,
        tickers=tuple(dict.fromkeys((*item.tickers, *found))),
        language=item.language or guess_language(text),
    )


def why_not(item: Item, page: ReadPage) -> str | None:
    """Say why a page is not taken for the item's text; None: it is.

    A page that asks for a password, or for consent, answers as any other does. What gives it away is that it is short,
    or that it does not speak of what the item says.
    """
    if not page.text:
        return "there is no article in it"
    if len(page.text) < _FAR_SHORTER * max(len(item.body), len("\n".join(item.summary))):
        return "it is far shorter than what the feed gives"
    spoken_of = _words("\n".join((*page.headings, page.text)))
    if _share(item.title, spoken_of) >= _SPOKEN_OF or _share("\n".join(item.summary), spoken_of) >= _SUMMED_UP:
        return None
    return "it does not speak of what the feed says"


def _share(text: str, spoken_of: set[str]) -> float:
    """Return which share of the telling words of ``text`` are among these."""
    words = _words(text)
    telling = {word for word in words if len(word) >= _TELLING or not word.isascii() or word.isdigit()} or words
    return len(telling & spoken_of) / len(telling) if telling else 0.0


def _words(text: str) -> set[str]:
    """Return the words of a text, and the pairs of characters where no space parts words."""
    words: set[str] = set()
    for run in _RUN.finditer(fold(text)):
        word = run[0]
        if run["unspaced"] is None or len(word) == 1:
            words.add(word)
        else:
            words.update(word[start : start + 2] for start in range(len(word) - 1))
    return words
