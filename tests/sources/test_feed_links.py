from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.feed_choice import FeedLink
from alerts.sources.feed_links import find_feed_links
from alerts.sources.parser_process import ParserProcess

PAGE = "https://cars.example/news/today.html"
RSS = 'rel="alternate" type="application/rss+xml"'


def urls(html: str | bytes, url: str = PAGE) -> list[str]:
    return [link.url for link in find_feed_links(html.encode() if isinstance(html, str) else html, url=url)]


@pytest.mark.parametrize(
    ("href", "found"),
    [
        ("https://feeds.example/cars", "https://feeds.example/cars"),
        ("/feed", "https://cars.example/feed"),
        ("feed.xml", "https://cars.example/news/feed.xml"),
        ("//cdn.example/feed", "https://cdn.example/feed"),
        ("?feed=rss&amp;x=1", "https://cars.example/news/today.html?feed=rss&x=1"),
    ],
)
def test_addresses_are_read_from_where_the_page_is(href: str, found: str) -> None:
    assert urls(f"<html><head><link {RSS} href='{href}'></head>") == [found]


def test_the_base_of_the_page_counts_and_only_the_first() -> None:
    html = f'<link {RSS} href="feed"><base target=_top><base href="/magazine/"><base href="/other/">'

    assert urls(html) == ["https://cars.example/magazine/feed"]


@pytest.mark.parametrize(
    "link",
    [
        "rel=alternate type=application/atom+xml href=/feed",
        "REL='Home ALTERNATE' TYPE='Application/RSS+XML; charset=utf-8' HREF=' /feed '",
        'rel="alternate" type="application/feed+json" href="/feed"',
        'rel="alternate" type="application/json" href="/feed"',
        'rel="alternate" type="application/rdf+xml" href="/feed" href="/second-does-not-count"',
    ],
)
def test_every_kind_of_feed_is_found_however_it_is_written(link: str) -> None:
    assert urls(f"<link {link}>") == ["https://cars.example/feed"]


@pytest.mark.parametrize(
    "link",
    [
        'rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/2"',
        'rel="alternate" hreflang="de" href="/de"',
        'rel="stylesheet" type="application/rss+xml" href="/feed"',
        f'{RSS} href=""',
        f"{RSS}",
        f'{RSS} href="javascript:alert(1)"',
        f'{RSS} href="file:///etc/passwd"',
        f'{RSS} href="http://[::1"',
        'rel="alternate" type="application/json" href="http://[::1"',
    ],
)
def test_what_is_no_feed_is_not_offered(link: str) -> None:
    assert urls(f"<link {link}>") == []


def test_what_the_page_hides_is_not_offered() -> None:
    html = f"<!-- <link {RSS} href=/a> --><script>'<link {RSS} href=/b>'</script><link {RSS} href=/c>"

    assert urls(html) == ["https://cars.example/c"]


def test_a_broken_page_is_read_to_its_end() -> None:
    html = f"<html><head><title>Cars<meta <p></head><body><<div class='x><link {RSS} href='/lost'></div>"

    assert urls(html + f'\' ><table><link title="A &amp; B\n" {RSS} href=/feed') == []
    assert urls(f"<p><b></i><link {RSS} href=/feed><tr>") == ["https://cars.example/feed"]


def test_several_are_told_apart_by_their_titles() -> None:
    html = f'<link {RSS} title="Comments" href="/c"><link {RSS} title="A &amp; B\n" href="/a">'

    assert find_feed_links(html.encode("utf-16"), url=PAGE) == (
        FeedLink(url="https://cars.example/a", title="A & B"),
        FeedLink(url="https://cars.example/c", title="Comments"),
    )


@given(st.binary(max_size=300) | st.text(alphabet="<>/='\" linkreabs-!", max_size=200).map(str.encode))
def test_any_bytes_are_harmless(body: bytes) -> None:
    find_feed_links(body, url=PAGE)


async def test_the_child_tells_a_feed_from_a_page() -> None:
    async with ParserProcess(children=1) as parser:
        feed = await parser.look(b"<rss version='2.0'><channel><title>t</title></channel></rss>", url=PAGE)
        page = await parser.look(f"<html><link {RSS} title=News href=/feed></html>".encode(), url=PAGE)
        other = await parser.look(b"", url=PAGE)

    assert (feed.is_feed, feed.links) == (True, ())
    assert (page.is_feed, page.links) == (False, (FeedLink(url="https://cars.example/feed", title="News"),))
    assert (other.is_feed, other.reason, other.links) == (False, "the answer is empty", ())
