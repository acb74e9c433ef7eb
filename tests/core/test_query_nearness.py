"""How near terms stand: in any order, in one paragraph, a character a word where scripts have no spaces."""

from __future__ import annotations

import time
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import Hit, Item
from alerts.core.query import evaluate, parse, prepare
from alerts.core.query.nearness import count_near
from alerts.core.query.words import spans_of, word_starts


def near(words: str, text: str, within: int) -> int:
    return count_near(text, [((word, False),) for word in words.split()], within=within)


@pytest.mark.parametrize(
    ("words", "text", "within"),
    [
        ("battery fire", "battery fire", 0),
        ("battery fire", "fire, battery!", 0),
        ("battery fire", "a fire in the battery", 2),
        ("battery fire", "battery: 4,000 in a fire", 4),
        ("battery fire pack", "the pack on fire. battery", 1),
        ("a a", "a b a", 1),
        ("小米 召回", "小米汽车今日召回", 4),
        ("小米 su7", "小米的su7", 1),
        ("샤오미 리콜", "샤오미가 오늘 리콜했다", 1),
        ("🚗 fire", "🚗 on fire", 1),
        ("c++ fire", "c++ on fire", 1),
    ],
)
def test_terms_are_near_with_so_many_others_among_them_and_not_with_fewer(words: str, text: str, within: int) -> None:
    assert near(words, text, within) == 1
    assert within == 0 or near(words, text, within - 1) == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("battery fire", "battery"),
        ("battery fire", "battery\nfire"),
        ("a a", "a"),
        ("a a b", "a b"),
        ("battery fire", "batteryfire"),
    ],
)
def test_what_is_missing_or_in_another_paragraph_is_not_near(words: str, text: str) -> None:
    assert near(words, text, 100) == 0


def test_each_place_is_counted_once() -> None:
    assert near("a b", "a b x x x x a b\nb a", 1) == 3
    assert near("a b", "a b a", 1) == 1


def test_one_of_several_names_is_enough_and_overlaps_are_one() -> None:
    names = (("xiaomi", False), ("小米", False), ("小", True))
    assert count_near("小米 recalls", [names, (("recall", True),)], within=0) == 1
    assert count_near("小米 recalls", [names, names], within=5) == 0


@given(
    st.lists(st.sampled_from("ab米x"), max_size=9),
    st.lists(st.sampled_from(["a", "b", "米"]), min_size=2, max_size=3),
    st.integers(0, 4),
)
def test_it_finds_what_trying_every_choice_finds(letters: list[str], wanted: list[str], within: int) -> None:
    """Of all ways to choose a place for each term, is there one whose other words are few enough?"""
    text = " ".join(letters)

    def is_near(chosen: tuple[int, ...]) -> bool:
        between = letters[min(chosen) : max(chosen) + 1]
        return len(set(chosen)) == len(chosen) and sum(one not in wanted for one in between) <= within

    places = [[at for at, letter in enumerate(letters) if letter == one] for one in wanted]
    assert (near(" ".join(wanted), text, within) > 0) == any(map(is_near, product(*places)))


def test_a_query_asks_for_nearness_in_its_field() -> None:
    item = Item(item_id="1", title="Xiaomi orders a recall", summary=("A recall.",), body="The recall of NIO cars.")
    article = prepare(item, source_name="x")
    verdict = evaluate(parse("(nio OR xiaomi) NEAR/2 recall*"), article)
    assert verdict.hits == tuple(
        Hit(term="(nio OR xiaomi) NEAR/2 recall*", zone=zone, count=1) for zone in ("title", "body")
    )
    assert verdict.why == "(nio OR xiaomi) NEAR/2 recall* title 1, body 1"
    assert verdict.score == 1
    for query, answer in {
        "title:(xiaomi NEAR recall)": True,
        "body:(xiaomi NEAR recall)": False,
        'summary:"recall a"~0': True,
        "case:(NIO NEAR/1 recall)": True,
        "case:(nio NEAR/1 recall)": False,
        "NOT (nio NEAR/0 recall) xiaomi": True,
        "NOT (nio NEAR/1 recall) xiaomi": False,
    }.items():
        assert evaluate(parse(query), article).matched is answer, query


@pytest.mark.parametrize("text", ["a " * 5_000, "a b " * 2_500, "米" * 5_000, "a\n" * 5_000, "a x " * 2_500 + "b"])
def test_a_long_text_costs_what_its_length_costs(text: str) -> None:
    began = time.process_time()
    for query in ("a b", "a " * 100, "米 米 a", "a b c"):
        near(query, text.strip(), 100)
    assert time.process_time() - began < 20  # a square would take minutes


@given(st.text(alphabet="aé米샤 .\u0301", max_size=12))
def test_words_begin_apart_from_one_another(text: str) -> None:
    assert all(before < after for before, after in pairwise(word_starts(text)))


@given(st.text(alphabet="ab米", max_size=12), st.lists(st.text(alphabet="ab米", min_size=1, max_size=3), max_size=3))
def test_spans_do_not_overlap(text: str, keys: list[str]) -> None:
    spans = spans_of(text, keys)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(text[start:end] in keys for start, end in spans)
