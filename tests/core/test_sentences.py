"""Which language is spoken, and how a sentence's places are filled."""

from __future__ import annotations

from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from alerts.core.sentences import N_, counter, spoken, translator, wishes_of


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("", []),
        ("*", []),
        ("zh-CN,zh;q=0.9,en;q=0.8", ["zh-CN", "zh", "en"]),
        ("en;q=0.2, de", ["de", "en"]),
        ("de;q=0, fr", ["fr"]),
        ("de;q=2, fr;q=x, it;q=0.5", ["de", "fr", "it"]),
        ("<script>, 1, de_AT, \x00", ["de_AT"]),
        (",".join(["x"] * 30 + ["de"]), []),
    ],
)
def test_the_browsers_wishes_come_dearest_first_and_nonsense_is_passed_over(header: str, wishes: list[str]) -> None:
    assert wishes_of(header) == wishes


@given(st.text())
def test_any_header_can_be_read(header: str) -> None:
    assert spoken(wishes_of(header), {"en", "zh"}) in {"en", "zh", None}


def test_a_narrower_tag_finds_the_wider_language() -> None:
    assert spoken(["zh-Hant-TW"], {"en", "zh"}) == "zh"
    assert spoken(["zh-Hant-TW"], {"zh", "zh-Hant"}) == "zh-Hant"
    assert spoken([None, "", "tlh", "de-AT"], {"de"}) == "de"
    assert spoken(["tlh"], {"de"}) is None


def test_places_are_filled_and_in_html_escaped_once() -> None:
    say = translator(NullTranslations(), html=True)
    assert say("{who} & co", who="<b>") == Markup("&lt;b&gt; &amp; co")
    assert say("Hi {who}", who=Markup("<bdi>x</bdi>")) == Markup("Hi <bdi>x</bdi>")
    assert translator(NullTranslations(), html=False)("{who} & co", who="<b>") == "<b> & co"


def test_a_value_is_no_sentence_whose_places_are_filled() -> None:
    assert translator(NullTranslations(), html=False)("{a}{b}", a="{b}", b="x") == "{b}x"


def test_a_number_chooses_the_form() -> None:
    count = counter(NullTranslations(), html=False)
    assert count("{n} mail", "{n} mails", 1) == "1 mail"
    assert count("{n} mail", "{n} mails", 2) == "2 mails"
    assert count("{many} mail", "{many} mails", 2000, many="2,000") == "2,000 mails"


def test_a_mark_leaves_the_sentence_as_it_is() -> None:
    assert N_("Hello") == "Hello"


@pytest.mark.parametrize(
    ("sentence", "value", "said"),
    [
        ("退订 {channels}？", "Tesla", "退订 Tesla？"),
        ("退订 {channels}？", "小米", "退订小米？"),
        ("您在 {channels} 订阅了", "EV 日报", "您在 EV 日报订阅了"),
        ("您在 {channels} 订阅了", "小米 SU7", "您在小米 SU7 订阅了"),
        ("{channels} 已关闭", "ニュース", "ニュース已关闭"),
        ("关于 {channels} 的", "", "关于  的"),
        ("about {channels} today", "小米", "about 小米 today"),  # a language with spaces keeps its own
        ("{channels} 뉴스", "小米", "小米 뉴스"),
    ],
)
def test_among_chinese_a_foreign_word_stands_apart_and_a_chinese_one_does_not(
    sentence: str, value: str, said: str
) -> None:
    assert translator(NullTranslations(), html=False)(sentence, channels=value) == said


def test_what_counts_is_the_sign_that_is_seen_not_the_markup_around_it() -> None:
    say = translator(NullTranslations(), html=True)
    assert say("退订 {x}？", x=Markup("<bdi>小米</bdi>")) == Markup("退订<bdi>小米</bdi>？")
    assert say("退订 {x}？", x=Markup("<bdi>Tesla</bdi>")) == Markup("退订 <bdi>Tesla</bdi>？")
