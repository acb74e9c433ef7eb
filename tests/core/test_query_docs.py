"""The page on queries says what is true: its examples are run here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.core.boilerplate import ENOUGH, SHARE, WINDOW
from alerts.core.errors import QueryError
from alerts.core.model import Item
from alerts.core.query import Aliases, evaluate, parse, prepare
from alerts.core.query.about import TAG_NEEDS, TAG_WEIGHT, THRESHOLD, WEIGHTS
from alerts.core.query.tree import Field

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text("utf-8")
ITEM = Item(
    item_id="1",
    title="Xiaomi recalls 4,000 SU7 over a door handle",
    summary=("Xiaomi replaces the handle at no charge.",),
    body=(
        "Xiaomi is recalling 4,000 cars of the type SU7. The handle may freeze."
        " Owners of the 小米SU7 will be written to."
        "\n\nTesla had a similar recall last winter. Xiaomi says that nobody was hurt."
    ),
    author="Jane Doe",
    tags=("Recalls", "Xiaomi"),
    tickers=("HKG: 1810",),
    language="en-GB",
)
# As the page writes them, in sentences and in YAML.
ALIASES = Aliases.of(
    {
        name: [one.strip('" ') for one in others.split(",")]
        for name, others in re.findall(r"`([^`:]+): \[([^\]]+)\]`", PAGE)
    }
)


def lines(fence: str) -> list[str]:
    blocks = re.findall(rf"^```{fence}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("query", lines("query"))
def test_an_example_is_read(query: str) -> None:
    assert parse(query).text == query


@pytest.mark.parametrize("line", lines("refused"))
def test_a_refused_example_is_refused_with_its_sentence(line: str) -> None:
    query, sentence = re.split(r" {2,}", line, maxsplit=1)
    with pytest.raises(QueryError, match=re.escape(sentence)):
        parse(query)


@pytest.mark.parametrize(("query", "answer"), re.findall(r"^\| `([^`]+)` \| (yes|no) \|$", PAGE, re.MULTILINE))
def test_the_article_answers_as_the_page_says(query: str, answer: str) -> None:
    assert evaluate(parse(query, ALIASES), prepare(ITEM, source_name="EV Daily")).matched is (answer == "yes")


def test_the_article_on_the_page_is_the_one_asked_about() -> None:
    quoted = " ".join(line.removeprefix(">").strip() for line in PAGE.splitlines() if line.startswith(">"))
    for text in (ITEM.title, *ITEM.summary, *ITEM.body.split("\n\n")):
        assert text in quoted


def test_every_field_has_its_row() -> None:
    assert set(re.findall(r"^\| `(\w+):` \|", PAGE, re.MULTILINE)) == {field.value for field in Field if field.value}


def test_the_weights_on_the_page_are_those_in_force() -> None:
    for zone, weight in WEIGHTS.items():
        assert f"| {zone} | {weight:.2f} |" in PAGE
    assert f"| tag | +{TAG_WEIGHT:.2f} | the text alone gave {TAG_NEEDS:.2f}" in PAGE
    assert f"{THRESHOLD} is enough" in PAGE


def test_the_page_says_when_a_line_is_boilerplate() -> None:
    said = " ".join(PAGE.split())
    assert f"in {ENOUGH} different articles of the source or more, and in {SHARE:.0%}".replace("%", " %") in said
    assert f"not seen for {WINDOW.days} days is forgotten" in said
