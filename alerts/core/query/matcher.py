"""Ask one query about one article, and say why; ``about`` weighs what an article is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerts.core.model import Hit
from alerts.core.query.about import weigh
from alerts.core.query.nearness import count_near
from alerts.core.query.tree import And, Field, Leaf, Near, Node, Not, Query, Term, leaves
from alerts.core.query.words import is_or_begins, occurrences, spans_of
from alerts.core.query.zones import Prepared

_EXPLAINED = 12  # terms in one explanation; the hits name all
_ZONES = {
    Field.TITLE: ("title",),
    Field.SUMMARY: ("summary",),
    Field.BODY: ("body",),
    Field.TEXT: ("title", "summary", "body"),
    Field.CASE: ("title", "summary", "body"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an article answers a query, how well, and why."""

    matched: bool
    score: float  # 0..1: of an about: term its weight, of another 1 when found; AND takes the least, OR the most
    hits: tuple[Hit, ...]  # everything found, also by a query that does not match
    why: str  # one line for people


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What one term found."""

    holds: bool
    score: float
    hits: tuple[Hit, ...]
    why: str


def evaluate(query: Query, prepared: Prepared) -> Verdict:
    """Return the verdict on a prepared article; takes time in proportion to its text, for each of the query's terms."""
    findings = {leaf: _look(leaf, prepared) for leaf in leaves(query.root)}
    matched, score = _judge(query.root, findings)
    reasons = [finding.why for finding in list(findings.values())[:_EXPLAINED]]
    if len(findings) > _EXPLAINED:
        reasons.append(f"and {len(findings) - _EXPLAINED} more terms")
    return Verdict(
        matched=matched,
        score=round(score, 3),
        hits=tuple(dict.fromkeys(hit for finding in findings.values() for hit in finding.hits)),
        why="; ".join(reasons),
    )


def _judge(node: Node, findings: Mapping[Leaf, _Finding]) -> tuple[bool, float]:
    match node:
        case Term() | Near():
            return findings[node].holds, findings[node].score
        case Not():
            holds = _judge(node.node, findings)[0]
            return not holds, float(not holds)
        case And():
            judged = [_judge(child, findings) for child in node.nodes]
            return all(holds for holds, _ in judged), min(score for _, score in judged)
        case _:
            judged = [_judge(child, findings) for child in node.nodes]
            return any(holds for holds, _ in judged), max(score for _, score in judged)


def _look(term: Leaf, prepared: Prepared) -> _Finding:
    if isinstance(term, Term) and term.field is Field.ABOUT:
        weight = weigh(term, prepared)
        return _Finding(holds=weight.enough, score=weight.score, hits=weight.hits, why=f"{term} {weight.why}")
    counts = _count_near(term, prepared) if isinstance(term, Near) else _counts(term, prepared)
    hits = tuple(Hit(term=term.text, zone=zone, count=count) for zone, count in counts.items() if count)
    where = ", ".join(f"{hit.zone} {hit.count}" for hit in hits)
    return _Finding(holds=bool(hits), score=float(bool(hits)), hits=hits, why=f"{term} {where or 'not found'}")


def _counts(term: Term, article: Prepared) -> dict[str, int]:
    """Count a term in each zone that its field means."""
    match term.field:
        case Field.CASE:
            return {zone: _count_exact(term, article, zone) for zone in _ZONES[Field.CASE]}
        case Field.TITLE | Field.SUMMARY:
            return {term.field.value: _count(term, _zone(article, term.field.value))}
        case Field.BODY:
            return _count_body(term, article)
        case Field.TEXT:
            counts = {"title": _count(term, article.title), "summary": _count(term, article.summary)}
            return counts | _count_body(term, article) | {"ticker": sum(map(term.tickers.count, article.tickers))}
        case _:
            return {term.field.value: _count_label(term, article)}


def _count_label(term: Term, article: Prepared) -> int:
    """Count a term among what is said about the article, not in it."""
    match term.field:
        case Field.TAG:
            return _count_labels(term, article.tags)
        case Field.TICKER:
            return _count_labels(term, article.tickers)
        case Field.LANG:
            return int(
                is_or_begins(article.language, term.key, prefix=term.prefix)
                or article.language.startswith(f"{term.key}-")
            )
        case Field.AUTHOR:
            return _count(term, article.author)
        case _:
            return _count(term, article.source)


def _count_labels(term: Term, labels: Iterable[str]) -> int:
    return sum(any(is_or_begins(label, key, prefix=term.prefix) for key in term.keys) for label in labels)


def _count(term: Term, zone: str) -> int:
    return len(spans_of(zone, term.keys, prefix=term.prefix))


def _count_exact(term: Term, article: Prepared, zone: str) -> int:
    """Count a term in its own capitals; only where it stands in any, since that is what the presearch looks for."""
    if not occurrences(_zone(article, zone), term.key, prefix=term.prefix):
        return 0
    return len(occurrences(article.exact[zone], _exact(term), prefix=term.prefix))


def _count_near(near: Near, article: Prepared) -> dict[str, int]:
    """Count where terms stand together, in each zone; only where the presearch would see them."""
    exact = near.field is Field.CASE
    things = [
        tuple(dict.fromkeys((key, term.prefix) for term in group for key in ((_exact(term),) if exact else term.keys)))
        for group in near.groups
    ]
    if not all(any(key in article.haystack for term in group for key in term.keys) for group in near.groups):
        return {}
    return {
        zone: count_near(article.exact[zone] if exact else _zone(article, zone), things, within=near.within)
        for zone in _ZONES[near.field]
    }


def _exact(term: Term) -> str:
    return term.key if term.exact is None else term.exact


def _zone(article: Prepared, zone: str) -> str:
    return {"title": article.title, "summary": article.summary, "body": article.body}[zone]


def _count_body(term: Term, article: Prepared) -> dict[str, int]:
    spans = spans_of(article.body, term.keys, prefix=term.prefix)
    lead = sum(start < article.lead_end for start, _ in spans)
    return {"lead": lead, "body": len(spans) - lead}
