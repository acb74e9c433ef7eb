"""What of an article's body is not the article: lines that its source prints under everything, notes about itself.

A line is learnt when it stands in enough different articles of one source. The headline and the first paragraph never
are: a source that begins each article alike is read, not cut. Which lines stood where is the storage's business.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from alerts.core.model import Item
from alerts.core.page_text import is_caption
from alerts.core.text import fold

SHORTEST, LONGEST = 12, 1_000  # characters of a line that is learnt: "Read on" is too common, a page is no line
MOST_OF_ARTICLE = 200  # lines of one article that are looked at, from its end: boilerplate is rarely in the middle
ENOUGH = 5  # different articles
SHARE = 0.3  # of the source's articles since the line was first seen
WINDOW = timedelta(days=30)  # a line that was not seen for so long is forgotten
MOST_OF_SOURCE = 5_000  # lines remembered of one source; those seen last stay

# A note on the author's shares, or on a maker ("About Toyota: …"); not "About forty people came: …".
_NOTE = re.compile(
    r"(?i:(?:full |financial )?(?:disclosures?|disclaimers?|forward[- ]looking statements?)|免责声明|风险提示|利益披露)"
    r"\s*[:：].*|About (?:the )?[A-Z][\w&.'’ -]{0,40}[:：].*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """An item as queries see it."""

    item: Item
    left_out: int  # lines


def line_hash(line: str) -> str:
    """Return what a line is remembered by; lines that fold alike are one."""
    return sha256(fold(line).encode()).hexdigest()[:32]


def learnable(item: Item) -> frozenset[str]:
    """Return the hashes of the lines of an item's body that may turn out to be boilerplate, each once."""
    lines = _after_first_paragraph(item)[-MOST_OF_ARTICLE:]
    return frozenset(line_hash(line) for line in lines if SHORTEST <= len(line) <= LONGEST)


def is_learnt(*, articles: int, of: int) -> bool:
    """Say whether a line in ``articles`` of the source's last ``of`` articles is boilerplate."""
    return articles >= ENOUGH and articles >= SHARE * of


def trim(item: Item, learnt: Collection[str] = ()) -> Trimmed:
    """Take out of an item's body what is in ``learnt``, captions, and notes about makers or the author."""
    later = {line for line in _after_first_paragraph(item) if _counts_nothing(line, learnt)}
    if not later:
        return Trimmed(item=item, left_out=0)
    lines = item.body.split("\n")
    kept = [line for line in lines if line.strip() not in later]
    return Trimmed(item=replace(item, body="\n".join(kept)), left_out=len(lines) - len(kept))


def _counts_nothing(line: str, learnt: Collection[str]) -> bool:
    return bool(line_hash(line) in learnt or is_caption(line) or _NOTE.fullmatch(line))


def _after_first_paragraph(item: Item) -> list[str]:
    """Return the lines below the first that says something, but for the headline and that first one once more."""
    lines = [line for line in map(str.strip, item.body.split("\n")) if line]
    own = {fold(item.title), *(fold(line) for line in lines[:1])}
    return [line for line in lines[1:] if fold(line) not in own]
