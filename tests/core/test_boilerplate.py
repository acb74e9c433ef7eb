"""What of a body is not the article: lines learnt from its source, captions, and notes about makers or the author."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.boilerplate import LONGEST, MOST_OF_ARTICLE, is_learnt, learnable, line_hash, trim
from alerts.core.model import Item

FOOTER = "Get our Newsletter about Tesla every Friday"


def item(body: str, title: str = "NIO raises money") -> Item:
    return Item(item_id="1", title=title, body=body)


def test_a_learnt_line_is_left_out_however_it_is_set() -> None:
    trimmed = trim(item(f"NIO raises a billion.\n\nIt grows.\n\n  {FOOTER.upper()}"), {line_hash(FOOTER)})
    assert trimmed.item.body.rstrip() == "NIO raises a billion.\n\nIt grows."
    assert trimmed.left_out == 1


def test_the_headline_and_the_first_paragraph_are_never_left_out_nor_learnt() -> None:
    told = item(f"{FOOTER}\n\nNIO raises money\n\n{FOOTER}")
    assert trim(told, {line_hash(FOOTER), line_hash("NIO raises money")}).item is told
    assert learnable(told) == frozenset()


@pytest.mark.parametrize(
    "line",
    [
        "Disclosure: the author holds shares in Tesla.",
        "免责声明:作者持有特斯拉的股票。",
        "About Volvo: Volvo was founded in 1927.",
        "About the Geely Group: it owns Volvo.",
        "Image: a Tesla in Shanghai",
        "图源:特斯拉",
    ],
)
def test_notes_and_captions_count_nothing(line: str) -> None:
    assert trim(item(f"NIO raises a billion.\n\n{line}")).left_out == 1


@pytest.mark.parametrize("line", ["About forty people came: none stayed.", "Tesla said: no.", "小米声明:没有此事。"])
def test_sentences_stay(line: str) -> None:
    assert trim(item(f"NIO raises a billion.\n\n{line}")).left_out == 0


def test_only_lines_of_a_sensible_length_are_learnt_and_only_so_many() -> None:
    assert learnable(item(f"First.\nshort\n{'x' * (LONGEST + 1)}\n{FOOTER}")) == {line_hash(FOOTER)}
    many = "\n".join(f"this is line number {number}" for number in range(MOST_OF_ARTICLE * 2))
    assert len(learnable(item(many))) == MOST_OF_ARTICLE


@pytest.mark.parametrize(
    ("articles", "of", "learnt"), [(4, 4, False), (5, 5, True), (5, 16, True), (5, 17, False), (30, 100, True)]
)
def test_a_line_is_learnt_from_enough_articles_and_a_share_of_them(articles: int, of: int, learnt: bool) -> None:
    assert is_learnt(articles=articles, of=of) is learnt


@given(lines=st.lists(st.text(max_size=40), max_size=8), learnt=st.sets(st.integers(0, 7)))
def test_trimming_twice_takes_no_more(lines: list[str], learnt: set[int]) -> None:
    hashes = {line_hash(line) for number, line in enumerate(lines) if number in learnt}
    once = trim(item("\n".join(lines)), hashes)
    assert trim(once.item, hashes).left_out == 0
