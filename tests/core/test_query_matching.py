"""What a query finds in an article, and what it says about that."""

from __future__ import annotations

import time

import pytest

from alerts.core.model import Hit, Item
from alerts.core.query import Prepared, evaluate, parse, prepare

ITEM = Item(
    item_id="1",
    title="Xiaomi opens a plant in Wuhan",
    summary=("The plant makes motors.", "It cost 2 billion yuan."),
    body="Xiaomi has opened its second plant. "
    + "Nothing else happened on that day. " * 8
    + "\n\nTesla was not there.",
    author="Jane Doe",
    tags=("#Xiaomi", "EV batteries"),
    tickers=("HKG: 1810", "TSLA"),
    language="zh-Hans",
)
ARTICLE = prepare(ITEM, source_name="CnEV Daily")


@pytest.mark.parametrize(
    "query",
    [
        "xiaomi",
        "motors",
        "tesla",
        "plant wuhan",
        '"opens a plant"',
        "mot*",
        "title:wuhan",
        "summary:yuan",
        "body:tesla",
        'body:"second plant"',
        "tag:xiaomi",
        "tag:XIAOMI",
        'tag:"ev batteries"',
        "tag:ev*",
        "author:jane",
        "source:cnev",
        "lang:zh",
        "lang:zh-hans",
        "lang:zh-h*",
        "ticker:1810",
        "ticker:hkg:1810",
        "ticker:18*",
        "ticker:tsla",
        "about:xiaomi",
        "byd OR tesla",
        "xiaomi NOT byd",
        "title:(byd OR xiaomi)",
        "NOT byd xiaomi",
    ],
)
def test_what_is_there_is_found(query: str) -> None:
    assert evaluate(parse(query), ARTICLE).matched


@pytest.mark.parametrize(
    "query",
    [
        "byd",
        "xiaomi byd",
        "tag:ev",
        "tag:tesla",
        "batteries",
        "title:tesla",
        "summary:tesla",
        "body:wuhan",
        "author:xiaomi",
        "source:jane",
        "lang:zh-ha",
        "lang:en",
        "ticker:181",
        "ticker:nasdaq:tsla",
        "about:tesla",
        "xiaomi NOT tesla",
        '"motors. It"',
        '"motors it"',
    ],
)
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert not evaluate(parse(query), ARTICLE).matched


def test_a_verdict_names_the_terms_with_zone_and_count() -> None:
    verdict = evaluate(parse("plant OR tesla OR byd"), ARTICLE)
    assert verdict.hits == (
        Hit(term="plant", zone="title", count=1),
        Hit(term="plant", zone="summary", count=1),
        Hit(term="plant", zone="lead", count=1),
        Hit(term="tesla", zone="body", count=1),
    )
    assert verdict.why == "plant title 1, summary 1, lead 1; tesla body 1; byd not found"
    assert verdict.score == 1.0


def test_a_score_is_the_least_of_and_and_the_most_of_or() -> None:
    about = evaluate(parse("about:xiaomi"), ARTICLE).score
    assert 0.5 < about < 1
    assert evaluate(parse("about:xiaomi xiaomi"), ARTICLE).score == about
    assert evaluate(parse("about:xiaomi OR xiaomi"), ARTICLE).score == 1
    assert evaluate(parse("xiaomi NOT byd"), ARTICLE).score == 1
    assert evaluate(parse("xiaomi NOT tesla"), ARTICLE).score == 0


def test_a_query_that_does_not_match_still_shows_what_it_found() -> None:
    verdict = evaluate(parse("xiaomi NOT tesla"), ARTICLE)
    assert not verdict.matched
    assert Hit(term="tesla", zone="body", count=1) in verdict.hits


def test_the_same_term_twice_is_one_reason() -> None:
    verdict = evaluate(parse("xiaomi OR (xiaomi byd)"), ARTICLE)
    assert [hit.zone for hit in verdict.hits] == ["title", "lead"]


def test_a_long_explanation_is_cut() -> None:
    verdict = evaluate(parse(" OR ".join(f"w{number}" for number in range(20))), ARTICLE)
    assert verdict.why.endswith("; w11 not found; and 8 more terms")


def test_an_article_without_anything_matches_nothing() -> None:
    empty = prepare(Item(item_id="1", title=""), source_name="")
    for query in ("a", "title:a", "about:a", "tag:a", "lang:en", "ticker:a", "author:a", "source:a"):
        verdict = evaluate(parse(query), empty)
        assert not verdict.matched
        assert verdict.score == 0


def test_a_term_does_not_reach_over_the_end_of_a_paragraph() -> None:
    article = prepare(Item(item_id="1", title="x", body="Here ends Li\n\nAuto begins\nhere"), source_name="")
    assert not evaluate(parse('"Li Auto" OR "begins here"'), article).matched


def prepared(**zones: str) -> Prepared:
    return prepare(Item(item_id="1", title=zones.get("title", ""), body=zones.get("body", "")), source_name="")


def test_the_lead_is_the_first_sentences_in_any_script() -> None:
    latin = prepared(body="Short. " + "This sentence has some length to it. " * 20)
    chinese = prepared(body="小米汽车今天发布。" * 40)
    assert 240 <= latin.lead_end <= 290
    assert 80 <= chinese.lead_end <= 100
    assert prepared(body="One line").lead_end == len("One line")


@pytest.mark.parametrize("text", ["a" * 40_000, "a " * 20_000, "a. " * 20_000, "米" * 20_000, "a\n" * 20_000])
def test_a_long_article_costs_what_its_length_costs(text: str) -> None:
    began = time.perf_counter()
    item = Item(item_id="1", title=text[:2000], summary=(text,), body=text)
    article = prepare(item, source_name="x")
    for query in ("about:a", "about:米", f"about:{'a' * 200}", "a OR aa*", '"a a a a a a a a"'):
        evaluate(parse(query), article)
    assert time.perf_counter() - began < 5  # a square would take minutes
