"""What an item is to the articles that we already have: new, changed or seen; and whether a new one is mailed.

Two items are one article when they share the source's id, or the page they link to, or their text. None of the three
is proof alone: publishers reuse ids, link a whole feed to one page, and call every column "Morning news". So where
they disagree the text decides, and doubt is resolved towards "new": a mail too many is a smaller harm than none.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.core.links import canonical_url
from alerts.core.model import Disposition, FirstPoll, Item, Novelty, Source, SourceKind

MAX_ITEM_ID = 500  # characters; a longer one is kept as its beginning and its hash, so that an index can hold it

_SAME_TEXT = 0.25  # share of common shingles from which two texts are versions of one; unrelated ones share under 0.05
_SAME_HEADLINE = 0.5  # likewise for titles, when there is no text to compare
_HARDLY_EDITED = 0.6  # share from which a long text under another title is the same story
_LONG_TEXT = 400  # characters
_MOSTLY = 0.6  # share of an excerpt's shingles that stand in the full text
_REPOSTED_WITHIN = timedelta(days=1)  # equal text under another link, dated further apart, is a recurring column
_NO_DATE_BEFORE = datetime(1971, 1, 1, tzinfo=UTC)  # earlier dates are a computer's zero, not a day of publication
_SHINGLE = 3  # words
_COMPARED = 20_000  # characters of a text that are compared

# Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han. There each character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What decides about an article that we already have."""

    article_id: int
    item_id: str
    canonical_url: str | None
    content_hash: str
    title: str
    text: str = ""  # summary and body
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An item as it may be stored, and what it is compared by."""

    item: Item
    canonical_url: str | None
    content_hash: str

    @property
    def text(self) -> str:
        """Summary and body."""
        return text_of(self.item.summary, self.item.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an item is, and to which article; ``known`` is None exactly when it is new."""

    novelty: Novelty
    known: Known | None = None


def content_hash(item: Item) -> str:
    """Return what is equal for equal title, summary and body, however they are spaced, cased and encoded."""
    return hashlib.sha256(
        _plain("\n".join((item.title, *item.summary, item.body))).encode("utf-8", "replace")
    ).hexdigest()


def text_of(summary: Iterable[str], body: str) -> str:
    """Return the text that two versions of an article are compared by."""
    return "\n".join((*summary, body)).strip()


def sight(item: Item, *, now: datetime) -> Sighting:
    """Make an item ready to be judged and stored: its id short enough for an index, its date believable.

    A date in the future becomes ``now`` (clocks and zones are often wrong, and a far one would stay on top of every
    list); one before 1971 is a missing date written as zero, and becomes None.
    """
    published_at = item.published_at
    if published_at is not None:
        published_at = None if published_at < _NO_DATE_BEFORE else min(published_at, now)
    settled = replace(item, item_id=_short(item.item_id), published_at=published_at)
    return Sighting(item=settled, canonical_url=canonical_url(item.url or ""), content_hash=content_hash(item))


def decide(sighting: Sighting, known: Sequence[Known], *, kind: SourceKind) -> Decision:
    """Decide what an item is to the articles of its source: by its id, then its page, then its text.

    ``known`` may hold any articles of that source; the first of equals counts, so give the newest first.
    """
    for one in known:
        if one.item_id == sighting.item.item_id and not _took_over(sighting, one, kind=kind):
            return _version(one, sighting)
    for one in known:  # a site that goes to https does so in its ids, too, and often dates and edits everything anew
        if _secure(one.item_id) == _secure(sighting.item.item_id) and not _took_over(sighting, one, kind=kind):
            return _version(one, sighting)
    for one in known:
        if sighting.canonical_url is not None and one.canonical_url == sighting.canonical_url and _tells(sighting, one):
            return _version(one, sighting)
    for one in known:
        if one.content_hash == sighting.content_hash and _repeats(sighting, one):
            return _version(one, sighting)
    return Decision(novelty=Novelty.NEW)


def disposition(item: Item, source: Source, *, first_poll: bool, now: datetime) -> Disposition:
    """Decide, at first sight of a settled item, whether it is mailed; an item without a date counts as fresh."""
    if first_poll and source.first_poll is FirstPoll.SEEN:
        return Disposition.SEEN
    if source.max_age is not None and item.published_at is not None and now - item.published_at > source.max_age:
        return Disposition.STALE
    return Disposition.ALERT


