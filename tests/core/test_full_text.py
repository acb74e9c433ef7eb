from __future__ import annotations

from dataclasses import replace

import pytest
from article_pages import CHINESE_STORY, CHINESE_TITLE, STORY, TITLE
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.full_text import LEAD, ReadPage, chosen, only_summary, why_not, with_page
from alerts.core.items import make_item
from alerts.core.model import Content, Item

TEXT = "\n\n".join(STORY)
ITEM = make_item(item_id="1", title=TITLE, summary=(STORY[0],))
TICKED = make_item(item_id="1", title="Xiaomi", summary=("It is HKG: 1810.",), body="Geely is HKG: 0175.")


def page(text: str = TEXT, *headings: str) -> ReadPage:
    return ReadPage(headings=headings, text=text)


def test_a_summary_leaves_the_body_out_and_what_stood_only_there() -> None:
    assert only_summary(TICKED) == replace(TICKED, body="", tickers=("HKG: 1810",))


@pytest.mark.parametrize("content", Content)
def test_only_a_source_of_summaries_loses_the_body_before_pages_are_read(content: Content) -> None:
    assert [bool(one.body) for one in chosen([TICKED], content)] == [content is not Content.SUMMARY]


def test_a_page_takes_the_place_of_the_body_and_its_tickers_are_added() -> None:
    read = with_page(TICKED, "Nio is NYSE: NIO.")

    assert (read.summary, read.body, read.tickers) == (
        TICKED.summary,
        "Nio is NYSE: NIO.",
        ("HKG: 1810", "HKG: 0175", "NYSE: NIO"),
    )


def test_a_page_gives_what_the_feed_does_not_a_summary_and_a_language() -> None:
    bare = Item(item_id="1", title="SU7")

    read = with_page(bare, "\n\n".join(CHINESE_STORY * 9))

    assert read.language == "zh"
    assert LEAD - 10 < len(read.summary[0]) <= LEAD
    assert with_page(replace(bare, language="en"), TEXT).language == "en"


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (ITEM, page()),
        (replace(ITEM, summary=()), page(STORY[1], TITLE)),
        (replace(ITEM, title="A word from our desk", summary=STORY[:1]), page()),
        (make_item(item_id="1", title=CHINESE_TITLE), page("\n".join(CHINESE_STORY), CHINESE_TITLE)),
        (make_item(item_id="1", title="小"), page("小")),
        (make_item(item_id="1", title="So is it"), page("It is so, they say.")),
        (replace(ITEM, body="x" * (2 * len(TEXT))), page()),
    ],
)
def test_a_page_of_the_item_is_taken(item: Item, read: ReadPage) -> None:
    assert why_not(item, read) is None


@pytest.mark.parametrize(
    ("item", "read", "why"),
    [
        (ITEM, page(""), "no article"),
        (replace(ITEM, body="x" * (2 * len(TEXT) + 1)), page(), "far shorter"),
        (replace(ITEM, summary=("x" * 3000,)), page(), "far shorter"),
        (ITEM, page("Please enter the password that we sent you, and we will show you everything. " * 3), "not speak"),
        (
            make_item(item_id="1", title=CHINESE_TITLE),
            page("请登录后继续阅读,没有账号请先注册,注册免费。"),
            "not speak",
        ),
        (Item(item_id="1", title=""), page(), "not speak"),
    ],
)
def test_what_is_no_page_of_the_item_is_told(item: Item, read: ReadPage, why: str) -> None:
    assert why in (why_not(item, read) or "")


@given(title=st.text(), summary=st.text(), heading=st.text(), text=st.text())
def test_any_text_has_an_answer(title: str, summary: str, heading: str, text: str) -> None:
    reason = why_not(Item(item_id="1", title=title, summary=(summary,)), page(text, heading))

    assert (reason is None) <= bool(text)
