"""What every Item is like, whatever it was made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.core import items
from alerts.core.items import bounded_id, make_item, web_url


def test_text_is_tidied_and_tickers_and_language_are_found() -> None:
    item = make_item(
        item_id="a.txt",
        title=" 小米\u202e 汽车\n发布 ",
        summary=["", " 第一(HKG: 1810) "],
        body="正文\r\n\r\n\r\n特斯拉(NASDAQ: TSLA)",
        tags=["Xiaomi", "xiaomi", "", "Tesla"],
        author="  Lei\tJun ",
        url=" https://example.com/a ",
    )
    assert item.title == "小米 汽车 发布"
    assert item.summary == ("第一(HKG: 1810)",)
    assert item.body == "正文\n\n特斯拉(NASDAQ: TSLA)"
    assert item.tags == ("Xiaomi", "Tesla")
    assert item.tickers == ("HKG: 1810", "NASDAQ: TSLA")
    assert (item.author, item.url, item.language) == ("Lei Jun", "https://example.com/a", "zh")


def test_a_declared_language_comes_before_the_guess() -> None:
    assert make_item(item_id="1", title="小米", language="ja_JP").language == "ja-JP"


def test_what_is_missing_is_none() -> None:
    item = make_item(item_id="1", title="T")
    assert (item.summary, item.body, item.url, item.author, item.tags, item.tickers) == ((), "", None, None, (), ())


def test_only_what_a_browser_opens_is_a_url() -> None:
    assert web_url("https://example.com/ä?b=1#c") == "https://example.com/ä?b=1#c"
    for wrong in (
        None,
        "",
        "/a",
        "ftp://a/b",
        "javascript:alert(1)",
        "https://",
        "https://a b/",
        "http://[",
        "http://a:x/",
    ):
        assert web_url(wrong) is None
    assert web_url("https://example.com/" + "a" * items.LONGEST_URL) is None


def test_a_long_id_keeps_its_beginning_and_stays_its_own() -> None:
    one, other = bounded_id("a" * 600), bounded_id("a" * 601)
    assert len(one) == len(other) == items.LONGEST_ID
    assert one != other
    assert bounded_id("short") == "short"


@given(st.text(), st.lists(st.text(max_size=20)), st.text(), st.lists(st.text(max_size=20)), st.text())
def test_any_text_makes_an_item_within_its_limits(
    title: str, summary: list[str], body: str, tags: list[str], other: str
) -> None:
    item = make_item(item_id=other, title=title, summary=summary, body=body, tags=tags, url=other, author=other)
    assert len(item.title) <= items.LONGEST_TITLE
    assert len(item.summary) <= items.MOST_SUMMARY_LINES
    assert all(0 < len(line) <= items.LONGEST_SUMMARY_LINE for line in item.summary)
    assert len({tag.casefold() for tag in item.tags}) == len(item.tags) <= items.MOST_TAGS
    "".join((item.item_id, item.title, *item.summary, item.body, *item.tags, item.author or "")).encode()