def evicted_id(known: Known) -> str:
    """Return the id that an article keeps when another one took its place under its own."""
    return f"{known.item_id[:MAX_ITEM_ID]}#{known.content_hash[:16]}-{known.article_id}"


def spare_id(sighting: Sighting) -> str:
    """Return the id of an item whose source gave its own to another one at the same time."""
    item = sighting.item
    marks = "\n".join((sighting.canonical_url or "", sighting.content_hash, str(item.published_at)))
    return f"{item.item_id[:MAX_ITEM_ID]}#{hashlib.sha256(marks.encode()).hexdigest()[:24]}"


def similarity(one: str, other: str) -> float:
    """Return which share of the word triples of two texts both have, from 0 to 1."""
    mine, theirs = _shingles(one), _shingles(other)
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


def _version(known: Known, sighting: Sighting) -> Decision:
    novelty = Novelty.SEEN if known.content_hash == sighting.content_hash else Novelty.CHANGED
    return Decision(novelty=novelty, known=known)


def _secure(item_id: str) -> str:
    """Return an id that is an address as it is on a site that took to https."""
    return f"https://{item_id.removeprefix('http://')}" if item_id.startswith("http://") else item_id


def _took_over(sighting: Sighting, known: Known, *, kind: SourceKind) -> bool:
    """Return whether another article now stands under the id of ``known``.

    A file overwritten with the next article keeps its path; some feeds number their items by position. Outside a folder
    the same link says that it is the same page all the same.
    """
    item, text = sighting.item, sighting.text
    if (
        kind is not SourceKind.FOLDER
        and sighting.canonical_url is not None
        and known.canonical_url == sighting.canonical_url
    ):
        return False
    if known.content_hash == sighting.content_hash or _same_title(item.title, known.title):
        return False
    if text and known.text:
        return similarity(text, known.text) < _SAME_TEXT
    return _headline_similarity(item.title, known.title) < _SAME_HEADLINE


def _tells(sighting: Sighting, known: Known) -> bool:
    """Return whether two items with one link and two ids tell one story.

    Release notes and status pages give all their items the same link, and much the same words: only a text long
    enough to be nobody else's outweighs another title.
    """
    text = sighting.text
    if text and known.content_hash == sighting.content_hash:
        return True
    if not _dated_together(sighting.item, known):
        return False
    if not _same_title(sighting.item.title, known.title):
        return min(len(text), len(known.text)) >= _LONG_TEXT and similarity(text, known.text) >= _HARDLY_EDITED
    return not text or not known.text or similarity(text, known.text) >= _SAME_TEXT or _contained(text, known.text)


def _repeats(sighting: Sighting, known: Known) -> bool:
    """Return whether equal text makes one article of two that differ in id and, if both have one, in link."""
    if sighting.canonical_url is None or known.canonical_url is None:
        return True
    return bool(sighting.text) and _dated_together(sighting.item, known)


def _dated_together(item: Item, known: Known) -> bool:
    """Return whether two dates may be one article's; further apart, a column appeared again."""
    if item.published_at is None or known.published_at is None:
        return True
    return abs(item.published_at - known.published_at) <= _REPOSTED_WITHIN


def _same_title(one: str, other: str) -> bool:
    """Return whether one title is the other, or the other with something around it ("UPDATE: …")."""
    mine, theirs = " ".join(_words(one)), " ".join(_words(other))
    shorter, longer = sorted((mine, theirs), key=len)
    return mine == theirs or (shorter.count(" ") >= _SHINGLE and f" {shorter} " in f" {longer} ")


def _headline_similarity(one: str, other: str) -> float:
    mine, theirs = set(_words(one)), set(_words(other))
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


def _contained(one: str, other: str) -> bool:
    """Return whether most of the shorter text stands in the longer, as an excerpt does in the full text."""
    mine, theirs = _shingles(one), _shingles(other)
    return len(mine & theirs) >= _MOSTLY * max(1, min(len(mine), len(theirs)))


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _words(text[:_COMPARED])
    if not words:
        return set()
    return {tuple(words[start : start + _SHINGLE]) for start in range(max(1, len(words) - _SHINGLE + 1))}


def _words(text: str) -> list[str]:
    return _WORD.findall(_plain(text))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _short(item_id: str) -> str:
    if len(item_id) <= MAX_ITEM_ID:
        return item_id
    return f"{item_id[:MAX_ITEM_ID]}#{hashlib.sha256(item_id.encode('utf-8', 'replace')).hexdigest()[:32]}"
