"""Ask one query about one article, and say why; ``about`` weighs what an article is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.core.model import Hit
from alerts.core.query.about import weigh
from alerts.core.query.tree import And, Field, Node, Not, Query, Term, terms
from alerts.core.query.words import is_or_begins, occurrences
from alerts.core.query.zones import Prepared

_EXPLAINED = 12  # terms in one explanation; the hits name all


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
    findings = {term: _look(term, prepared) for term in terms(query.root)}
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


def _judge(node: Node, findings: Mapping[Term, _Finding]) -> tuple[bool, float]:
    match node:
        case Term():
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


def _look(term: Term, prepared: Prepared) -> _Finding:
    if term.field is Field.ABOUT:
        weight = weigh(term, prepared)
        return _Finding(holds=weight.enough, score=weight.score, hits=weight.hits, why=f"{term} {weight.why}")
    hits = tuple(
        Hit(term=term.text, zone=zone, count=count) for zone, count in _counts(term, prepared).items() if count
    )
    where = ", ".join(f"{hit.zone} {hit.count}" for hit in hits)
    return _Finding(holds=bool(hits), score=float(bool(hits)), hits=hits, why=f"{term} {where or 'not found'}")


def _counts(term: Term, article: Prepared) -> dict[str, int]:
    """Count a term in each zone that its field means."""
    match term.field:
        case Field.TITLE:
            return {"title": _count(term, article.title)}
        case Field.SUMMARY:
            return {"summary": _count(term, article.summary)}
        case Field.BODY:
            return _count_body(term, article)
        case Field.TEXT:
            counts = {"title": _count(term, article.title), "summary": _count(term, article.summary)}
            return counts | _count_body(term, article)
        case _:
            return {term.field.value: _count_label(term, article)}


def _count_label(term: Term, article: Prepared) -> int:
    """Count a term among what is said about the article, not in it."""
    match term.field:
        case Field.TAG:
            return sum(is_or_begins(tag, term.key, prefix=term.prefix) for tag in article.tags)
        case Field.TICKER:
            return sum(is_or_begins(form, term.key, prefix=term.prefix) for form in article.tickers)
        case Field.LANG:
            return int(
                is_or_begins(article.language, term.key, prefix=term.prefix)
                or article.language.startswith(f"{term.key}-")
            )
        case Field.AUTHOR:
            return _count(term, article.author)
        case _:
            return _count(term, article.source)


def _count(term: Term, zone: str) -> int:
    return len(occurrences(zone, term.key, prefix=term.prefix))


def _count_body(term: Term, article: Prepared) -> dict[str, int]:
    places = occurrences(article.body, term.key, prefix=term.prefix)
    lead = sum(place < article.lead_end for place in places)
    return {"lead": lead, "body": len(places) - lead}
