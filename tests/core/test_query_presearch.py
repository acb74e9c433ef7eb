"""The search before the search may name too many queries, and never one too few."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.model import Item
from alerts.core.query import (
    NO_ALIASES,
    Aliases,
    Entry,
    Percolator,
    Prepared,
    Query,
    QueryTable,
    evaluate,
    literals,
    parse,
    prepare,
)
from alerts.core.query import percolator as percolator_module
from alerts.core.query.percolator import SMALLEST_GROWN, QueryIndex
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
        "1810.HK",
        "$NIO",
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
    | st.builds(lambda field, word: f'{field}"{word}"*', FIELDS, WORDS)
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
    tickers=st.lists(st.sampled_from(["HKG: 1810", "HKG : 1810", "SEHK:01810", "$NIO"]), max_size=1).map(tuple),
    language=st.sampled_from(["zh", "zh-Hans", "ZH_hant", None]),
)


def read(text: str, aliases: Aliases = NO_ALIASES) -> Query | None:
    try:
        return parse(text, aliases)
    except QueryError:
        return None


def table(queries: Mapping[int, Query]) -> QueryTable:
    return QueryTable(Entry(key, query.text, sorted(literals(query))) for key, query in queries.items())


def ids(percolator: Percolator, prepared: Prepared) -> list[int]:
    return [key for key, _ in percolator.candidates(prepared)]


CHANGES = st.lists(st.dictionaries(st.integers(0, 5), QUERIES | st.none(), max_size=4), max_size=5)


@given(CHANGES, st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)), ITEMS, TEXT, ALIASES)
def test_it_never_loses_a_match_however_the_queries_change(  # noqa: PLR0917 - what is drawn
    changes: list[dict[int, str | None]],
    begun: set[int],
    finished: set[int],
    item: Item,
    source_name: str,
    aliases: Aliases,
) -> None:
    """Queries come, change and go; at some of these points a new base is begun, and at some it takes its place."""
    percolator, current = Percolator(), dict[int, Query]()
    assert percolator.is_empty
    base, since = None, set[int]()
    for number, change in enumerate(changes):
        if base is None and number in begun:
            base, since = percolator.compacted(), set()
        new = {key: query for key, text in change.items() if text and (query := read(text, aliases))}
        current = {key: query for key, query in current.items() if key not in change} | new
        percolator = percolator.changed(change.keys(), table(new))
        since |= change.keys()
        if base is not None and number in finished:
            percolator, base = percolator.rebased(base, since=since), None
    prepared = prepare(item, source_name=source_name)
    matching = {key for key, query in current.items() if evaluate(query, prepared).matched}
    candidates = percolator.candidates(prepared)
    assert matching <= {key for key, _ in candidates} <= current.keys()
    assert all(current[key].text == text for key, text in candidates)
    assert candidates == sorted(set(candidates))


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


def test_a_literal_inside_a_word_names_no_candidate() -> None:
    queries = {1: parse("ford"), 2: parse("小米"), 3: parse("tag:ev*")}
    percolator = Percolator().changed(queries.keys(), table(queries))
    inside = prepare(Item(item_id="1", title="affordable 大小米 level"), source_name="x")
    assert ids(percolator, inside) == [2]
    assert ids(percolator, prepare(Item(item_id="1", title="大ford", tags=("EVs",)), source_name="x")) == [1, 3]


def test_no_query_has_no_candidates() -> None:
    assert Percolator().candidates(prepare(Item(item_id="1", title="x"), source_name="x")) == []


def test_many_queries_are_several_automata_and_still_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(percolator_module, "LITERALS_AN_AUTOMATON", 3)
    queries = {number: parse(f"w{number} OR v{number % 4}") for number in range(10)}
    percolator = Percolator().changed(queries.keys(), table(queries))
    assert ids(percolator, prepare(Item(item_id="1", title="w8 v1"), source_name="x")) == [1, 5, 8, 9]


def test_a_delta_grows_until_a_new_base_is_worth_it() -> None:
    many = {number: parse(f"w{number}") for number in range(SMALLEST_GROWN + 1)}
    percolator = Percolator(base=QueryIndex(table({-1: parse("first")})))
    percolator = percolator.changed({*range(SMALLEST_GROWN)}, table({}))
    assert not percolator.has_grown
    percolator = percolator.changed(many.keys(), table(many))
    assert percolator.has_grown
    rebased = percolator.rebased(percolator.compacted(), since=set())
    assert not rebased.has_grown
    prepared = prepare(Item(item_id="1", title="First w7"), source_name="x")
    assert percolator.candidates(prepared) == rebased.candidates(prepared) == [(-1, "first"), (7, "w7")]


def test_queries_that_may_write_a_name_are_named() -> None:
    queries = {1: parse("title:Xiaomi OR x1"), 2: parse(r"Xia\omi"), 3: parse("BYD"), 4: parse("Ｘiaomi")}
    percolator = Percolator(base=QueryIndex(table({key: queries[key] for key in (1, 2, 3)})))
    percolator = percolator.changed({1, 4}, table({4: queries[4]}))
    assert percolator.texts_with({"xiaomi"}) == [(2, r"Xia\omi"), (4, "Ｘiaomi")]


def test_many_channels_cost_an_article_little() -> None:
    queries = {
        number: Query(f"w{number:05}", Term(Field.TEXT, f"w{number:05}", f"w{number:05}")) for number in range(20_000)
    }
    percolator = Percolator().changed(queries.keys(), table(queries))
    prepared = prepare(Item(item_id="1", title="w07777 is here", body="nothing else " * 200), source_name="x")
    began = time.perf_counter()
    candidates = percolator.candidates(prepared)
    assert time.perf_counter() - began < 0.1  # asking each would take ten times that
    assert candidates == [(7_777, "w07777")]
