"""Decide whether an article is about something, or only mentions it; the reasons are in ``docs/decisions``.

What an article is about stands where its writer puts what matters: early in the headline, in the summary, in the
first sentences, and again and again below. Each zone gives a part of the score; a zone that the article does not have
takes no part. A tag only confirms what the text bears out, since whoever sets the tags may be wrong, or lie.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.core.model import Hit
from alerts.core.query.headline import has_own_subject
from alerts.core.query.tree import Term
from alerts.core.query.words import is_or_begins, spans_of
from alerts.core.query.zones import Prepared

THRESHOLD = 0.5
WEIGHTS = {"title": 0.40, "comes back": 0.40, "summary": 0.15, "lead": 0.20, "body": 0.25}
_OF_HEADLINE = {"title", "comes back"}  # one or the other: what it names, or what it leaves out and the text returns to
TAG_WEIGHT = 0.05  # on top
TAG_NEEDS = 0.4  # the score that the text alone must have before a tag adds to it

# The title: who comes first acts; who comes late is met, bought or beaten.
_EARLY = 0.4  # of the headline
_LATE_IN_TITLE = 0.6
_COMPARED = 0.25
_UNSUPPORTED = 0.7  # what a headline is worth when the text hardly comes back to the name
_SUPPORTING_SHARE = 0.25
_RETURNING = 0.8  # what a headline is worth to a name that it leaves out, and that the text keeps coming back to
_RETURNING_SHARE = 0.25  # of the sentences; fewer are worth less
_RETURNING_TIMES = 3  # sentences; what two name is a mention
_WHOLE_TEXT = 6  # sentences; what a shorter text does not say weighs less
_SHORT = 4  # sentences; fewer cannot come back to anything

_LATE_IN_LEAD = 0.6
_WHOLE_SHARE = 0.35  # of the sentences; names give way to pronouns, so a subject is rarely in more
_MOST_OF_BODY = 1.4  # a name in every other sentence makes up for a headline that only teases

# English and Chinese; in another language the places alone decide.
_CUE_BEFORE = re.compile(
    r"(?:\b(?:vs\.?|versus|than|over|against|unlike|beat(?:s|ing)?|outsell(?:s|ing)?|outsold|overtak(?:es?|ing)|overtook"
    r"|surpass(?:es|ed|ing)?|rivall?ing|challeng(?:es?|ing)|ex|former)(?: the)? "
    r"|超过|超越|超|击败|反超|对标|挑战|对比|不敌|不及|比|前)\Z"
)
_CUE_AFTER = re.compile(
    r"(?:'s)? (?:rival|competitor|challenger|killer|alternative|fighter)s?\b|的?(?:竞争)?对手|杀手|劲敌"
)
_CUE_LENGTH = 20  # characters: one cue


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How much an article is about a term."""

    score: float
    parts: tuple[tuple[str, float], ...]  # what each zone gave
    hits: tuple[Hit, ...]
    above: float | None = None  # what the query asks for; None: the usual threshold

    @property
    def enough(self) -> bool:
        """Whether the article is about it, by as much as the query asks for."""
        return self.score >= THRESHOLD if self.above is None else self.score > self.above

    @property
    def why(self) -> str:
        """The sum, written out."""
        sign = ("≥" if self.enough else "<") if self.above is None else (">" if self.enough else "≤")
        parts = " + ".join(f"{zone} {part:.2f}" for zone, part in self.parts if part)
        asked = THRESHOLD if self.above is None else self.above
        return f"{self.score:.2f} {sign} {asked:.2f} ({parts or 'nowhere in the text'})"


