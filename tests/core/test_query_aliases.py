"""Several names of one thing: found wherever one is written, and one name to about:."""

from __future__ import annotations

import pytest

from alerts.core.model import Item
from alerts.core.query import Aliases, Prepared, evaluate, parse, prepare
from alerts.core.query.aliases import mentions
from alerts.core.query.tree import Field

ALIASES = Aliases.of({"Xiaomi": ["小米", "シャオミ", "HKG: 1810", "XIACY"], "Li Auto": ["理想汽车"]})
CHINESE = Item(
    item_id="1",
    title="小米召回SU7",
    body="小米汽车周五宣布召回。",
    author="小米",
    tags=("小米",),
    tickers=("HKG: 1810",),
    language="zh",
)


def article(*, body: str = "", tickers: tuple[str, ...] = ()) -> Prepared:
    return prepare(Item(item_id="1", title="", body=body, tickers=tickers), source_name="小米")


@pytest.mark.parametrize(
    "query",
    [
        "Xiaomi",
        "xiaomi",
        '"XIAOMI"',
        "title:Xiaomi",
        "body:Xiaomi",
        "tag:Xiaomi",
        "tag:#Xiaomi",
        "author:Xiaomi",
        "source:Xiaomi",
        "ticker:Xiaomi",
        "about:Xiaomi",
        "Xiaomi NEAR 召回",
        '"Xiaomi 召回"~8',
        "title:(Xiaomi NEAR/0 召回)",
    ],
)
def test_a_name_finds_its_other_names(query: str) -> None:
    prepared = prepare(CHINESE, source_name="小米")
    assert evaluate(parse(query, ALIASES), prepared).matched
    assert not evaluate(parse(query), prepared).matched


@pytest.mark.parametrize("query", ["case:Xiaomi", "Xiaomi*", '"Xiaomi SU7"', "シャオミ", 'ticker:"Li Auto"'])
def test_some_terms_are_taken_as_written(query: str) -> None:
    assert not evaluate(parse(query, ALIASES), prepare(CHINESE, source_name="小米")).matched


def test_a_language_has_no_other_names() -> None:
    aliases = Aliases.of({"ja": ["zh"]})
    assert parse("ja", aliases).root != parse("ja").root
    assert parse("lang:ja", aliases).root == parse("lang:ja").root


def test_a_share_is_found_among_the_tickers_and_in_the_text_however_spaced() -> None:
    assert evaluate(parse("Xiaomi", ALIASES), article(tickers=("HKG:1810",))).hits[0].zone == "ticker"
    assert evaluate(parse("Xiaomi", ALIASES), article(tickers=("OTCMKTS: XIACY",))).matched
    assert evaluate(parse("Xiaomi", ALIASES), article(body="Shares (HKG:1810) rose.")).matched
    assert evaluate(parse("Xiaomi", ALIASES), article(body="Shares (HKG: 1810) rose.")).matched
    assert not evaluate(parse("title:Xiaomi", ALIASES), article(tickers=("HKG:1810",))).matched
    assert not evaluate(parse("Xiaomi", ALIASES), article(tickers=("HKG: 181",))).matched


def test_about_weighs_all_names_as_one() -> None:
    sentences = ("Xiaomi said so. ", "小米说是。", "Nobody else spoke. ", "シャオミ agreed. ")
    mixed = prepare(Item(item_id="1", title="小米 and Xiaomi", body="".join(sentences)), source_name="x")
    plain = prepare(
        Item(
            item_id="1",
            title="Xiaomi and Xiaomi",
            body="".join(sentences).replace("小米", " Xiaomi ").replace("シャオミ", "Xiaomi"),
        ),
        source_name="x",
    )
    assert evaluate(parse("about:Xiaomi", ALIASES), mixed).score == evaluate(parse("about:Xiaomi"), plain).score
    assert (
        evaluate(parse("about:(Xiaomi OR 小米 OR シャオミ)"), mixed).score
        < evaluate(parse("about:Xiaomi"), plain).score
    )


def test_names_that_overlap_are_counted_once() -> None:
    aliases = Aliases.of({"小米": ["小米汽车", "米汽"]})
    (hit,) = evaluate(parse("body:小米", aliases), article(body="小米汽车的小米")).hits
    assert hit.count == 2


def test_a_term_shows_the_name_that_was_written() -> None:
    verdict = evaluate(parse("Xiaomi", ALIASES), prepare(CHINESE, source_name="x"))
    assert {hit.term for hit in verdict.hits} == {"Xiaomi"}
    assert verdict.why == "Xiaomi title 1, lead 1, ticker 1"


def test_what_changed_is_told_by_name() -> None:
    assert ALIASES.changed_names(ALIASES) == frozenset()
    assert ALIASES.changed_names(Aliases.of({"XIAOMI": ["小米"], "BYD": ["比亚迪"]})) == {"xiaomi", "byd", "li auto"}
    assert ALIASES.tickers("Xiaomi", Field.TEXT) == ("hkg:1810", "xiacy")


@pytest.mark.parametrize("query", ["Xiaomi", "about:(x1 OR ＸIAOMI)", '"xiao\\mi"', "tag:#xiaomi"])
def test_a_query_that_writes_a_name_mentions_it(query: str) -> None:
    assert mentions(query, {"xiaomi"})
    assert not mentions(query, {"li auto"})
