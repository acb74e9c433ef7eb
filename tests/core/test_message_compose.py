"""Whole mails, held against the rules by a checker that shares no code with them."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mail_rules import subject_of, texts_of, violations
from mails import ALICE, AT, LINKS, MESSAGE_ID, SITE, TESLA, XIAOMI, alert, article, shipped

from alerts.core.errors import AddressError
from alerts.core.messages import (
    Links,
    SiteIdentity,
    Templates,
    address_changed_contents,
    address_confirmation_contents,
    compose_confirmation,
    compose_notice,
    compose_test,
    compose_welcome,
    manage_link_contents,
)
from alerts.core.model import Article, Channel

POSTAL = ("EV Daily Ltd", "12 Harbour Street, Dublin 2, Ireland")
ANYTHING = st.text(st.characters(codec=None), max_size=300)

HOSTILE = [
    "=?utf-8?q?T=0D=0ABcc:_evil=40x=0D=0A=0D=0ABODY?=",
    "=?utf-8?b?DQpCY2M6IG1hbGxvcnlAZXhhbXBsZS5jb20=?=",
    "a\r\nBcc: mallory@example.com\r\n\r\nbody",
    "a\0b\x1b[31mc",
    "\ud800\udfff lone \udc80",
    "\u202egnirts desrever\u202c \u2066isolated\u2069",
    "👩‍👩‍👧‍👦 🇨🇳 emoji " * 30,
    "x" * 10_000,
    "word " * 2_000,
    "小米汽车" * 500,
    "\U0001f600" * 10_000,
    "Re: Fwd: AW: Xiaomi",
    "From the factory floor",
    ".",
    "..",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"'<>&&amp;&#34; {{ 7*7 }} {% raw %} %(x)s {title} %s",
    "--=_boundary",
    "مرحبا بالعالم",
    "e" + "\u0301" * 300,
    "\U0001fffe\ufffe\ufdd0token\ufdd1",
    " \t ",
    "https://example.com/" + "x" * 2_000,
]


def check(raw: bytes, **changes: Any) -> None:
    rules: dict[str, Any] = {
        "rcpt": ALICE,
        "site_host": "news.example",
        "sender": "alerts@news.example",
        "site_name": "EV Daily",
        "postal_address": POSTAL,
        "dated_at": AT,
    }
    assert violations(raw, **(rules | changes)) == []


def test_an_alert_keeps_every_rule() -> None:
    about = article()

    check(alert(), title=about.item.title, link=about.item.url)
    assert subject_of(alert()) == f"Xiaomi News Alert: {about.item.title}"


def test_an_alert_in_chinese_keeps_every_rule_and_says_so_in_chinese() -> None:
    raw = alert(language="zh")
    check(raw, title=article().item.title, link=article().item.url)
    text, html = texts_of(raw)
    assert subject_of(raw).startswith("Xiaomi 新闻提醒：")
    assert '<html lang="zh"' in html
    for said in (text, html):
        assert "2026年1月4日" in said
        assert "退订" in said
        assert "Unsubscribe" not in said


def test_an_alert_says_all_that_it_should() -> None:
    text, html = texts_of(alert(channels=[XIAOMI, TESLA]))

    assert "• The plant in Wuhan builds 150,000 cars a year." in text
    for part in (text, html):
        assert "You get this mail because you subscribe to Xiaomi and Tesla at EV Daily." in " ".join(part.split())
        assert "4 January 2026 · Li Wei" in part
        assert "https://news.example/m/" + "M" * 44 in part


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("where", ["title", "author", "body", "summary", "url", "language", "all"])
def test_no_words_of_an_article_break_a_rule(where: str, words: str) -> None:
    changes: dict[str, Any] = {where: (words,) * 40 if where == "summary" else words}
    if where == "all":
        changes = {"title": words, "author": words, "body": words * 3, "summary": (words,) * 40, "url": None}

    check(alert(article(**changes)))


@settings(deadline=None, max_examples=60)
@given(title=ANYTHING, point=ANYTHING, body=ANYTHING, url=ANYTHING)
@example(title="", point="", body="", url="")
def test_nothing_that_an_article_can_be_breaks_a_rule(title: str, point: str, body: str, url: str) -> None:
    check(alert(article(title=title, summary=(point,), body=body, url=f"https://ev.example/{url}")))


@pytest.mark.parametrize("words", HOSTILE)
def test_no_name_of_a_channel_or_of_a_site_breaks_a_rule(words: str) -> None:
    site = replace(SITE, name=words, postal_address=f"{words}\n{words}")

    check(alert(site=site, channels=[replace(XIAOMI, name=words), TESLA]), site_name=None, postal_address=())


@pytest.mark.parametrize("worst", ["\U0001f600", '"', "小", "&", "e\u0301"])
def test_the_costliest_characters_stay_within_bounds(worst: str) -> None:
    channels = [Channel(id=n, slug="s" * 60, name=worst * 200, query="x") for n in range(40)]
    about = article(title=worst * 999, summary=(worst * 999,) * 99, body=worst * 9999, author=worst * 999)
    site = replace(SITE, name=worst * 99, postal_address="\n".join([worst * 999] * 20))

    raw = alert(about, channels=channels, site=site)

    check(raw, site_name=None, postal_address=())
    assert len(raw) < 130_000


def test_lines_that_relays_trip_over_survive() -> None:
    text, _ = texts_of(alert(article(title=".", summary=("..", "From here"), body="From there on.\n\n.")))

    lines = text.split("\n")
    assert "." in lines
    assert "• .." in lines
    assert "From there on. ." in lines


def test_the_html_in_a_title_is_text() -> None:
    _, html = texts_of(alert(article(title="<b>Bold</b> & <i>brash</i>")))

    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; &lt;i&gt;brash&lt;/i&gt;" in html


def test_a_link_that_is_none_leads_to_our_own_page() -> None:
    check(alert(article(url="javascript:alert(1)")), link="https://news.example/a/7")


def test_a_link_of_2000_characters_survives() -> None:
    url = "https://ev.example/" + "x" * 1_981

    check(alert(article(url=url)), link=url)


def test_the_same_mail_is_the_same_to_the_byte() -> None:
    assert alert() == alert()


def test_a_site_on_a_developers_machine_links_to_itself() -> None:
    site = replace(SITE, url="http://127.0.0.1:8000", sender="alerts@localhost")
    links = Links.of(site, manage="m" * 44, unsubscribe="u" * 44)
    raw = alert(site=site, links=links, message_id="<1.f00d@localhost>")

    check(raw, site_host="127.0.0.1", sender="alerts@localhost")
    assert b"\r\nList-Id: Xiaomi <xiaomi.127.0.0.1>\r\n" in raw


def test_an_international_domain_goes_out_as_a_label() -> None:
    check(alert(recipient="alice@bücher.example"), rcpt="alice@xn--bcher-kva.example")


def test_an_international_local_part_is_the_only_8_bit_in_a_header() -> None:
    check(alert(recipient="jürgen@example.com"), rcpt="jürgen@example.com", smtputf8=True)


@pytest.mark.parametrize("recipient", ["alice", "a@b\r\nBcc: c@d", "a@b, c@d", "=?utf-8?q?x?=@example.com"])
def test_a_recipient_that_is_none_is_refused(recipient: str) -> None:
    with pytest.raises(AddressError):
        alert(recipient=recipient)


def confirmation(channel: Channel = XIAOMI, site: SiteIdentity = SITE, templates: Templates | None = None) -> bytes:
    return compose_confirmation(
        templates=templates or shipped(),
        site=site,
        channels=[channel, TESLA],
        recipient=ALICE,
        confirm_url="https://news.example/confirm/" + "c" * 32,
        message_id=MESSAGE_ID,
        dated_at=AT,
        language="en",
    )


def notice(mail: str, contents: dict[str, object], site: SiteIdentity = SITE) -> bytes:
    return compose_notice(
        mail,
        contents,
        templates=shipped(),
        site=site,
        recipient=ALICE,
        message_id=MESSAGE_ID,
        dated_at=AT,
        language="en",
    )


def manage_link(site: SiteIdentity = SITE) -> bytes:
    return notice("manage_link", manage_link_contents(site, "M" * 44, language="en"), site)


def address_confirmation(site: SiteIdentity = SITE) -> bytes:
    url = "https://news.example/confirm/" + "c" * 32
    return notice("address_confirmation", address_confirmation_contents(site, url, language="en"), site)


def address_changed(site: SiteIdentity = SITE, address: str = "bob@example.com") -> bytes:
    return notice("address_changed", address_changed_contents(site, address, language="en"), site)


def trial() -> bytes:
    return compose_test(
        templates=shipped(), site=SITE, recipient=ALICE, message_id=MESSAGE_ID, dated_at=AT, language="en"
    )


@pytest.mark.parametrize("compose", [confirmation, trial, manage_link, address_confirmation, address_changed])
def test_mails_that_are_no_alerts_keep_their_rules(compose: Callable[[], bytes]) -> None:
    check(compose(), kind="confirmation")


def test_a_confirmation_shows_its_link_and_whom_to_ignore() -> None:
    raw = confirmation()

    assert subject_of(raw) == "Please confirm: Xiaomi and Tesla alerts from EV Daily"
    for part in texts_of(raw):
        assert "https://news.example/confirm/" + "c" * 32 in part
        assert "If it was not you, ignore this mail." in " ".join(part.split())


def test_the_link_to_manage_is_there_in_both_parts_and_says_whom_to_ignore() -> None:
    for part in texts_of(manage_link()):
        assert "https://news.example/m/" + "M" * 44 in part
        assert "If it was not you, ignore this mail." in " ".join(part.split())


def test_a_new_address_is_asked_and_told_that_it_may_ignore_that() -> None:
    for part in texts_of(address_confirmation()):
        assert "https://news.example/confirm/" + "c" * 32 in part
        assert "If it was not you, ignore this mail." in " ".join(part.split())


def test_a_former_address_is_told_the_new_one_masked_and_what_to_do() -> None:
    for part in texts_of(address_changed()):
        assert "b•••@e…" in part
        assert "bob@" not in part
        assert "Answer this mail" in " ".join(part.split())


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("compose", [manage_link, address_confirmation, address_changed])
def test_no_name_of_a_site_breaks_a_notice(compose: Callable[[SiteIdentity], bytes], words: str) -> None:
    check(compose(replace(SITE, name=words)), kind="confirmation", site_name=None)


@pytest.mark.parametrize("words", HOSTILE)
def test_no_address_breaks_the_mail_that_tells_of_it(words: str) -> None:
    check(address_changed(address=f"{words}@{words}"), kind="confirmation", others=["mallory@example.com"])


def test_an_alert_leads_to_our_page_where_the_site_wants_that() -> None:
    site = replace(SITE, links_to_site=True)
    raw = alert(site=site)

    check(raw, title=article().item.title, link="https://news.example/a/7")
    assert b"ev.example" not in raw


@pytest.mark.parametrize("words", HOSTILE)
def test_no_name_breaks_a_confirmation(words: str) -> None:
    raw = confirmation(replace(XIAOMI, name=words), replace(SITE, name=words))

    check(raw, kind="confirmation", site_name=None)


def welcome(about: Sequence[Article] = (), channel: Channel = XIAOMI, site: SiteIdentity = SITE) -> bytes:
    return compose_welcome(
        templates=shipped(),
        site=site,
        channels=[channel],
        latest=about,
        recipient=ALICE,
        links=LINKS,
        message_id=MESSAGE_ID,
        dated_at=AT,
        language="en",
    )


def test_a_welcome_keeps_its_rules_and_shows_the_latest_articles() -> None:
    about = [article(), article(title="Second", url=None), article(title="Third", published_at=None)]
    raw = welcome(about)

    check(raw, kind="welcome")
    check(welcome(), kind="welcome")
    assert subject_of(raw) == "Welcome: Xiaomi alerts from EV Daily"
    for part in texts_of(raw):
        words = " ".join(part.split())
        for shown in (about[0].item.title, "Second", "Third", "4 January 2026", "https://news.example/a/7"):
            assert shown in words
        assert LINKS.manage in part
        assert LINKS.unsubscribe in part
    assert "Unsubscribe from Xiaomi:" in texts_of(raw)[0]
    assert "latest until now" not in texts_of(welcome())[0]


@pytest.mark.parametrize("words", HOSTILE)
def test_no_words_of_anybody_break_a_welcome(words: str) -> None:
    about = [article(title=words, url=words, language=words)] * 3

    check(welcome(about, replace(XIAOMI, name=words), replace(SITE, name=words)), kind="welcome", site_name=None)


def test_a_subject_template_that_renders_to_nothing_falls_back_to_the_site() -> None:
    templates = Templates({**shipped(), "confirmation/subject.txt": ""})

    assert subject_of(confirmation(templates=templates)) == "EV Daily"


def test_headers_come_once_whatever_parses_them() -> None:
    message = email.message_from_bytes(alert(article(title=HOSTILE[0])), policy=email.policy.default)

    assert message["bcc"] is None
    assert message["subject"] == f"Xiaomi News Alert: {HOSTILE[0]}"
    again = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert again.keys() == message.keys()
