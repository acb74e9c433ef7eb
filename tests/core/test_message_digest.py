"""The mail that lists many articles, held against the rules for every mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from mail_rules import subject_of, texts_of, violations
from mails import ALICE, AT, LINKS, MESSAGE_ID, SITE, TESLA, XIAOMI, article, shipped

from alerts.core.messages import compose_digest
from alerts.core.model import Article, Channel

POSTAL = ("EV Daily Ltd", "12 Harbour Street, Dublin 2, Ireland")
HOSTILE = [
    "=?utf-8?q?T=0D=0ABcc:_evil=40x=0D=0A=0D=0ABODY?=",
    "a\r\nBcc: mallory@example.com\r\n\r\nbody",
    "a\0b\x1b[31mc \ud800\udfff",
    "\u202egnirts desrever\u202c",
    "\U0001f600" * 1_000,
    "小米汽车" * 500,
    "<script>alert(1)</script>",
    ".",
    "",
]

Stories = Sequence[tuple[Article, Sequence[Channel]]]


def digest(
    stories: Stories, *, total: int | None = None, channels: Sequence[Channel] = (XIAOMI,), **more: Any
) -> bytes:
    arguments: dict[str, Any] = {
        "templates": shipped(),
        "site": SITE,
        "stories": stories,
        "total": len(stories) if total is None else total,
        "channels": channels,
        "recipient": ALICE,
        "links": LINKS,
        "message_id": MESSAGE_ID,
        "dated_at": AT,
        "language": "en",
    }
    return compose_digest(**(arguments | more))


def check(raw: bytes, **changes: Any) -> None:
    rules: dict[str, Any] = {
        "rcpt": ALICE,
        "site_host": "news.example",
        "kind": "digest",
        "postal_address": POSTAL,
        "dated_at": AT,
    }
    assert violations(raw, **(rules | changes)) == []


def test_a_digest_lists_each_article_with_its_link_and_channels_and_says_how_many_more() -> None:
    both = (article(title="Third", url="https://ev.example/3", published_at=None), (XIAOMI, TESLA))
    raw = digest([(article(), (XIAOMI,)), both], total=412, channels=(XIAOMI, TESLA))

    check(raw, title="Third")
    assert subject_of(raw) == "Xiaomi and Tesla News Alert: 412 articles"
    assert b"\r\nList-Id: Xiaomi <xiaomi.news.example>\r\n" in raw
    for part in texts_of(raw):
        words = " ".join(part.split())
        for shown in (article().item.title, "Xiaomi · 4 January 2026", "Xiaomi and Tesla", "412 new articles"):
            assert shown in words
        assert "And 410 more:" in words
        assert "https://news.example/c/xiaomi" in part
        assert "https://news.example/c/tesla" in part


def test_a_digest_of_one_article_says_so_and_offers_no_more() -> None:
    raw = digest([(article(), (XIAOMI,))])

    check(raw)
    assert subject_of(raw) == "Xiaomi News Alert: 1 article"
    assert "more:" not in texts_of(raw)[0]


def test_a_digest_in_chinese_keeps_every_rule_and_says_so_in_chinese() -> None:
    raw = digest([(article(), (XIAOMI, TESLA))], total=30, channels=(XIAOMI, TESLA), language="zh")

    check(raw)
    assert subject_of(raw) == "Xiaomi 和 Tesla 新闻提醒：30 篇文章"
    for part in texts_of(raw):
        assert "另有 29 篇：" in part
        assert "2026年1月4日" in part


def test_a_link_that_is_too_long_or_unwanted_leads_to_our_page() -> None:
    long = [(article(url="https://ev.example/" + "x" * 500), (XIAOMI,))]
    ours = replace(SITE, links_to_site=True)
    for raw in (digest(long), digest([(article(), (XIAOMI,))], site=ours)):
        check(raw)
        assert all("https://news.example/a/7" in part and "ev.example" not in part for part in texts_of(raw))


@pytest.mark.parametrize("words", HOSTILE)
def test_no_words_of_anybody_break_a_digest_or_make_it_too_large(words: str) -> None:
    told = article(title=words, url=f"https://ev.example/{words}"[:1_900], language=words)
    channels = [replace(XIAOMI, name=words)] * 12

    check(digest([(told, channels)] * 20, total=10_000, channels=channels, site=replace(SITE, name=words or "EV")))


def test_a_mail_of_twenty_of_the_costliest_articles_stays_under_its_bounds() -> None:
    told = article(title="\U0001f697" * 400, url="https://ev.example/" + "é" * 60)
    channels = [replace(XIAOMI, name="\U0001f697" * 100)] * 12

    check(digest([(told, channels)] * 20, total=10_000, channels=channels))
