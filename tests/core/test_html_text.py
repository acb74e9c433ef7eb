"""The readable text of HTML, broken or not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.html_text import html_to_text, without_entities


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("<p>One &amp; only<p>Two", "One & only\n\nTwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>a<li>b</ul>", "• a\n• b"),
        ("<table><tr><td>1<td>2</tr><tr><th>3</table>", "1 2\n3"),
        ("<b>bo</b>ld", "bold"),
        ("line\n  broken\tin source", "line broken in source"),
        ("<pre>line\n kept</pre>\nno\nmore", "line\nkept\n\nno more"),
        ("x<script>if (a < b) document.write('<p>no')</script>y", "xy"),
        ("x<STYLE>p{}</Style >y", "xy"),
        ("x<script>never ends", "x"),
        ("x<script/>still script", "x"),
        ("x<svg/>y<svg><text>label</text></svg>z", "xyz"),
        ("<title>Not the text</title>text", "text"),
        ("x<!-- no -->y<!-->z<!---->!", "xyz!"),
        ("x<!-- never ends", "x"),
        ("<![CDATA[a <b> c]]>d", "a <b> cd"),
        ("<!DOCTYPE html><?xml version='1.0'?>x", "x"),
        ("<a title='>' href=\"a>b\">link</a>", "link"),
        ("<a href=it's>link</a>", "link"),
        ('cut <a href="https://exam', "cut"),
        ("1 < 2 <3 &lt;p&gt;", "1 < 2 <3 <p>"),
        ("&#120;&#x79;&#0000000065;&#x1F600;&nbsp;&hellip;", "xyA😀 …"),
        ("&#99999999999999;&#xfffffffffff; &bogus; &#0;", "\ufffd\ufffd &bogus; \ufffd"),
        ("<p>小米<wbr>汽车</p>", "小米汽车"),
        ("", ""),
    ],
)
def test_markup_becomes_what_a_reader_would_see(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@given(st.text() | st.text(alphabet="<>/!-\"'=&#;x9apsvgrict[]CDATA \n"))
def test_any_string_has_a_text(markup: str) -> None:
    assert isinstance(html_to_text(markup), str)


@given(st.text(alphabet=st.characters(categories=["L", "N"]) | st.sampled_from(" .,")).map(str.strip))
def test_text_without_markup_stays(text: str) -> None:
    assert html_to_text(text).split() == html_to_text(f"<div><p>{text}</p></div>").split()


@pytest.mark.parametrize(
    "bait",
    [
        "<div>",
        "<a x='",
        '<a ="',
        "<!--",
        "<",
        "<a",
        "&#",
        "&#9",
        "= ",
        "<a = ",
        "<script>",
        "<svg/>",
        "<![CDATA[",
        "<p \n",
    ],
)
def test_hostile_markup_costs_what_its_length_costs(bait: str) -> None:
    began = time.perf_counter()
    html_to_text(bait * (400_000 // len(bait)) + "9" * 100_000)
    assert time.perf_counter() - began < 5  # a square would take minutes


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("AT&amp;T &#8217;26 &#x27;x&#x27; &nbsp;", "AT&T ’26 'x' \xa0"),
        ("<i> & <b>, R&D; &nosuch; &amp", "<i> & <b>, R&D; &nosuch; &amp"),
        ("&amp;lt;", "&lt;"),
        ("&lt;b&gt; is &amp;", "&lt;b&gt; is &amp;"),
        ("&#60;b&#x3E; is &amp;", "&#60;b&#x3E; is &amp;"),
    ],
)
def test_entities_in_plain_text_are_read_unless_it_speaks_of_markup(written: str, text: str) -> None:
    assert without_entities(written) == text


@given(st.text(alphabet="&#x;amplt0123 <>"))
def test_text_without_an_entity_stays_as_it_is(text: str) -> None:
    assert ";" in text or without_entities(text) == text
