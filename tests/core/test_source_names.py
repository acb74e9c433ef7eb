from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import InputError
from alerts.core.model import SourceKind
from alerts.core.source_names import (
    LONGEST_LOCATION,
    LONGEST_NAME,
    FreshNames,
    feed_location,
    source_name,
    unique_name,
)


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("https://www.example.com/feed.xml", "example.com"),
        ("https://example.com/cars/rss/index.xml", "example.com/cars"),
        ("https://example.com/feeds/c%C3%A4rs.atom", "example.com/cärs.atom"),
        ("https://example.com", "example.com"),
        ("https://example.com//", "example.com"),
        ("http://[::1]:8000/rss", "::1"),
        ("http://[x", "feed"),
        ("nonsense", "feed"),
    ],
)
def test_a_feed_is_called_after_its_host_and_what_its_path_tells(location: str, name: str) -> None:
    assert source_name(SourceKind.FEED, location) == name


def test_a_folder_is_called_as_it_is() -> None:
    assert source_name(SourceKind.FOLDER, "/srv/news/seeds") == "seeds"
    assert source_name(SourceKind.FOLDER, "/") == "folder"


def test_a_taken_name_gets_a_number() -> None:
    assert unique_name("example.com", set()) == "example.com"
    assert unique_name("example.com", {"example.com", "example.com 2"}) == "example.com 3"


@pytest.mark.parametrize("url", ["https://example.com/feed", "http://127.0.0.1:8000/", "https://bücher.example/feed"])
def test_a_web_address_may_be_a_feeds(url: str) -> None:
    assert feed_location(f" {url}\n") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/feed",
        "file:///etc/passwd",
        "ftp://example.com/",
        "http://",
        "http://[x",
        "http://a:b/",
        "http://a:0/",
        "http://a.example/a b",
        "http://a.example/\0",
        "http://a.example/" + "x" * LONGEST_LOCATION,
    ],
)
def test_anything_else_is_none(url: str) -> None:
    with pytest.raises(InputError, match="no address of a feed"):
        feed_location(url)


@given(st.sampled_from(SourceKind), st.text())
def test_every_source_has_a_name_that_fits_a_line(kind: SourceKind, location: str) -> None:
    for written in (location, f"https://{location}", f"https://news.example/{location}"):
        name = source_name(kind, written)

        assert 0 < len(name) <= LONGEST_NAME
        assert name.isprintable() or not name.isascii()


@given(
    st.sets(st.sampled_from(["News", "News 2", "News 3", "Cars"])),
    st.lists(st.sampled_from(["News", "News 2", "Cars", "Feeds"]), max_size=12),
)
def test_fresh_names_are_nobody_elses_and_the_wanted_one_where_it_is_free(taken: set[str], wanted: list[str]) -> None:
    names, given_out = FreshNames(taken), []
    for one in wanted:
        name = names.give(one)
        assert name not in taken
        assert name not in given_out
        assert name == one or one in taken or one in given_out
        assert name.startswith(one)
        given_out.append(name)
