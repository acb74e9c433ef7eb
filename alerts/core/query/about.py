"""Decide whether an article is about something, or only mentions it; the reasons are in ``docs/decisions``.

What an article is about stands where its writer puts what matters: early in the headline, in the summary, in the
first sentences, and again and again below. Each zone gives a part of the score; a zone that the article does not have
takes no part. A tag only confirms what the text bears out, since whoever sets the tags may be wrong, or lie.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from alerts.core.model import Hit
from alerts.core.query.tree import Term
from alerts.core.query.words import is_or_begins, occurrences
from alerts.core.query.zones import Prepared

THRESHOLD = 0.5
WEIGHTS = {"title": 0.40, "summary": 0.15, "lead": 0.20, "body": 0.25}
TAG_WEIGHT = 0.05  # on top
TAG_NEEDS = 0.4  # the score that the text alone must have before a tag adds to it

_EARLY = 0.4  # of the headline
_LATE_IN_TITLE = 0.6
_SHORT = 4  # sentences; fewer cannot repeat a name
_UNSUPPORTED = 0.4
_SUPPORTING_SHARE = 0.3
_WHOLE_SHARE = 0.35  # of the sentences; names give way to pronouns, so a subject is rarely in more


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How much an article is about a term."""

    score: float
    parts: tuple[tuple[str, float], ...]  # what each zone gave
    hits: tuple[Hit, ...]

    @property
    def enough(self) -> bool:
        """Whether the article is about it."""
        return self.score >= THRESHOLD

    @property
    def why(self) -> str:
        """The sum, written out."""
        sign = "≥" if self.enough else "<"
        parts = " + ".join(f"{zone} {part:.2f}" for zone, part in self.parts if part)
        return f"{self.score:.2f} {sign} {THRESHOLD:.2f} ({parts or 'nowhere in the text'})"


def weigh(term: Term, article: Prepared) -> Weight:
    """Return how much ``article`` is about ``term``, with the part that each of its zones has in that."""
    # A feed often gives a summary and no text; then the summary is the text, and all of it is its beginning.
    text, lead_end, sentences = article.body, article.lead_end, article.sentences
    if not text:
        text, lead_end, sentences = article.summary, len(article.summary), (0,)
    places = {zone: _places(term, words) for zone, words in (("title", article.title), ("text", text))}
    in_summary = _places(term, article.summary) if article.body else []

    share = _share(places["text"], sentences)
    strengths: dict[str, float] = {}
    if article.title:
        strengths["title"] = _title_strength(places["title"], article.title) * _support(share, sentences)
    if article.body and article.summary:
        strengths["summary"] = _summary_strength(in_summary, article.summary)
    if text:
        strengths["lead"] = _lead_strength(places["text"], sentences, lead_end)
        strengths["body"] = min(1.0, share / _WHOLE_SHARE)

    whole = sum(WEIGHTS[zone] for zone in strengths)
    parts = [(zone, WEIGHTS[zone] * strength / whole) for zone, strength in strengths.items()]
    score = sum(part for _, part in parts)
    tagged = sum(is_or_begins(tag, term.key, prefix=term.prefix) for tag in article.tags)
    if tagged and score >= TAG_NEEDS:
        parts.append(("tag", min(TAG_WEIGHT, 1 - score)))
        score += parts[-1][1]
    lead = sum(place < lead_end for place in places["text"])
    counts = {
        "title": len(places["title"]),
        "summary": len(in_summary) if article.body else lead,
        "lead": lead if article.body else 0,
        "body": len(places["text"]) - lead,
        "tag": tagged,
    }
    hits = tuple(Hit(term=term.text, zone=zone, count=count) for zone, count in counts.items() if count)
    return Weight(score=score, parts=tuple(parts), hits=hits)


def _places(term: Term, zone: str) -> list[int]:
    return occurrences(zone, term.key, prefix=term.prefix)


def _share(places: list[int], sentences: tuple[int, ...]) -> float:
    """Return the share of sentences that name it; two are added, so that a mention is not half of a short text."""
    naming = {bisect_right(sentences, place) for place in places}
    return len(naming) / (len(sentences) + 2)


def _title_strength(places: list[int], title: str) -> float:
    """Return 1 for what the headline begins with, less for what comes late: there stand rivals, partners, places."""
    if not places:
        return 0.0
    return 1.0 if places[0] <= len(title) * _EARLY else _LATE_IN_TITLE


def _support(share: float, sentences: tuple[int, ...]) -> float:
    """Return how far the text stands behind its headline: what only the headline names is a comparison, or a bait."""
    if len(sentences) < _SHORT:
        return 1.0
    return min(1.0, _UNSUPPORTED + share / _SUPPORTING_SHARE)


def _summary_strength(places: list[int], summary: str) -> float:
    """Return the share of lines that name it, the first line counting as much as all the others."""
    if not places:
        return 0.0
    lines = {summary.count("\n", 0, place) for place in places}
    return (float(0 in lines) + len(lines) / (summary.count("\n") + 1)) / 2


def _lead_strength(places: list[int], sentences: tuple[int, ...], lead_end: int) -> float:
    """Return 1 for what the first sentence names, half for the rest of the lead."""
    if not places or places[0] >= lead_end:
        return 0.0
    return 1.0 if bisect_right(sentences, places[0]) == 1 else 0.5
