"""What a page's text says, and what of it is noise."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import ArticleError
from alerts.core.page_text import LONGEST_BOX, read_page_text

PAGE = """BYD opens a plant in Szeged

  • The plant makes small cars.
  • It is the maker's first in Europe.
BYD opens a plant in Szeged
(BYD's plant. Image credit: BYD)

The plant stands in the south of Hungary.

Join us on or

Cars leave it by rail.
Follow us on Google News

BYD opens a plant in Szeged
(Photo from Weibo.)

A second plant follows in Turkey.
Jan 4, 2026
BYD News Alert
Subscribe to receive email notifications immediately when new articles about BYD are published.
BYD
View more channels"""


def test_a_page_is_parted_from_its_noise() -> None:
    page = read_page_text(PAGE)
    assert page.title == "BYD opens a plant in Szeged"
    assert page.summary == ("The plant makes small cars.", "It is the maker's first in Europe.")
    assert page.body == (
        "The plant stands in the south of Hungary.\n\nCars leave it by rail.\n\nA second plant follows in Turkey."
    )
    assert page.tags == ("BYD",)
    assert page.published_on == date(2026, 1, 4)


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\u2028", "\v", "\f", "\x85"])
def test_any_line_end_and_any_space_around_a_line_will_do(line_end: str) -> None:
    written = "\ufeff\n\n" + PAGE.replace("\n", " \t\n")
    assert read_page_text(written.replace("\n", line_end)) == read_page_text(PAGE)


@pytest.mark.parametrize(
    ("text", "title", "summary", "body"),
    [
        ("Only a title", "Only a title", (), ""),
        ("\n\nTitle\nBody", "Title", (), "Body"),
        ("Title\n\n\n\nBody", "Title", (), "Body"),
        ("• One\n• Two\n• Three", "One", ("Two", "Three"), ""),
        (
            "Title\n·One\n‣ Two\n* Three\n- Four\n– Five\n\nBody",
            "Title",
            ("One", "Two", "Three", "Four", "Five"),
            "Body",
        ),
        ("Title\n\n• One\n\n• Two\n\nBody", "Title", ("One", "Two"), "Body"),
        ("Title\nBody\n• A list of the body", "Title", (), "Body\n• A list of the body"),
        ("Title\n-5% is no bullet", "Title", (), "-5% is no bullet"),
        ("Jan 4, 2026\nTitle\nBody", "Title", (), "Body"),
        ("Jan 4, 2026", "Jan 4, 2026", (), ""),
        ("Read more: other news\nTitle", "Title", (), ""),
        ("Photos: BYD's new plant\nBody", "Photos: BYD's new plant", (), "Body"),
        ("Title\nBy Alice\n• One", "Title", (), "By Alice\n• One"),
    ],
)
def test_title_bullets_and_body_have_their_places(text: str, title: str, summary: tuple[str, ...], body: str) -> None:
    page = read_page_text(text)
    assert (page.title, page.summary, page.body) == (title, summary, body)


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "\ufeff", "\u200b\n\u202e"])
def test_a_page_without_text_is_refused(text: str) -> None:
    with pytest.raises(ArticleError, match="holds no text"):
        read_page_text(text)


@pytest.mark.parametrize(
    "line",
    [
        "(Xiaomi YU7. Image credit: Xiaomi EV)",
        "(Photo from Chinese social media platform Xiaohongshu.)",
        "(Image: NIO)",
        "(Screenshot by the author).",
        "(BYD (HKG: 1211) Seal. Photo: BYD)",
        "(图片来源:小米汽车)",
        "(图/比亚迪)",
        "[Photo courtesy of Zeekr]",
        "Photo: Tesla",
        "Image credit: Tesla",
        "Credit: Tesla",
        "图源:小鹏",
        "Join us on or",
        "Join us on Telegram or Google News",
        "Join us on Telegram, or Google News.",
        "Follow us on X, Telegram and our WhatsApp channel for the latest news",
        "Follow @cars on Twitter",
        "Share this",
        "Share this article on Facebook or X",
        "Share",
        "Read more: XPeng does something else",
        "Read more",
        "Related articles: three of them",
        "Click here to subscribe",
        "Sign up for our daily newsletter",
        "ADVERTISEMENT",
        "Jan 4, 2026",
        "2026年1月4日",
        "TITLE OF THE PAGE",
        "• Title of the page",
    ],
)
def test_a_line_that_is_all_noise_is_dropped(line: str) -> None:
    assert read_page_text(f"Title of the page\nFirst.\n{line}\nLast.").body == "First.\nLast."


@pytest.mark.parametrize(
    "line",
    [
        "(The company did not comment.)",
        "The image credit went to Xiaomi.",
        "Join us on Monday for the launch.",
        "Join us for the launch",
        "Follow us through the plant: it is long.",
        "Sharing this platform saves money.",
        "Share prices rose.",
        "Read more slowly, Lei Jun said.",
        "Xiaomi launched it on Jan 4, 2026.",
        "Jan 4, 2026 was a Sunday.",
        "The title of the page is odd.",
        f"(A long story in brackets, with an image: {'word ' * 100})",
        f"Read more: {'word ' * 100}",
    ],
)
def test_a_line_that_says_something_is_kept(line: str) -> None:
    assert read_page_text(f"Title of the page\nFirst.\n{line}\nLast.").body == f"First.\n{line.strip()}\nLast."


def test_a_box_is_dropped_wherever_it_stands_and_each_gives_its_name() -> None:
    box = "{0} News Alert\nSubscribe to receive mail.\nTesla\nNIO\n\nView more channels →\n"
    text = box.format("Li Auto") + "Title\n\nFirst.\n" + box.format("XPeng") + box.format("XPeng") + "Last."
    page = read_page_text(text)
    assert (page.title, page.body, page.tags) == ("Title", "First.\nLast.", ("Li Auto", "XPeng"))


def test_a_box_whose_end_was_not_copied_is_dropped() -> None:
    page = read_page_text("Title\nFirst.\nNIO News Alert\n\nSubscribe to get mail about NIO.\nNIO")
    assert (page.body, page.tags) == ("First.", ("NIO",))
    page = read_page_text("Title\nNIO News Alert\nSubscribe to receive mail.\nNIO\n\nLast.")
    assert (page.body, page.tags) == ("Last.", ("NIO",))


@pytest.mark.parametrize(
    "text",
    [
        "Tesla has a News Alert",
        "Title\nTesla News Alert",
        "Title\nTesla News Alert\n\n",
        "Title\nTesla News Alert\nA sentence.",
        "Title\nTesla News Alert\n" + "Line\n" * LONGEST_BOX + "View more channels",
        "Title\n" + "Tesla " * 20 + "News Alert\nView more channels",
        "Title\nNews Alert\nView more channels",
    ],
)
def test_what_is_no_whole_box_is_text(text: str) -> None:
    page = read_page_text(text)
    assert page.tags == ()
    assert "News Alert" in page.title + page.body


def test_a_first_line_as_long_as_a_paragraph_stays_in_the_body() -> None:
    long = "word " * 2_000
    page = read_page_text(f"{long}\nNext.")
    assert page.title == long.strip()
    assert page.body == f"{long.strip()}\nNext."


@given(st.text(st.sampled_from("•*- \n()aA:.é中") | st.characters(), max_size=300))
def test_any_text_is_a_page_or_has_no_text(text: str) -> None:
    try:
        page = read_page_text(text)
    except ArticleError:
        return
    assert page.title
    assert all(page.summary)


@given(st.lists(st.sampled_from([*PAGE.split("\n"), "NIO News Alert", "View more channels", "• x", ""]), max_size=25))
def test_the_pieces_of_a_page_in_any_order_are_a_page_or_have_no_text(lines: list[str]) -> None:
    try:
        page = read_page_text("\n".join(lines))
    except ArticleError:
        return
    assert page.title
    assert "\n\n\n" not in page.body
