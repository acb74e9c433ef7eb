from __future__ import annotations

import sys

import pytest
from article_pages import CHINESE_STORY, SHAPES, STORY, TITLE, html, login_page, paragraphs

from alerts.core.errors import FetchError
from alerts.sources.extract import extract_page


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pages_article_is_read_and_nothing_around_it(shape: str) -> None:
    page, story, around = SHAPES[shape]

    read = extract_page(page)

    assert [sentence for sentence in story if sentence not in read.text] == []
    assert [words for words in around if words in read.text] == []


def test_paragraphs_are_parted_lists_stand_together_and_the_headline_is_not_repeated() -> None:
    listed = "<ul><li>Cars built from March to June are affected.</li><li>Cars sold abroad are not.</li></ul>"
    page = html(f"<article><h1>{TITLE}</h1>{paragraphs(STORY[:2])}{listed}{paragraphs(STORY[2:])}</article>")

    read = extract_page(page)

    assert read.headings == (TITLE, TITLE)
    assert read.text.split("\n\n") == [
        *STORY[:2],
        "• Cars built from March to June are affected.\n• Cars sold abroad are not.",
        *STORY[2:],
    ]


def test_a_headline_that_is_no_heading_is_known_by_the_pages_title() -> None:
    page = html(f"<div><div>{TITLE}</div>{paragraphs(STORY, 'div')}</div>", title=f"{TITLE} – Wheel Times")

    assert extract_page(page).text.startswith(STORY[0])


def test_a_page_that_only_a_browser_fills_has_no_text() -> None:
    page = html("<div id='root'></div><script>start({text: 'Xiaomi'})</script>", title="Xiaomi")

    assert extract_page(page).text == ""


def test_a_login_page_says_what_it_is_in_its_headings() -> None:
    assert extract_page(login_page()).headings == ("Sign in | Wheel Times", "Sign in")


def test_what_the_server_says_of_the_encoding_counts_where_the_page_says_nothing() -> None:
    page = html(f"<article>{paragraphs(CHINESE_STORY)}</article>", head="").decode().encode("gb18030")

    assert CHINESE_STORY[0] in extract_page(page, charset="gb2312").text


@pytest.mark.parametrize("body", [b"", b"\x00\x01\x02", b"%PDF-1.7 \x80\x81", b"no markup at all", b"<"])
def test_what_is_no_html_is_refused(body: bytes) -> None:
    with pytest.raises(FetchError, match="no HTML"):
        extract_page(body)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)

    with pytest.raises(FetchError, match=r"pip install 'news-alert\[page\]'"):
        extract_page(html("<p>x</p>"))
