"""What may stand in a post, and what is said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.posted import MOST_ITEMS, MOST_PROBLEMS, Post, Problem, check_post

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "id": "cms-1",
    "url": "https://news.example/1",
    "title": "Xiaomi opens a plant",
    "summary": "In Wuhan.",
    "content_text": "Text.",
    "content_html": "<p>Text.</p>",
    "tags": ["Xiaomi"],
    "language": "en-GB",
    "authors": [{"name": "Mia Chen", "url": "https://news.example/mia"}],
    "author": {"name": "Mia Chen"},
    "date_published": "2026-01-05T11:00:00.5+01:00",
    "image": 7,
    "_ours": {"anything": True},
}


def mistakes(document: object) -> dict[str, str]:
    found = check_post(document, now=NOW)
    assert not isinstance(found, Post), "nothing was wrong"
    return {one.pointer: one.detail for one in found}


def test_an_item_with_everything_is_taken_alone_and_in_a_list() -> None:
    assert check_post(ITEM, now=NOW) == Post(items=(ITEM,), is_list=False)
    other = {"id": "2", "title": "T"}
    assert check_post([ITEM, other], now=NOW) == Post(items=(ITEM, other), is_list=True)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("id", 7, "string"),
        ("id", "", "one line"),
        ("id", " x", "one line"),
        ("id", "x" * 501, "at most 500"),
        ("url", "/1", "absolute"),
        ("url", 1, "absolute"),
        ("url", " https://news.example/", "absolute"),
        ("title", None, "string"),
        ("title", "x" * 301, "at most 300"),
        ("tags", "Xiaomi", "list"),
        ("tags", ["a"] * 51, "at most 50"),
        ("tags", ["a", 1], "entry 1 must be a string"),
        ("tags", ["  "], "entry 0 is empty"),
        ("language", "English, mostly", "language tag"),
        ("language", None, "language tag"),
        ("authors", {"name": "Mia"}, "list"),
        ("authors", [{"name": "Mia"}] * 21, "at most 20"),
        ("authors", [{"name": " "}], "entry 0 must be an object"),
        ("authors", [{"name": "x" * 201}], "at most 200"),
        ("author", "Mia", "object"),
        ("author", {"name": "Mia", "mail": "mia@news.example"}, "object"),
        ("date_published", 1767600000, "RFC 3339"),
        ("date_published", "2026-01-05", "RFC 3339"),
        ("date_published", "2026-02-30T00:00:00Z", "RFC 3339"),
        ("date_published", "0001-01-01T00:00:00+09:00", "RFC 3339"),
        ("date_published", "2026-01-06T00:00:00Z", "nothing is held here"),
        ("headline", "x", "no member"),
        ("titel", "x", "“title”"),
        ("a/b~c", "x", "no member"),
    ],
)
def test_each_mistake_is_told_where_it_is_and_how_to_mend_it(member: str, value: object, said: str) -> None:
    pointer = member.replace("~", "~0").replace("/", "~1")
    assert said in mistakes(ITEM | {member: value})[f"#/{pointer}"]
    assert list(mistakes([ITEM, ITEM | {"id": "2", member: value}])) == [f"#/1/{pointer}"]


def test_a_clock_that_is_a_little_fast_is_no_future() -> None:
    soon = (NOW + timedelta(minutes=5)).isoformat()
    assert isinstance(check_post(ITEM | {"date_published": soon}, now=NOW), Post)


def test_an_item_needs_an_id_and_text() -> None:
    assert set(mistakes({"url": "https://news.example/1", "title": " \u200b"})) == {"#", "#/id"}


@pytest.mark.parametrize("document", [None, 7, "text", [None]])
def test_what_is_no_item_is_told_so(document: object) -> None:
    assert next(iter(mistakes(document).values())).startswith("is no object")


@pytest.mark.parametrize("number", [0, MOST_ITEMS + 1])
def test_a_list_has_one_to_a_hundred_items(number: int) -> None:
    assert f"{number} items" in mistakes([{"id": str(one), "title": "T"} for one in range(number)])["#"]


def test_an_id_stands_once_in_a_post() -> None:
    assert list(mistakes([ITEM, {"title": "no id"}, ITEM])) == ["#/1/id", "#/2/id"]


def test_an_answer_names_so_many_mistakes_and_no_more() -> None:
    found = check_post([{}] * 100, now=NOW)
    assert isinstance(found, list)
    assert len(found) == MOST_PROBLEMS


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ITEM, "x"]), inner, max_size=6),
    max_leaves=12,
)


@given(JSON)
def test_whatever_comes_is_taken_or_told_why_not(document: object) -> None:
    found = check_post(document, now=NOW)
    assert isinstance(found, Post) or all(isinstance(one, Problem) and one.detail for one in found)
