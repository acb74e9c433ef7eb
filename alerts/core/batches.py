"""Place a batch of items among the articles of their source: what is stored, what is rewritten, who bears which id.

An id belongs to whatever stands under it now. So the article of a renamed file follows it to the new id, and one whose
file was overwritten with the next article leaves the id to that: it gets a longer one, and its page and text still
tell that we know it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from alerts.core.articles import Known, Sighting, decide, evicted_id, spare_id
from alerts.core.model import Novelty, SourceKind

SAME_PAGE = 8  # articles that share a page or a text with an item and are looked at, the newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A known article with other content."""

    article_id: int
    sighting: Sighting


@dataclass(slots=True)
class Batch:
    """What to write; ``renamed`` maps an article to the id that it bears from now on."""

    new: list[Sighting] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    renamed: dict[int, str] = field(default_factory=dict)
    seen: int = 0


def place(sightings: Sequence[Sighting], known: Sequence[Known], *, kind: SourceKind) -> Batch:
    """Decide about each item; a story that stands there twice counts once, as it stands under a known id, else first.

    ``known`` holds the articles of the source that share an id, a page or their text with an item, the newest first.
    """
    batch, index = Batch(), _Index(known)
    given = {one.item.item_id for one in sightings}
    met: set[int] = set()  # articles that an item of this batch was found to be
    placed: set[str] = set()  # ids that an item of this batch stands under
    for sighting in sorted(sightings, key=lambda one: one.item.item_id not in index.by_id):
        decision = decide(sighting, index.candidates(sighting), kind=kind)
        article = decision.known
        if article is None:
            article = _admit(sighting, batch, index, placed)
        elif article.article_id in met:
            continue
        elif article.item_id != sighting.item.item_id and article.item_id not in given | placed:
            _move(article, sighting.item.item_id, batch, index, placed)
        met.add(article.article_id)
        placed.add(sighting.item.item_id)
        if decision.novelty is Novelty.CHANGED:
            batch.changes.append(Change(article_id=article.article_id, sighting=sighting))
        batch.seen += decision.novelty is Novelty.SEEN
    return batch


def _admit(sighting: Sighting, batch: Batch, index: _Index, placed: set[str]) -> Known:
    """Add a new article, under its own id where that is free or can be freed."""
    provisional = -1 - len(batch.new)
    article = Known(
        article_id=provisional,
        item_id=sighting.item.item_id,
        canonical_url=sighting.canonical_url,
        content_hash=sighting.content_hash,
        title=sighting.item.title,
        text=sighting.text,
        published_at=sighting.item.published_at,
    )
    if article.item_id in placed:  # the source gives one id to two stories at once
        article = replace(article, item_id=spare_id(sighting))
        sighting = replace(sighting, item=replace(sighting.item, item_id=article.item_id))
    else:
        _free(article.item_id, batch, index)
    batch.new.append(sighting)
    index.add(article)
    return article


def _move(article: Known, item_id: str, batch: Batch, index: _Index, placed: set[str]) -> None:
    """Let a known article follow the item that it is to that item's id."""
    if item_id in placed:
        return
    _free(item_id, batch, index)
    batch.renamed[article.article_id] = item_id
    index.rename(article, item_id)


def _free(item_id: str, batch: Batch, index: _Index) -> None:
    """Take an id from the article that stood under it."""
    occupant = index.by_id.get(item_id)
    if occupant is not None:
        batch.renamed[occupant.article_id] = evicted_id(occupant)
        index.rename(occupant, evicted_id(occupant))


class _Index:
    """The known articles, by each of the three things that an item may share with them."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.by_id: dict[str, Known] = {}
        self._articles: dict[int, Known] = {}
        self._by_url: defaultdict[str, list[int]] = defaultdict(list)
        self._by_hash: defaultdict[str, list[int]] = defaultdict(list)
        for one in reversed(known):
            self.add(one)

    def add(self, one: Known) -> None:
        """Add an article, newer than those before."""
        self.by_id[one.item_id] = self._articles[one.article_id] = one
        self._by_hash[one.content_hash].append(one.article_id)
        if one.canonical_url is not None:
            self._by_url[one.canonical_url].append(one.article_id)

    def rename(self, one: Known, item_id: str) -> None:
        """Let an article bear another id."""
        self.by_id.pop(one.item_id, None)
        self.by_id[item_id] = self._articles[one.article_id] = replace(one, item_id=item_id)

    def candidates(self, sighting: Sighting) -> list[Known]:
        """Return what the item may be, newest first, each once."""
        same_id = self.by_id.get(sighting.item.item_id)
        ids = [] if same_id is None else [same_id.article_id]
        ids += reversed(self._by_url.get(sighting.canonical_url or "", [])[-SAME_PAGE:])
        ids += reversed(self._by_hash.get(sighting.content_hash, [])[-SAME_PAGE:])
        return [self._articles[article_id] for article_id in dict.fromkeys(ids)]
