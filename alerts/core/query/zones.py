"""An article laid out for queries: each zone folded once, however many channels ask about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from alerts.core.model import Item
from alerts.core.text import fold, fold_but_case
from alerts.core.tickers import in_one_way

LEAD_WEIGHT = 240  # how much of the beginning of the text is its lead, in Latin letters; ends with its sentence
_IDEOGRAPH_WEIGHT = 3  # one of them says about as much as three letters

_IDEOGRAPH = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]")
_SENTENCE_END = re.compile(r"""\n|[。!?…]+|\.+(?=[\s"'”’)\]])""")
_AROUND_COLON = re.compile(r"\s*:\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An article's zones, folded. Paragraphs and lines are parted by a line end, which no term holds."""

    title: str
    summary: str
    body: str
    lead_end: int  # where in ``text`` the lead is over
    sentences: tuple[int, ...]  # where in ``text`` sentences begin
    tags: tuple[str, ...]
    author: str
    source: str
    language: str
    tickers: tuple[str, ...]  # each twice: "hkg:1810" and "1810"
    exact: Mapping[str, str]  # title, summary and body, folded but for their capitals
    haystack: str  # all of the above but ``exact``: what a query's literals are looked for in

    @property
    def text(self) -> str:
        """The body, or what a feed gave in its place: a summary and no more."""
        return self.body or self.summary


def prepare(item: Item, *, source_name: str) -> Prepared:
    """Fold and lay out an item; every query can then be asked about it."""
    title = fold(item.title)
    summary = _lines(item.summary)
    body = _lines(item.body.splitlines())
    text = body or summary
    sentences = tuple(_sentence_starts(text))
    tags = tuple(tag_key(tag) for tag in item.tags)
    author, source = fold(item.author or ""), fold(source_name)
    language = language_key(item.language or "")
    tickers = tuple(dict.fromkeys(form for ticker in item.tickers for form in _ticker_forms(ticker)))
    return Prepared(
        title=title,
        summary=summary,
        body=body,
        lead_end=_lead_end(text, sentences),
        sentences=sentences,
        tags=tags,
        author=author,
        source=source,
        language=language,
        tickers=tickers,
        exact=_Exact(item),
        haystack="\n".join((title, summary, body, *tags, author, source, language, *tickers)),
    )


def haystack_of(item: Item, *, source_name: str) -> str:
    """Return what a query's literals are looked for in, without laying the item out: a glance, of a tenth of its cost.

    Lines run together, so a literal may be found across two: one too many, and never one too few.
    """
    texts = [item.title, *item.summary, item.body, item.author or "", source_name]
    labels = [*map(tag_key, item.tags), language_key(item.language or "")]
    tickers = [form for ticker in item.tickers for form in _ticker_forms(ticker)]
    return "\n".join([*(fold(text.replace("\n", " ")) for text in texts), *labels, *tickers])


class _Exact(dict[str, str]):
    """The zones with their capitals, each laid out when it is first asked for: few queries do."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self._lines = {"title": (item.title,), "summary": item.summary, "body": item.body}

    def __missing__(self, zone: str) -> str:
        lines = self._lines[zone]
        self[zone] = _lines(lines.splitlines() if isinstance(lines, str) else lines, fold_but_case)
        return self[zone]


def tag_key(tag: str) -> str:
    """Return a tag as tags are compared: ``#Xiaomi`` is ``xiaomi``."""
    return fold(tag).lstrip("#").strip()


def language_key(language: str) -> str:
    """Return a language tag as they are compared: ``zh_Hans`` is ``zh-hans``."""
    return fold(language).replace(" ", "-").replace("_", "-")


def ticker_key(ticker: str, *, whole: bool = True) -> str:
    """Return a ticker as they are compared: ``HKG: 1810`` and ``1810.HK`` are ``hkg:1810``; a beginning stays."""
    key = _AROUND_COLON.sub(":", fold(ticker))
    return in_one_way(key).lower() if whole else key


def _ticker_forms(ticker: str) -> tuple[str, str]:
    key = ticker_key(ticker)
    return key, key.rpartition(":")[2]


def _lines(lines: Iterable[str], folding: Callable[[str], str] = fold) -> str:
    return "\n".join(folded for line in lines if (folded := folding(line)))


def _sentence_starts(text: str) -> list[int]:
    """Return where sentences begin; "Inc." may end one too many, which costs a share little."""
    ends = [0, *(end.end() for end in _SENTENCE_END.finditer(text)), len(text)]
    return [start for start, end in pairwise(ends) if text[start:end].strip()]


def _lead_end(text: str, sentences: tuple[int, ...]) -> int:
    """Return the end of the sentence with which the lead is long enough."""
    weight = 0
    for start, end in pairwise((*sentences, len(text))):
        weight += end - start + (_IDEOGRAPH_WEIGHT - 1) * len(_IDEOGRAPH.findall(text, start, end))
        if weight >= LEAD_WEIGHT:
            return end
    return len(text)