def weigh(term: Term, article: Prepared) -> Weight:
    """Return how much ``article`` is about ``term``, with the part that each of its zones has in that.

    A term and its aliases are one name: wherever any of them stands, it is named.
    """
    in_title = spans_of(article.title, term.keys, prefix=term.prefix)
    in_summary, in_body = (
        [start for start, _ in spans_of(zone, term.keys, prefix=term.prefix)]
        for zone in (article.summary, article.body)
    )
    tagged = sum(any(is_or_begins(tag, key, prefix=term.prefix) for key in term.keys) for tag in article.tags)
    in_text = in_body if article.body else in_summary
    naming = len({bisect_right(article.sentences, place) for place in in_text})

    strengths: dict[str, float] = {}
    if article.title:
        zone, strength = (
            ("title", _title_strength(in_title, article.title))
            if in_title
            else ("comes back", _returning_strength(naming, article))
        )
        strengths[zone] = strength * _support(naming, article.sentences)
    if article.summary and article.body:
        strengths["summary"] = _summary_strength(in_summary, article.summary)
    if article.text:
        strengths["lead"] = _lead_strength(in_text, article)
        strengths["body"] = min(_MOST_OF_BODY, _share(naming, article.sentences) / _WHOLE_SHARE)
    parts = _parts(strengths, said=min(1.0, len(article.sentences) / _WHOLE_TEXT), tagged=tagged > 0)

    in_lead = sum(place < article.lead_end for place in in_body)
    counts = {"title": len(in_title), "summary": len(in_summary), "lead": in_lead, "body": len(in_body) - in_lead}
    return Weight(
        score=round(min(1.0, sum(part for _, part in parts)), 2),  # as it is shown
        parts=parts,
        above=term.above,
        hits=tuple(Hit(term=term.text, zone=zone, count=n) for zone, n in (counts | {"tag": tagged}).items() if n),
    )


def _parts(strengths: Mapping[str, float], *, said: float, tagged: bool) -> tuple[tuple[str, float], ...]:
    """Weigh the zones that there are; together they weigh 1. A text of a line or two says little beside its title."""
    weights = {zone: WEIGHTS[zone] * (1 if zone in _OF_HEADLINE else said) for zone in strengths}
    whole = sum(weights.values())
    parts = [(zone, weights[zone] * strength / whole) for zone, strength in strengths.items()]
    if tagged and sum(part for _, part in parts) >= TAG_NEEDS:
        parts.append(("tag", TAG_WEIGHT))
    return tuple(parts)


def _share(naming: int, sentences: tuple[int, ...]) -> float:
    """Return the share of sentences that name it; two are added, so that a mention is not half of a short text."""
    return naming / (len(sentences) + 2)


def _title_strength(named: list[tuple[int, int]], title: str) -> float:
    """Return 1 for what the headline begins with, less for what comes late, little for what it is compared with."""
    own = [start for start, end in named if not _is_compared(title, start, end)]
    if not own:
        return _COMPARED
    return 1.0 if own[0] <= len(title) * _EARLY else _LATE_IN_TITLE


def _returning_strength(naming: int, article: Prepared) -> float:
    """Return what a headline is worth that does not name what its text keeps coming back to: it only teases."""
    if naming < _RETURNING_TIMES or has_own_subject(article, naming=naming):
        return 0.0
    return _RETURNING * min(1.0, _share(naming, article.sentences) / _RETURNING_SHARE)


def _is_compared(title: str, start: int, end: int) -> bool:
    """Say whether the headline holds something against what stands there: "outsells the …", "… rival"."""
    before, after = title[max(0, start - _CUE_LENGTH) : start], title[end : end + _CUE_LENGTH]
    return bool(_CUE_BEFORE.search(before) or _CUE_AFTER.match(after))


def _support(naming: int, sentences: tuple[int, ...]) -> float:
    """Return how far the text stands behind its headline: what it names once is a rival, a partner, or bait."""
    if len(sentences) < _SHORT:
        return 1.0
    again = min((naming - 1) / 2, _share(naming, sentences) / _SUPPORTING_SHARE) if naming else 0.0
    return min(1.0, _UNSUPPORTED + (1 - _UNSUPPORTED) * again)


def _summary_strength(places: list[int], summary: str) -> float:
    """Return the share of lines that name it, the first line counting as much as all the others."""
    if not places:
        return 0.0
    ends = [end.start() for end in re.finditer("\n", summary)]
    lines = {bisect_right(ends, place) for place in places}
    return (float(0 in lines) + len(lines) / (len(ends) + 1)) / 2


def _lead_strength(places: list[int], article: Prepared) -> float:
    """Return 1 for what the first sentence names, less for the rest of the lead."""
    if not places or places[0] >= article.lead_end:
        return 0.0
    return 1.0 if bisect_right(article.sentences, places[0]) == 1 else _LATE_IN_LEAD
