"""The examples in docs/article-files.md are what they say they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.sources.formats import read_items

PAGE = (Path(__file__).parents[2] / "docs" / "article-files.md").read_text()
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("end", "text"), EXAMPLES, ids=[end for end, _ in EXAMPLES])
def test_an_example_is_read_as_the_article_that_it_shows(end: str, text: str) -> None:
    first = read_items(f"example.{end}", text.encode()).items[0]
    assert first.item.title == "BYD opens a plant in Szeged"
    assert not first.is_draft
    assert "News Alert" not in first.item.body
    assert "Image credit" not in first.item.body


def test_every_format_has_an_example() -> None:
    assert [end for end, _ in EXAMPLES] == ["txt", "md", "html", "json"]
