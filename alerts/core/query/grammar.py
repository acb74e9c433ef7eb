"""The grammar of queries, and the reader made from it; what its pieces mean is ``parser``'s business."""

from __future__ import annotations

from functools import cache

from lark import Lark

GRAMMAR = r"""
start: _any
_any: either
?either: all_of (_OR all_of)*
?all_of: negated (_AND? negated)*
?negated: NOT* _nearby
_nearby: _one | near
near: _one (NEAR _one)+
_one: WORD | QUOTED | "(" _any ")" | field
field: FIELD _value
_value: WORD | QUOTED | "(" value_either ")" ABOVE?

?value_either: value_all_of (_OR value_all_of)*
?value_all_of: value_negated (_AND? value_negated)*
?value_negated: NOT* _value_nearby
_value_nearby: _grouped | value_near
value_near: _grouped (NEAR _grouped)+
_grouped: WORD | QUOTED | "(" value_either ")"

_AND.3: /AND(?![^\s()"])/
_OR.3: /OR(?![^\s()"])/
NOT.3: /NOT(?![^\s()"])/
NEAR.3: /NEAR(?:\/[^\s()"]*)?(?![^\s()"])/
ABOVE.3: />[^\s()"]*/
FIELD.2: /[^\W\d]\w*:/
QUOTED: /"(?:[^"\\]|\\.)*"(?:[*~>][^\s()"]*)?/s
WORD: /(?:[^\s()"\\]|\\.)+/s
%ignore /\s+/
"""


@cache
def reader() -> Lark:
    """Return the LALR parser: linear in the query, and no deeper in Python's stack for a deeper query.

    Its lexer is contextual: behind ``ticker:`` a word may hold colons (``ticker:NASDAQ:TSLA``), and an operator where
    none may stand is read as a word, which ``parser`` then explains. (``_grouped`` is ``_value`` once more, since LALR
    would take one rule's two places for one, and expect a field behind a grouped value as it does behind a single one.)
    """
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)
