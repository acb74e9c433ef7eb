"""The place of a mistake, drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.query import parse
from alerts.core.query.pointer import picture


@pytest.mark.parametrize(
    ("query", "drawn"),
    [
        ("a OR", "a OR\n    ^"),
        ("nio (byd OR\n (xpeng", " (xpeng\n ^"),
        ("小米 OR (NIO", "小米 OR (NIO\n        ^"),
        ("tab\there (", "tab here (\n         ^"),
        ("e\u0301 (", "e\u0301 (\n  ^"),
        ("ไทยที่ (", "ไทยที่ (\n     ^"),
        ("हिन्दी (", "हिन्दी (\n      ^"),
        ("\u1112\u1161\u11ab (", "\u1112\u1161\u11ab (\n   ^"),
        ("🚗 (", "🚗 (\n   ^"),
        ("", "\n^"),
        ("a " * 100 + "(" + " b" * 100, "… " + "a " * 25 + "(" + " b" * 24 + "  …\n" + " " * 52 + "^"),
    ],
)
def test_a_caret_stands_under_the_place(query: str, drawn: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.picture == drawn


def test_an_error_is_one_line_or_drawn() -> None:
    with pytest.raises(QueryError) as caught:
        parse("nio (")
    assert str(caught.value).count("\n") == 0
    assert caught.value.drawn == f"{caught.value}\n    nio (\n        ^"
    assert QueryError("no place").drawn == "no place"


@given(st.text(), st.data())
def test_any_place_can_be_drawn(text: str, data: st.DataObject) -> None:
    line = data.draw(st.integers(1, text.count("\n") + 1))
    column = data.draw(st.integers(1, len(text.split("\n")[line - 1]) + 1))
    first, second = picture(text, line=line, column=column).split("\n")
    assert len(first) < 120
    assert second.strip() == "^"
    assert all(character.isprintable() for character in first)
