"""Near-duplicates from two sources: copies are the same story, and whatever says something else is another one."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import Item
from alerts.core.stories import MARKS, judge, marks_of, telling_of

PAIRS = tomllib.loads((Path(__file__).parent / "stories.toml").read_text(encoding="utf-8"))["pair"]


def item(title: str, lead: str, body: str = "") -> Item:
    return Item(item_id="1", title=title, summary=(lead,) if lead else (), body=body)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_a_pair_is_told_as_a_reader_would(pair: dict[str, Any]) -> None:
    one, other = telling_of(item(*pair["one"])), telling_of(item(*pair["other"]))

    verdict = judge(one, other)

    assert verdict.same is pair["same"], verdict.why
    assert judge(other, one) == verdict


def test_copies_share_marks_by_which_an_index_finds_them() -> None:
    for pair in PAIRS:
        if pair["same"]:
            one, other = (set(marks_of(telling_of(item(*pair[side])))) for side in ("one", "other"))
            assert one & other, pair["name"]


def test_a_summary_that_the_body_begins_with_is_compared_once() -> None:
    title, lead = PAIRS[0]["one"]
    whole = telling_of(item(title, f"{lead[:60]}…", lead))

    assert whole == telling_of(item(title, lead))
    assert telling_of(item(title, "A line of its own.", lead)).lead[:4] == ("a", "line", "of", "its")


def test_a_lead_whose_words_were_changed_a_lot_is_another_story() -> None:
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(60)]
    edited = [*words[:48], *(f"x{word}" for word in words[48:])]

    verdict = judge(telling_of(item("A title", " ".join(words))), telling_of(item("A title", " ".join(edited))))

    assert (verdict.same, verdict.why) == (False, 'the leads differ in "wbw"')


def test_a_name_that_only_one_lead_has_makes_another_story() -> None:
    lead = "The plant near {} will build cells for the whole of the company from the spring of next year, it was said."

    verdict = judge(
        telling_of(item("A plant", lead.format("Debrecen"))), telling_of(item("A plant", lead.format("Pest")))
    )

    assert not verdict.same
    assert verdict.why == 'the leads differ in "debrecen"'


def test_texts_that_are_hard_to_lay_side_by_side_are_judged_soon() -> None:
    a, b = ("ab " * 900)[:1_200], ("ab ba " * 900)[:1_200]

    began = time.process_time()
    for one, other in (
        (a, a),
        (a, b),
        (b, f"ba {b}"),
        (a.replace(" ", ""), "小米" * 600),
        ("小米" * 600, "米小" * 600),
    ):
        judge(telling_of(item("A title", one)), telling_of(item("A title", other)))

    assert time.process_time() - began < 1


@given(st.text(max_size=200), st.text(max_size=400), st.text(max_size=400))
def test_whatever_an_article_says_it_is_judged_and_the_order_does_not_matter(title: str, lead: str, other: str) -> None:
    one, two = telling_of(item(title, lead)), telling_of(item(title, other))

    assert judge(one, two) == judge(two, one)
    assert 0 < len(marks_of(one)) <= MARKS
    assert all(0 <= mark < 1 << 63 for mark in marks_of(one))
