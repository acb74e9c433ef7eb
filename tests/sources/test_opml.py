from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import InputError
from alerts.core.source_names import LONGEST_NAME
from alerts.core.text import clean_line, excerpt
from alerts.sources.opml import LARGEST, FeedList, ListedFeed, read_opml, write_opml

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def opml(*rows: str) -> bytes:
    body = "\n".join(rows)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<opml version="2.0"><head/><body>\n{body}\n</body></opml>'.encode()


def row(url: str, rest: str = "") -> str:
    return f'<outline type="rss" xmlUrl="{url}" {rest}/>'


def test_folders_in_folders_are_opened() -> None:
    listed = read_opml(
        opml(
            '<outline text="Cars"><outline text="Electric">',
            row("https://ev.example/feed", 'text="short" title="EV Daily"'),
            "</outline>",
            row("https://cars.example/feed", 'text="Cars &amp; more"'),
            "</outline>",
            row(" https://bare.example/feed "),
        )
    )

    assert listed == FeedList(
        feeds=(
            ListedFeed(url="https://ev.example/feed", name="EV Daily"),
            ListedFeed(url="https://cars.example/feed", name="Cars & more"),
            ListedFeed(url="https://bare.example/feed"),
        )
    )


def test_rows_that_name_no_feed_are_told_and_the_others_read() -> None:
    listed = read_opml(
        opml(
            row("https://a.example/feed"),
            '<outline text="Only words"/>',
            row("file:///etc/passwd", 'text="Mallory"'),
            row("https://a.example/feed", 'text="Again"'),
            row("https://b.example/feed"),
        )
    )

    assert [feed.url for feed in listed.feeds] == ["https://a.example/feed", "https://b.example/feed"]
    assert listed.problems[0] == "line 4 (Only words): names no feed (no xmlUrl)"
    assert listed.problems[1].startswith("line 5 (Mallory): 'file:///etc/passwd' is no address of a feed")
    assert listed.problems[2] == "line 6 (Again): is listed twice"


def test_a_list_is_read_in_other_encodings() -> None:
    text = opml(row("https://a.example/feed", 'text="小米"')).decode().replace("utf-8", "gb2312")

    assert read_opml(text.encode("gb18030")).feeds[0].name == "小米"
    assert read_opml(text.encode("utf-16")).feeds[0].name == "小米"


def test_a_list_that_was_written_by_hand_is_read() -> None:
    listed = read_opml(
        opml(
            "<!-- mine -->",
            row("https://a.example/feed?a=1&b=2&amp;c=3", 'text="Caf&eacute; &amp; Bar & &#8217;"'),
            '<outline text="R&D" xmlurl="https://b.example/feed"/>',
        )
    )

    assert listed == FeedList(
        feeds=(
            ListedFeed(url="https://a.example/feed?a=1&b=2&c=3", name="Café & Bar & ’"),
            ListedFeed(url="https://b.example/feed", name="R&D"),
        )
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1, column 1: "),
        (b"<opml><body>\n<outline></body></opml>", "line 2, column 12: .*mismatched tag"),
        (b"<opml><body>R&D <outline></body></opml>", "line 1, column 16: .*not well-formed"),
        (b"<html><body/></html>", "line 1: the file is no OPML; it begins with <html>"),
        (b'{"version": 1}', "no sound XML"),
        (b" " * (LARGEST + 1), "larger than 10 MiB"),
        (b"<opml>" + b"<outline/>" * 50_001 + b"</opml>", "more than 50000 outlines"),
    ],
)
def test_what_is_no_list_is_an_error_that_says_where(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_opml(data)


def test_entities_do_not_unfold() -> None:
    bomb = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    data = f'<!DOCTYPE opml [<!ENTITY l0 "lol">{bomb}]><opml><body><outline text="&l11;"/></body></opml>'

    with pytest.raises(InputError, match="declares entities"):
        read_opml(data.encode())


@pytest.mark.parametrize("kind", ['SYSTEM "{}"', '% x SYSTEM "{}"'])
def test_nothing_outside_is_read(kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = kind.format(tmp_path / "secret")
    name = entity if entity.startswith("%") else f"x {entity}"

    with pytest.raises(InputError, match="declares entities"):
        read_opml(f"<!DOCTYPE opml [<!ENTITY {name}>]><opml><body>&x;</body></opml>".encode())


def test_a_document_type_outside_is_not_asked_for() -> None:
    with pytest.raises(InputError, match="refers to others"):
        read_opml(b'<!DOCTYPE opml SYSTEM "http://127.0.0.1:9/opml.dtd"><opml><body/></opml>')


def test_ten_thousand_rows_and_as_many_folders_in_folders_cost_little() -> None:
    rows = [row(f"https://{number}.example/feed", 'text="News"') for number in range(10_000)]
    began = time.process_time()

    assert len(read_opml(opml(*rows)).feeds) == 10_000
    assert len(read_opml(opml('<outline text="x">' * 10_000, *rows[:5], "</outline>" * 10_000)).feeds) == 5

    assert time.process_time() - began < 10


NAMES = st.text(max_size=100).map(lambda text: excerpt(clean_line(text), LONGEST_NAME))
URLS = st.integers(0, 10**6).map(lambda number: f"https://news.example/feed?a=1&b={number}&c='<\">".replace(" ", ""))


@given(st.lists(st.builds(ListedFeed, url=URLS, name=NAMES), max_size=8, unique_by=lambda feed: feed.url), st.text())
def test_what_is_written_is_read_again(feeds: list[ListedFeed], title: str) -> None:
    assert read_opml(write_opml(feeds, title=title, now=NOON)) == FeedList(feeds=tuple(feeds))


@given(st.binary(max_size=200) | st.text(alphabet='<>/="opml bdyutinexUr&;!-[]', max_size=200).map(str.encode))
def test_any_bytes_give_a_list_or_an_error(data: bytes) -> None:
    for wrapped in (data, opml(data.decode("utf-8", "replace"))):
        try:
            read_opml(wrapped)
        except InputError:
            continue
