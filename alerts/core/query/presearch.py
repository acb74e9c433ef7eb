"""What an article must hold for a query to match it; ``percolator`` looks for that, for all queries at once.

Every query needs at least one of a few literals to be in the article (the parser refuses those that need none), and
only the queries whose literal was found are evaluated. That may be too many, and is never one too few: ``evaluate``
looks for the same folded strings in the same text.
"""

from __future__ import annotations

from collections.abc import Sequence

from alerts.core.query.tree import And, Near, Node, Not, Query, Term


def literals(query: Query) -> frozenset[str]:
    """Return literals of which every article that matches holds at least one."""
    needed = _needed(query.root, negated=False)
    if needed is None:
        raise ValueError(f"a query that needs nothing: {query.text!r}")
    return needed


def _needed(node: Node, *, negated: bool) -> frozenset[str] | None:
    """Return what ``node`` (or its opposite) needs one of; None when it can hold without anything."""
    match node:
        case Term():
            return None if negated else frozenset((*node.keys, *node.tickers))
        case Near():
            return None if negated else _narrowest([_any_of(group) for group in node.groups])
        case Not():
            return _needed(node.node, negated=not negated)
        case _:
            needs = [_needed(child, negated=negated) for child in node.nodes]
            # The opposite of an AND is an OR of opposites, and the other way round.
            return _narrowest(needs) if isinstance(node, And) is not negated else _union(needs)


def _any_of(group: Sequence[Term]) -> frozenset[str]:
    return frozenset(key for term in group for key in term.keys)


def _union(needs: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    known = [need for need in needs if need is not None]
    return frozenset().union(*known) if len(known) == len(needs) else None


def _narrowest(needs: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    """Of several that are all needed, watch for the rarest: long literals, and few of them."""
    known = [need for need in needs if need is not None]
    return max(known, key=lambda need: (min(map(len, need)), -len(need), sorted(need)), default=None)
