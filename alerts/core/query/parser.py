"""Read a query: from its text to a tree, or to one plain sentence that says what is wrong and where.

``grammar`` says what may stand where, ``terms`` what a word means; this module refuses what is no query as a whole: one
that would match articles without finding anything in them.
"""

from __future__ import annotations

import re

from alerts.core.query.aliases import NO_ALIASES, Aliases
from alerts.core.query.grammar import Reader
from alerts.core.query.mistakes import check_pairs, mistake
from alerts.core.query.terms import Terms
from alerts.core.query.tree import And, Near, Node, Not, Query, Term

LONGEST_QUERY = 10_000  # characters

_UNKEEPABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # a database, or a terminal, refuses them

# What word processors and Chinese keyboards make of quotes, parentheses and colons; one for one, so columns stay.
_TYPED = str.maketrans("“”„‟＂（）：＊＞～", '"""""():*>~')


def parse(text: str, aliases: Aliases = NO_ALIASES) -> Query:
    """Return the query that ``text`` writes; a term that is a name in ``aliases`` also finds its other names.

    Raises QueryError, whose message is a sentence for the person who wrote it, with line and column.

    >>> str(parse('about:Xiaomi OR title:("Li Auto" NIO)').root.nodes[0])
    'about:Xiaomi'
    """
    if len(text) > LONGEST_QUERY:
        raise mistake(text, LONGEST_QUERY, f"The query is longer than {LONGEST_QUERY:,} characters. Split the channel.")
    if not text or text.isspace():
        raise mistake(text, 0, "The query is empty: it would match nothing. Write at least one word.")
    if (unkeepable := _UNKEEPABLE.search(text)) is not None:
        code = f"U+{ord(unkeepable[0]):04X}"
        raise mistake(text, unkeepable.start(), f"Here stands {code}, which is no character of a text. Remove it.")
    typed = text if text.isascii() else text.translate(_TYPED)
    check_pairs(typed)
    root = Reader(typed, Terms(typed, aliases)).query()
    if matches_nothing_found(root):
        raise mistake(
            typed,
            0,
            "The query would match articles in which it finds nothing, so nearly all of them: every side of an OR"
            " needs a term without NOT. Add what an article must have, for example: Xiaomi NOT Tesla.",
        )
    return Query(text, root)


def matches_nothing_found(node: Node) -> bool:
    """Say whether ``node`` holds for an article that has none of its terms."""
    match node:
        case Term() | Near():
            return False
        case Not():
            return not matches_nothing_found(node.node)
        case And():
            return all(matches_nothing_found(child) for child in node.nodes)
        case _:
            return any(matches_nothing_found(child) for child in node.nodes)
