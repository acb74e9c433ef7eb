"""Where in the file a character of a value stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.config.document import Mapping, Scalar, read_document
from alerts.config.problems import Problems
from alerts.config.written import offset_in

MARK = "▲"
WORDS = st.lists(st.text("ab小'\"\\é🚗,:#", min_size=1, max_size=4), min_size=1, max_size=8)


def query_in(yaml: str) -> Scalar:
    problems = Problems()
    root = read_document(yaml, "c.yaml", problems)
    problems.refuse()
    assert isinstance(root, Mapping)
    node = root.entries["query"].node
    assert isinstance(node, Scalar)
    return node


def place_in(yaml: str) -> str:
    line = next(number for number, one in enumerate(yaml.split("\n"), start=1) if MARK in one)
    return f"c.yaml:{line}:{yaml.split(chr(10))[line - 1].index(MARK) + 1}"


@pytest.mark.parametrize(
    "yaml",
    [
        "query: a ▲",
        "query: a OR\n  b\n\n   ▲ c\n",
        "query: 'it''s ▲'",
        "query: 'it''s\n\n  a ▲'",
        'query: "a\\tb \\"c\\" ▲"',
        'query: "\\u5c0f \\x61\\n \\U0001f697 ▲"',
        'query: "a\\\n   b ▲"',
        'query: "a\\\r\n   b ▲"',
        "query: |\n  a\n   b ▲\nx: y\n",
        "query: |2-  # so it is\n\n    a\n\n  ▲ b\n",
        "query: >\n  a\n  b\n\n  ▲\n",
        "query: &anchor >+\r\n  a\r\n  b ▲\r\n",
        "x: y\n\nquery:\n\n  a ▲",
        "{x: y, query: a ▲ b}",
        "query: ! 'a ▲'",
    ],
)
def test_a_place_in_a_value_is_a_place_in_the_file(yaml: str) -> None:
    node = query_in(yaml)
    assert node.place_of(node.text.index(MARK)) == place_in(yaml)


def test_the_end_of_a_value_is_behind_its_last_word() -> None:
    node = query_in("query: >\n  a\n  OR\n\n")
    assert [node.place_of(at) for at in (1, 4, 5, 99)] == ["c.yaml:2:4", "c.yaml:3:5", "c.yaml:3:5", "c.yaml:3:5"]


def test_a_value_that_is_in_no_file_has_its_place_alone() -> None:
    assert Scalar("$ALERTS_QUERY", "a (").place_of(2) == "$ALERTS_QUERY"


@given(WORDS, st.integers(0, 7), st.sampled_from(["'", '"', "|", ">"]), st.booleans())
@example(["'"], 0, "'", False)
def test_any_text_in_any_style_is_found_again(words: list[str], where: int, style: str, tall: bool) -> None:
    words.insert(min(where, len(words)), MARK)
    text = ("\n    " if tall else " ").join(words)
    quoted = {"'": "'" + text.replace("'", "''") + "'", '"': " ".join(words)}
    if style == '"':
        yaml = "query: " + json.dumps(quoted['"'], ensure_ascii=False)
    else:
        yaml = f"query: {quoted[style]}\n" if style in quoted else f"query: {style}\n    {text}\n"
    node = query_in(yaml)
    assert node.place_of(node.text.index(MARK)) == place_in(yaml)


@given(st.text(), st.text(), st.integers(0, 20))
def test_any_place_of_any_text_is_somewhere_in_it(written: str, value: str, at: int) -> None:
    assert 0 <= offset_in(written, value, at) <= len(written)
