"""Where in an article a query's terms stand, quoted for people from the text as it was written."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alerts.core.model import Article, Hit
from alerts.core.query.words import occurrences
from alerts.core.query.zones import prepare
from alerts.core.text import fold

MOST = 2  # quotes of one hit
_AROUND = 40  # characters on each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A place where a term stands."""

    term: str
    zone: str
    before: str  # what stands left of it, short
    found: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}[{self.found}]{self.after}"


def quotes_of(hits: Sequence[Hit], article: Article) -> tuple[Quote, ...]:
    """Return the first places of each hit, in the order of the hits; a hit that is not found again has none."""
    lines = _lines_of(article)
    return tuple(quote for hit in hits for quote in _quotes(hit, article, lines))


def _quotes(hit: Hit, article: Article, lines: dict[str, list[str]]) -> Iterator[Quote]:
    if hit.zone not in lines:
        for value in _labels(hit, article)[:MOST]:
            yield Quote(term=hit.term, zone=hit.zone, before="", found=value, after="")
        return
    key = fold(hit.term)
    places = [(line, at) for line in lines[hit.zone] for at in _places(fold(line), key)]
    for line, at in places[:MOST]:
        yield _cut(hit, line, at, len(key))


def _places(folded: str, key: str) -> list[int]:
    return occurrences(folded, key) or occurrences(folded, key, prefix=True)


def _labels(hit: Hit, article: Article) -> list[str]:
    """Return the tags, tickers … that a hit stands for; all of them where it is written in another way."""
    item = article.item
    values = {
        "tag": item.tags,
        "ticker": item.tickers,
        "author": (item.author,),
        "source": (article.source_name,),
        "lang": (item.language,),
    }.get(hit.zone, ())
    known = [value for value in values if value]
    return [value for value in known if fold(hit.term) in fold(value)] or known


def _lines_of(article: Article) -> dict[str, list[str]]:
    """Return the lines of each zone as they were written; a line that the lead ends in belongs to both."""
    item = article.item
    prepared = prepare(item, source_name=article.source_name)
    lead, rest, place = [], [], 0
    for line in item.body.splitlines() if prepared.body else item.summary:
        if not (folded := fold(line)):
            continue
        inside = max(0, prepared.lead_end - place)
        cut = _written_at(line, min(inside, len(folded)))
        lead.append(line[:cut])
        rest.append(line[cut:])
        place += len(folded) + 1
    return {"title": [item.title], "summary": list(item.summary), "lead": lead, "body": rest}


def _written_at(line: str, at: int) -> int:
    """Return where in a line as written stands what is at ``at`` when it is folded: folding changes lengths."""
    return bisect_right(range(len(line) + 1), at, key=lambda end: len(fold(line[:end]))) - 1


def _cut(hit: Hit, line: str, at: int, length: int) -> Quote:
    start = _written_at(line, at)
    end = max(start + 1, bisect_left(range(len(line) + 1), at + length, key=lambda it: len(fold(line[:it]))))
    before, after = line[max(0, start - _AROUND) : start], line[end : end + _AROUND]
    return Quote(
        term=hit.term,
        zone=hit.zone,
        before=("…" if start > _AROUND else "") + before.lstrip(),
        found=line[start:end],
        after=after.rstrip() + ("…" if end + _AROUND < len(line) else ""),
    )
