"""Whether an article is about something, measured on texts that say what they are about."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.core.model import Item
from alerts.core.query import Prepared, Verdict, evaluate, parse, prepare
from alerts.core.query.about import THRESHOLD, weigh
from alerts.core.query.tree import Field, Term

TEXTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "aboutness.toml").read_text("utf-8"))["text"]

# What it is known to get wrong; docs/decisions says why. A change that mends one takes it out here.
TOO_MUCH = {("later: 裁员", "百度")}
TOO_LITTLE = {
    ("plain launch", '"ET5 Touring"'),
    ("roundup without a name in the headline", "December"),
    ("roundup without a name in the headline", "deliveries"),
    ("box that lies", "R1S"),
    ("newsletter", "week"),
}


def article(text: dict[str, Any], *, tags: tuple[str, ...] | None = None) -> Prepared:
    item = Item(
        item_id=text["name"],
        title=text["title"],
        summary=tuple(text.get("summary", ())),
        body=text.get("body", "").strip(),
        tags=tuple(text.get("tags", ())) if tags is None else tags,
    )
    return prepare(item, source_name="Test")


def judged(label: str) -> Iterator[tuple[str, str, bool]]:
    for text in TEXTS:
        for term in text[label]:
            yield text["name"], term, evaluate(parse(f"about:{term}"), article(text)).matched


def about(
    term: str, *, title: str = "", summary: tuple[str, ...] = (), body: str = "", tags: tuple[str, ...] = ()
) -> Verdict:
    item = Item(item_id="1", title=title, summary=summary, body=body, tags=tags)
    return evaluate(parse(f"about:{term}"), prepare(item, source_name="Test"))


def test_there_are_enough_texts_in_more_than_one_language() -> None:
    assert len(TEXTS) >= 30
    assert sum(not text["title"].isascii() for text in TEXTS) >= 5


def test_what_a_text_only_mentions_it_is_not_about() -> None:
    assert {(name, term) for name, term, matched in judged("mentions") if matched} == TOO_MUCH


def test_what_a_reader_calls_the_subject_is_the_subject() -> None:
    assert {(name, term) for name, term, matched in judged("about") if not matched} == TOO_LITTLE


def test_precision_and_recall_are_what_the_decision_says() -> None:
    found = sum(matched for _, _, matched in judged("about"))
    wrong = sum(matched for _, _, matched in judged("mentions"))
    assert found / (found + wrong) > 0.98
    assert found / len(list(judged("about"))) > 0.93


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["name"])
def test_a_tag_makes_no_subject_of_what_the_text_only_mentions(text: dict[str, Any]) -> None:
    claimed = tuple(term.strip('"').rstrip("*") for term in [*text["about"], *text["mentions"], "Aptera"])
    lying = article(text, tags=claimed)
    assert not evaluate(parse("about:Aptera"), lying).matched
    for term in text["mentions"]:
        if (text["name"], term) not in TOO_MUCH:
            assert (
                evaluate(parse(f"about:{term}"), lying).matched
                == evaluate(parse(f"about:{term}"), article(text)).matched
            )


def test_a_tag_confirms_what_the_text_bears_out() -> None:
    body = "A new factory. Xiaomi opens it. " + "It makes cars. " * 6
    bare = about("Xiaomi", title="A new factory for Xiaomi", body=body)
    tagged = about("Xiaomi", title="A new factory for Xiaomi", body=body, tags=("Xiaomi",))
    assert tagged.score == pytest.approx(bare.score + 0.05)


def test_the_reason_shows_the_sum() -> None:
    verdict = about("NIO", title="NIO raises money", body="NIO raises a billion.")
    assert verdict.why == "about:NIO 1.00 ≥ 0.50 (title 0.84 + lead 0.07 + body 0.08)"
    assert about("BYD", title="NIO raises money").why == "about:BYD 0.00 < 0.50 (nowhere in the text)"


def test_the_hits_show_every_zone_once() -> None:
    body = "NIO leads. " + "Others follow in a long row of words. " * 8 + "NIO again."
    verdict = about("NIO", title="NIO", summary=("NIO does", "NIO is"), body=body, tags=("NIO",))
    assert [(hit.zone, hit.count) for hit in verdict.hits] == [
        ("title", 1),
        ("summary", 2),
        ("lead", 1),
        ("body", 1),
        ("tag", 1),
    ]


@pytest.mark.parametrize(
    "title",
    [
        "Tesla rival BYD opens a showroom",
        "Unlike Tesla, BYD grows",
        "BYD outsells Tesla in Europe",
        "BYD overtakes the Tesla Model Y",
        "Former Tesla manager joins BYD",
        "BYD is bigger than Tesla",
    ],
)
def test_what_a_headline_only_compares_with_counts_little(title: str) -> None:
    assert about("Tesla", title=title).score < THRESHOLD < about("BYD", title=title).score


@pytest.mark.parametrize("title", ["小米销量超过特斯拉", "特斯拉的竞争对手小米开设展厅", "小米不敌特斯拉"])
def test_comparison_is_understood_in_chinese_too(title: str) -> None:
    assert about("特斯拉", title=title).score < THRESHOLD


def test_a_headline_that_comes_back_to_a_name_is_about_it() -> None:
    assert about("Tesla", title="BYD outsells Tesla, and Tesla answers").score >= THRESHOLD


CRASH = (
    "A man survived on Tuesday night. He had hit a fire engine. The car was a Model Y. "
    "Police asked Tesla for its data. Tesla did not answer. On its site Tesla says that drivers must look. It was late."
)


def test_what_the_text_keeps_coming_back_to_is_its_subject_though_the_headline_only_teases() -> None:
    verdict = about("Tesla", title="Driver survives night on the motorway", body=CRASH)
    assert verdict.why == "about:Tesla 0.80 ≥ 0.50 (comes back 0.38 + lead 0.14 + body 0.28)"
    twice = CRASH.replace("Tesla did not answer", "Nobody did")
    assert not about("Tesla", title="Driver survives night on the motorway", body=twice).matched


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("Lyon asks what went wrong", CRASH.replace("It was late.", "Lyon waits. It was late in Lyon.")),
        ("Lyon's police ask what went wrong", CRASH.replace("It was late.", "Lyon waits. It was late in Lyon.")),
        ("Nine winter tyres on trial", CRASH + " Tyres cost. No tyre held. That tyre was worn. Buy tyres."),
        ("救援人员追问特斯", CRASH + " 救援。 救援。 救援。 救援。"),
    ],
)
def test_a_headline_with_a_subject_of_its_own_leaves_others_mentions(title: str, body: str) -> None:
    assert not about("Tesla", title=title, body=body).matched


def test_a_word_with_a_capital_that_the_text_writes_small_is_no_name() -> None:
    body = CRASH.replace("It was late.", "The driver waits. A driver was late.")
    assert about("Tesla", title="Driver survives night", body=body).matched


def test_names_are_found_as_words_and_phrases() -> None:
    assert not about("Ford", title="Affordable cars", body="Affordable cars are here.").matched
    assert not about("NIO", title="Onio raises money").matched
    assert about('"Li Auto"', title="Li-Auto raises money").matched
    assert about("electr*", title="Electricity is dear", tags=("electronics",)).matched


def test_a_summary_without_a_title_is_enough() -> None:
    assert about("NIO", summary=("NIO raises a billion.",)).matched


def test_only_the_second_line_of_a_summary_counts_half_as_much() -> None:
    lines = ("First line.", "NIO here.")
    item = Item(item_id="1", title="x", summary=lines, body="Nothing is said of it. " * 6)
    weight = weigh(Term(Field.ABOUT, "NIO", "nio"), prepare(item, source_name=""))
    assert dict(weight.parts)["summary"] == pytest.approx(0.15 / 4)


def test_a_text_of_a_line_or_two_does_not_outweigh_its_headline() -> None:
    body = "The plant is in Wuhan. It makes motors."
    assert about("Xiaomi", title="Xiaomi opens a plant", summary=("It cost 2 billion.",), body=body).matched
    assert not about("Xiaomi", title="Xiaomi opens a plant", body=" ".join([body] * 5)).matched
