"""The search before the search may name too many queries, and never one too few."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.model import Item
from alerts.core.query import NO_ALIASES, Aliases, Presearch, Query, evaluate, parse, prepare
from alerts.core.query.presearch import literals
from alerts.core.query.tree import Field, Not, Term

WORDS = st.sampled_from(
    [
        "nio",
        "NIO's",
        "Li",
        "Auto",
        "li-auto",
        "米",
        "小米",
        "e-tron",
        "ａｂ",
        "ß",
        "x*",
        "zh",
        "HKG:1810",
        "샤오",
        "İ",
        "NIO",
    ]
)
ALIASES = st.dictionaries(WORDS, st.lists(WORDS, max_size=3), max_size=3).map(Aliases.of)
FIELDS = st.sampled_from(["", *(f"{field}:" for field in Field if field)])
TERMS = (
    st.builds(lambda field, words: f'{field}"{words}"', FIELDS, WORDS)
    | WORDS
    | st.builds(lambda left, right, within: f"{left} NEAR/{within} {right}", WORDS, WORDS, st.integers(0, 3))
    | st.builds(lambda one, two, three: f"case:({one} NEAR ({two} OR {three}))", WORDS, WORDS, WORDS)
    | st.builds(lambda left, right: f'body:"{left} {right}"~2', WORDS, WORDS)
    | st.builds(lambda word, above: f'about:"{word}">0.{above}', WORDS, st.integers(0, 9))
)
QUERIES = st.recursive(
    TERMS,
    lambda inner: st.builds(
        lambda left, operator, right: f"({left} {operator} {right})",
        inner,
        st.sampled_from(["AND", "OR", "NOT", "OR NOT"]),
        inner,
    ),
    max_leaves=6,
)
TEXT = st.lists(WORDS, max_size=6).map(" ".join) | st.lists(WORDS, max_size=6).map("".join)
ITEMS = st.builds(
    Item,
    item_id=st.just("1"),
    title=TEXT,
    summary=st.lists(TEXT, max_size=2).map(tuple),
    body=TEXT,
    author=TEXT,
    tags=st.lists(TEXT, max_size=2).map(tuple),
    tickers=st.lists(st.sampled_from(["HKG: 1810", "HKG : 1810", "NIO"]), max_size=1).map(tuple),
    language=st.sampled_from(["zh", "zh-Hans", "ZH_hant", None]),
)


def read(text: str, aliases: Aliases = NO_ALIASES) -> Query | None:
    try:
        return parse(text, aliases)
    except QueryError:
        return None


@given(st.lists(QUERIES, max_size=8), ITEMS, TEXT, ALIASES)
def test_it_never_loses_a_match(texts: list[str], item: Item, source_name: str, aliases: Aliases) -> None:
    queries = {number: query for number, text in enumerate(texts) if (query := read(text, aliases))}
    prepared = prepare(item, source_name=source_name)
    matching = {number for number, query in queries.items() if evaluate(query, prepared).matched}
    assert matching <= Presearch.build(queries).candidates(prepared) <= queries.keys()


@given(QUERIES)
def test_every_query_that_is_read_needs_something(text: str) -> None:
    query = read(text)
    assert query is None or literals(query)


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("nio", {"nio"}),
        ("nio OR byd", {"nio", "byd"}),
        ("nio xiaomi", {"xiaomi"}),
        ("xiaomi NOT tesla", {"xiaomi"}),
        ("xiaomi (nio OR byd)", {"xiaomi"}),
        ("NOT (tesla OR NOT xiaomi)", {"xiaomi"}),
        ("NOT (NOT nio NOT byd)", {"nio", "byd"}),
    ],
)
def test_the_rarest_of_what_is_needed_is_looked_for(query: str, needed: set[str]) -> None:
    assert literals(parse(query)) == needed


def test_a_query_that_needs_nothing_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="needs nothing"):
        literals(Query("NOT x", Not(Term(Field.TEXT, "x", "x"))))


def test_no_query_has_no_candidates() -> None:
    assert Presearch.build({}).candidates(prepare(Item(item_id="1", title="x"), source_name="x")) == set()


def test_many_channels_cost_an_article_little() -> None:
    queries = {number: Query("", Term(Field.TEXT, f"w{number:05}", f"w{number:05}")) for number in range(20_000)}
    presearch = Presearch.build(queries)
    prepared = prepare(Item(item_id="1", title="w07777 is here", body="nothing else " * 200), source_name="x")
    began = time.perf_counter()
    candidates = presearch.candidates(prepared)
    assert time.perf_counter() - began < 0.1  # asking each would take ten times that
    assert 7_777 in candidates
    assert len(candidates) == 1
