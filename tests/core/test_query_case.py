"""Exact case: the capitals count, and nothing else that never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import Hit, Item
from alerts.core.query import evaluate, parse, prepare
from alerts.core.text import fold, fold_but_case

ARTICLE = prepare(
    Item(
        item_id="1",
        title="NIO opens in Nioh",
        summary=("The ES8 – Ｎio's best",),
        body="Li‑Auto and ﬁrst NIO's. STRASSE",
    ),
    source_name="SOURCE",
)


@pytest.mark.parametrize("query", ["case:NIO", "case:Nio", "case:ES*", 'case:"Li Auto"', "case:Li-Auto", "case:first"])
def test_what_is_written_so_is_found(query: str) -> None:
    assert evaluate(parse(query), ARTICLE).matched


@pytest.mark.parametrize("query", ["case:nio", "case:es*", 'case:"li auto"', "case:SOURCE", "case:NI", "case:straße"])
def test_what_is_written_otherwise_is_not(query: str) -> None:
    assert not evaluate(parse(query), ARTICLE).matched


def test_it_is_counted_in_each_zone() -> None:
    verdict = evaluate(parse("case:NIO"), ARTICLE)
    assert verdict.hits == (Hit(term="NIO", zone="title", count=1), Hit(term="NIO", zone="body", count=1))
    assert verdict.why == "case:NIO title 1, body 1"


@given(st.text(max_size=30))
def test_only_capitals_are_kept(text: str) -> None:
    kept = fold_but_case(text)
    assert fold_but_case(kept) == kept
    assert fold(kept) == fold(text)
