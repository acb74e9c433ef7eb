"""What a template may see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mails import ALICE, LINKS, SITE, TESLA, XIAOMI, article

from alerts.core.messages.contents import (
    Links,
    SiteIdentity,
    alert_contents,
    clean,
    confirmation_contents,
    safe_link,
    trial_contents,
)
from alerts.core.model import Article, Channel


def seen(about: Article, site: SiteIdentity = SITE) -> dict[str, Any]:
    return cast("dict[str, Any]", alert_contents(site, about, [XIAOMI], LINKS, language="en")["article"])


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://ev.example/a?b=1&c=2#d", "https://ev.example/a?b=1&c=2#d"),
        ("HTTPS://EV.example:8443/ü", "https://ev.example:8443/%C3%BC"),
        (
            "https://новости.example/статья?q=я#я",
            "https://xn--b1amnebsh.example/%D1%81%D1%82%D0%B0%D1%82%D1%8C%D1%8F?q=%D1%8F#%D1%8F",
        ),
        ('https://ev.example/"><script>', "https://ev.example/%22%3E%3Cscript%3E"),
        ("https://user:secret@ev.example/", "https://ev.example/"),
        (" https://ev.example/a b ", "https://ev.example/a%20b"),
        (None, None),
        ("", None),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://ev.example/", None),
        ("//ev.example/", None),
        ("/relative", None),
        ("https://", None),
        ("https://[", None),
        ("https://ev.example:port/", None),
        ("https://a..b/", None),
        ("https://ev.example/" + "x" * 2_000, None),
        ("https://ev.example/" + "ü" * 1_000, None),
    ],
)
def test_only_a_link_to_the_web_is_a_link(url: str | None, link: str | None) -> None:
    assert safe_link(url) == link


@given(st.text(st.characters(codec=None)))
@example("http://[::1]/")
@example("http://a:99999/")
def test_any_link_is_plain_ascii_or_none(url: str) -> None:
    link = safe_link("https://" + url)

    assert link is None or (link.isascii() and link.isprintable() and " " not in link and len(link) <= 2_000)


def test_an_article_without_a_page_of_its_own_links_to_ours() -> None:
    assert seen(article(url=None))["url"] == "https://news.example/a/7"
    assert seen(article())["url"] == "https://ev.example/2026/plant?ref=1&lang=en"


def test_a_summary_is_bounded_in_lines_and_length() -> None:
    points = seen(article(summary=("", *["point " * 100] * 50)))["summary"]

    assert len(points) == 5
    assert all(len(point) <= 320 for point in points)


def test_a_short_first_paragraph_takes_the_next_along() -> None:
    body = "HONG KONG.\n\n" + "The company opened a plant on Sunday. " * 20

    assert seen(article(body=body))["lead"].startswith("HONG KONG. The company opened")
    assert len(seen(article(body=body))["lead"]) <= 420
    assert 420 < len(seen(article(body=body, summary=()))["lead"]) <= 700


def test_a_lead_that_only_repeats_the_summary_is_left_out() -> None:
    text = "The plant in Wuhan builds 150,000 cars a year, and more are to come."

    assert not seen(article(body=text, summary=(text,)))["lead"]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"title": "\0"}, "The first cars left the line on Sunday, the company said…"),
        ({"title": "", "body": ""}, "seeds"),
        ({"title": "x" * 10_000}, "x" * 299 + "…"),
    ],
)
def test_a_title_is_never_empty_and_never_endless(changes: dict[str, Any], title: str) -> None:
    assert seen(article(**changes))["title"] == title


def test_where_nothing_has_a_name_the_site_has() -> None:
    assert seen(replace(article(title="", body=""), source_name=""))["title"] == "EV Daily"


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 1, 4, 20, 30, tzinfo=UTC), 5),  # already tomorrow in Shanghai
        (datetime(2026, 1, 4, tzinfo=UTC), 4),  # a bare date
        (datetime(2026, 1, 4, tzinfo=timezone(timedelta(hours=-8))), 4),
        (None, None),
    ],
)
def test_a_day_is_that_of_the_site_and_a_bare_date_is_itself(at: datetime | None, day: int | None) -> None:
    shown = seen(article(published_at=at), replace(SITE, time_zone="Asia/Shanghai"))["day"]

    assert (shown and shown["day"]) == day


def test_channels_beyond_eight_are_counted() -> None:
    many = [Channel(id=n, slug=f"c{n}", name=f"C{n}", query="x") for n in range(20)]
    contents = confirmation_contents(SITE, many, "https://news.example/confirm/x", language="en")

    assert contents["channels"] == [f"C{n}" for n in range(8)]
    assert contents["more_channels"] == 12


def test_a_channel_without_a_readable_name_goes_by_its_slug() -> None:
    assert confirmation_contents(SITE, [replace(XIAOMI, name="\0")], "x", language="en")["channel"] == "xiaomi"


def test_an_odd_language_is_english() -> None:
    assert trial_contents(SITE, language='"><b>')["language"] == "en"
    assert trial_contents(SITE, language="zh_hans")["language"] == "zh-Hans"


def test_a_site_without_an_address_has_no_lines_of_one() -> None:
    site = trial_contents(replace(SITE, postal_address=None), language="en")["site"]

    assert site == {"name": "EV Daily", "url": "https://news.example/", "postal_address": []}


def test_noncharacters_of_every_plane_fall_out() -> None:
    assert clean("a\ufdd0\ufdd1\uffff\U0001fffe\U0010ffffb") == "ab"


@pytest.mark.parametrize(
    ("url", "tidy", "host"),
    [
        ("https://news.example/", "https://news.example", "news.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1"),
        ("http://[::1]:8000/alerts/", "http://[::1]:8000/alerts", "--1.localhost"),
        ("https://новости.example", "https://xn--b1amnebsh.example", "xn--b1amnebsh.example"),
    ],
)
def test_a_site_has_a_tidy_address_and_a_host(url: str, tidy: str, host: str) -> None:
    site = replace(SITE, url=url)

    assert (site.url, site.host) == (tidy, host)


@pytest.mark.parametrize(
    "url", ["", "news.example", "ftp://news.example", "https://news.example/ä", "https://a/" + "x" * 200]
)
def test_a_site_that_no_mail_can_link_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"domain|site\.url"):
        replace(SITE, url=url)


def test_links_end_in_their_tokens() -> None:
    links = Links.of(SITE, manage="m" * 44, unsubscribe="u" * 44)

    assert links.manage == "https://news.example/m/" + "m" * 44
    assert links.unsubscribe == "https://news.example/u/" + "u" * 44


@pytest.mark.parametrize(
    "link", ["", "javascript:x", "https://a/b>\r\nBcc: x", f"https://a/{ALICE},", "https://a/" + "x" * 200]
)
def test_a_link_that_a_header_cannot_bear_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="E11"):
        Links(manage="https://a/m", unsubscribe=link)


def test_a_link_without_a_token_at_its_end_stays_as_it_is() -> None:
    links = Links(manage="https://news.example/m/?t=1", unsubscribe="https://news.example/u/" + "u" * 44)
    contents = alert_contents(SITE, article(), [TESLA], links, language="en")

    assert contents["manage_url"] == "https://news.example/m/?t=1"
