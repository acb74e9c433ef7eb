"""A look back over many articles passes over those that answer nothing, and never one too many."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.model import Item
from alerts.core.query import Glance, evaluate, parse, prepare

PIECES = st.sampled_from(
    ["Ｘiaomi", "e-tron", "小米", "ß", "İ", "NIO’s", "\u0301", "\u00ad", "\u200b", "ﾃｽﾗ", "한국", "รถ", ".NET", "1,000"]
)
SPACES = st.sampled_from(["", " ", "\n", "\n\n", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\t", "—"])
TEXTS = st.lists(st.one_of(PIECES, SPACES, st.text(max_size=3)), max_size=12).map("".join)


@given(TEXTS, TEXTS, st.integers(0, 20), st.integers(1, 8))
@example("", "ﬁ\nx", 0, 2)
@example("a", "e\u0301\n\u0301x", 3, 2)
def test_what_matches_is_seen_at_a_glance(title: str, body: str, start: int, length: int) -> None:
    """Whatever stands in a text is a query for it."""
    item = Item(item_id="1", title=title, body=body, summary=(title, body), tags=(title,), author=body)
    fragment = (body or title)[start : start + length].replace("\\", "\\\\").replace('"', '\\"')
    prepared = prepare(item, source_name=title)
    for field in ("", "title:", "body:", "tag:", "author:", "source:", "case:", "about:"):
        try:
            queries = [parse("zzz"), parse(f'{field}"{fragment}"'), parse(f'{field}"{fragment}"* OR zzz')]
        except QueryError:
            continue
        matching = {number for number, query in enumerate(queries) if evaluate(query, prepared).matched}
        assert matching <= Glance(queries).candidates(item, source_name=title)


def test_an_article_without_the_words_is_passed_over() -> None:
    queries = [parse("Xiaomi recall"), parse("tag:EV OR ticker:1810.HK"), parse("lang:zh")]
    item = Item(item_id="1", title="Recall of a Tesla", body="Nothing\nelse", tickers=("HKG: 1810",), language="zh-CN")
    assert Glance(queries).candidates(item, source_name="x") == {1, 2}
    assert Glance([]).candidates(item, source_name="x") == set()
