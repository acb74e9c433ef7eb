"""robots.txt as RFC 9309 has it: whose lines count, which of them decides, and what fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.robots import read_robots


def allows(text: str, path: str) -> bool:
    return read_robots(text).allows(f"https://paper.example{path}")


@pytest.mark.parametrize(
    ("text", "path", "may"),
    [
        ("", "/a", True),
        ("<html><body>Not found: nothing here</body></html>", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("user-agent : *\ndisallow : /drafts # not yet", "/drafts/1", False),
        ("User-agent: *\nDisallow: /drafts", "/news", True),
        ("\ufeffUser-agent: *\r\nDisallow: /\r\n", "/a", False),
        # The longest decides, wherever it stands; of two as long the one that allows.
        ("User-agent: *\nDisallow: /\nAllow: /news/", "/news/1", True),
        ("User-agent: *\nAllow: /news/\nDisallow: /news/drafts", "/news/drafts/1", False),
        ("User-agent: *\nDisallow: /news\nAllow: /news", "/news", True),
        # Whose lines.
        ("User-agent: news-alert\nAllow: /\n\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: *\nAllow: /\n\nUser-agent: News-Alert\nDisallow: /", "/a", False),
        ("User-agent: Other\nDisallow: /", "/a", True),
        ("User-agent: Other\nUser-agent: News-Alert\nDisallow: /", "/a", False),
        ("User-agent: Other\nDisallow: /\nUser-agent: News-Alert\nDisallow: /b", "/a", True),
        ("User-agent: News-Alert\nDisallow: /a\n\nUser-agent: News-Alert\nDisallow: /b", "/b", False),
        ("User-agent: News-Alert\nDisallow:\n\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: *\nCrawl-delay: 10\nSitemap: https://paper.example/map\nDisallow: /a", "/a", False),
        ("Disallow: /", "/a", True),
        # What fits.
        ("User-agent: *\nDisallow: /*.pdf$", "/files/a.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/files/a.pdf?page=1", True),
        ("User-agent: *\nDisallow: /*.pdf", "/files/a.pdf?page=1", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a-b-c", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a-c-b", True),
        ("User-agent: *\nDisallow: /ab*ba$", "/aba", True),
        ("User-agent: *\nDisallow: /news$", "/news", False),
        ("User-agent: *\nDisallow: /news$", "/news/1", True),
        ("User-agent: *\nDisallow: /*?print=", "/a?print=1", False),
        ("User-agent: *\nDisallow: /*?print=", "/a", True),
        ("User-agent: *\nDisallow: /新闻", "/%e6%96%b0%e9%97%bb/1", False),
        ("User-agent: *\nDisallow: /%E6%96%B0", "/新闻", False),
        ("User-agent: *\nDisallow: /%7Ejoe/", "/~joe/1", False),
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),
        ("User-agent: *\nDisallow: /", "", False),
        (f"User-agent: *\nDisallow: /{'a' * 3_000}", f"/{'a' * 3_000}", True),
    ],
)
def test_a_page_may_be_read_or_not(text: str, path: str, *, may: bool) -> None:
    assert allows(text, path) is may


def test_a_file_of_very_many_rules_costs_so_much_and_no_more() -> None:
    text = "User-agent: *\nUser-agent: News-Alert\n" + "Disallow: /*a*a*a*a*a*b\n" * 20_000

    robots = read_robots(text)

    assert len(robots.rules) == 10_000
    assert robots.allows(f"https://paper.example/{'a' * 500}")


@given(st.text(max_size=300), st.text(max_size=100))
def test_whatever_a_site_writes_there_is_a_verdict(text: str, rule: str) -> None:
    assert allows(text, "/a") in {True, False}
    assert allows(f"User-agent: *\nAllow: /{rule}", "/a")
