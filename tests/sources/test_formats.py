"""What each format says, in each of the ways in which people and their tools write it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.core.errors import ArticleError
from alerts.core.items import Parsed, ParsedItem
from alerts.core.page_text import read_page_text
from alerts.sources.formats import EXTENSIONS, LARGEST_FILE, read_items

ROOT = Path(__file__).resolve().parents[2]
SEEDS = sorted((ROOT / "seeds").iterdir())
REAL_ARTICLES = ROOT.parent / "shared" / "articles"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def only(name: str, text: str | bytes, time_zone: ZoneInfo | None = None) -> ParsedItem:
    data = text if isinstance(text, bytes) else text.encode()
    (found,) = read_items(name, data, time_zone=time_zone or UTC).items
    return found


def reason(name: str, text: str | bytes) -> str:
    with pytest.raises(ArticleError) as caught:
        read_items(name, text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


# --- real pages and our own ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_ARTICLES.is_dir(), reason="the real articles are not beside the repository")
def test_the_real_article_is_read_whole_and_without_its_noise() -> None:
    data = (REAL_ARTICLES / "xiaomi-us-market.txt").read_bytes()
    parsed = only("xiaomi-us-market.txt", data)
    item = parsed.item
    paragraphs = item.body.split("\n\n")
    assert item.title.startswith("Xiaomi founder says no plans to bring EV business to US")
    assert [line.split()[0] for line in item.summary] == ["Xiaomi", "A"]
    assert paragraphs[0].startswith("Lei Jun, founder, chairman, and CEO of Xiaomi (HKG: 1810")
    assert paragraphs[-1].startswith("Xiaomi targets 550,000 vehicle deliveries in 2026")
    assert len(paragraphs) == 13
    for noise in (item.title, "Image credit", "Photo from", "Join us", "News Alert", "Subscribe", "View more", "Jan 4"):
        assert noise not in item.body
    assert item.tags == ("Xiaomi",)
    assert item.tickers == ("HKG: 1810", "OTCMKTS: XIACY", "NASDAQ: TSLA")
    assert item.published_at == datetime(2026, 1, 4, tzinfo=UTC)


@pytest.mark.skipif(not REAL_ARTICLES.is_dir(), reason="the real articles are not beside the repository")
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_the_real_article_is_the_same_with_other_line_ends_and_encodings(line_end: bytes) -> None:
    data = (REAL_ARTICLES / "xiaomi-us-market.txt").read_bytes()
    as_it_is = only("a.txt", data)
    assert only("a.txt", data.replace(b"\n", line_end)) == as_it_is
    assert only("a.txt", b"\xef\xbb\xbf" + data) == as_it_is
    assert only("a.txt", data.decode().encode("utf-16")) == as_it_is


@pytest.mark.parametrize("path", [path for path in SEEDS if path.suffix == ".txt"], ids=lambda path: path.stem)
def test_a_page_among_the_seeds_is_read_without_its_noise(path: Path) -> None:
    item = only(path.name, path.read_bytes()).item
    (name,) = item.tags
    assert len(item.summary) == 2
    assert item.tickers
    assert item.published_at is not None
    assert item.published_at.year == 2026
    assert name.casefold() in item.title.casefold()
    assert item.body.count("\n\n") >= 3
    for noise in (item.title, "News Alert", "Subscribe", "View more channels", "Join us", "Image credit", "2026"):
        assert noise not in item.body.replace("in 2027", "")
    assert read_page_text(f"{item.title}\n\n{item.body}").body == item.body


def test_the_seeds_are_six_or_more_about_different_makers_one_in_chinese_one_in_markdown() -> None:
    items = [only(path.name, path.read_bytes()).item for path in SEEDS]
    assert len({item.tags[0] for item in items}) == len(items) >= 6
    assert "zh" in {item.language for item in items}
    assert ".md" in {path.suffix for path in SEEDS}


# --- page text ----------------------------------------------------------------------------------------------------


def test_the_printed_day_begins_in_the_sites_zone_and_waits_until_it_has_begun_anywhere() -> None:
    parsed = only("a.txt", "Title\n2026年1月4日", SHANGHAI)
    assert parsed.item.published_at == datetime(2026, 1, 3, 16, tzinfo=UTC)
    assert parsed.not_before_at == datetime(2026, 1, 3, 10, tzinfo=UTC)
    assert only("a.txt", "Title").not_before_at is None


def test_the_path_is_the_id() -> None:
    assert only("2026/a.TXT", "Title").item.item_id == "2026/a.TXT"


# --- Markdown -----------------------------------------------------------------------------------------------------

HUGO = """---
title: "BYD: a plant"
date: 2026-01-04T10:00:00+08:00
publishDate: 2026-01-05
lastmod: 2026-01-06
expiryDate: 2027-01-01
draft: false
tags: [BYD, Hungary]
categories:
  - Plants
keywords: "cars, Szeged"
authors:
  - name: Alice
  - Bob
description: |
  - First line
  - Second line
canonicalURL: https://example.com/byd
lang: en-gb
---
# BYD: a plant

It stands in *Szeged* (HKG: 1211).[^1]

- One & two
- <b>Three</b>

{{< figure src="a.jpg" >}}
{% include ad.html %}
<!--more-->
![A picture](a.jpg)

| a | b |
|---|---|
| 1 | 2 |
"""


def test_the_keys_of_hugo_are_read() -> None:
    parsed = only("posts/byd.md", HUGO)
    item = parsed.item
    assert item.title == "BYD: a plant"
    assert item.summary == ("First line", "Second line")
    assert item.body.startswith("It stands in Szeged (HKG: 1211).")
    assert "• One & two\n• Three" in item.body
    assert not any(noise in item.body for noise in ("figure", "include", "more", "jpg", "<", "*", "|"))
    assert item.tags == ("BYD", "Hungary", "Plants", "cars", "Szeged")
    assert (item.author, item.url, item.language) == ("Alice, Bob", "https://example.com/byd", "en-GB")
    assert item.published_at == parsed.not_before_at == datetime(2026, 1, 5, tzinfo=UTC)
    assert parsed.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert not parsed.is_draft
    assert item.item_id == "posts/byd.md"


def test_toml_and_json_say_the_same() -> None:
    toml = '+++\ntitle = "T"\ndate = 2026-01-04T10:00:00Z\ndraft = true\ntags = ["A", "B"]\n[params]\nx = 1\n+++\nBody'
    as_json = '{"title": "T", "date": "2026-01-04T10:00:00Z", "draft": true, "tags": ["A", "B"]}\nBody'
    assert only("a.md", toml) == only("a.md", as_json)
    parsed = only("a.md", toml)
    assert (parsed.item.title, parsed.item.body, parsed.item.tags, parsed.is_draft) == ("T", "Body", ("A", "B"), True)
    local = only("a.md", "+++\ntitle = 'T'\ndate = 2026-01-04\n+++\n", SHANGHAI)
    assert local.item.published_at == datetime(2026, 1, 3, 16, tzinfo=UTC)


def test_jekyll_dates_its_posts_by_their_names_and_hides_with_published() -> None:
    parsed = only("_posts/2026-01-04-byd-opens_a-plant.md", "Just text.", SHANGHAI)
    assert parsed.item.title == "Byd opens a plant"
    assert parsed.item.published_at == datetime(2026, 1, 3, 16, tzinfo=UTC)
    assert only("a.md", "---\npublished: false\ntitle: T\n---\n").is_draft
    assert not only("a.md", "---\npublished: true\ntitle: T\n---\n").is_draft
    assert only("_drafts/a.md", "# T").is_draft
    given = only("2026-01-04-a.md", "---\ndate: 2026-02-01 10:00:00 +0100\n---\nText")
    assert given.item.published_at == datetime(2026, 2, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "is_draft"),
    [
        ("draft: true", True),
        ("draft: yes", True),
        ("draft: maybe", True),
        ("draft: no", False),
        ("draft:", False),
        ("Draft: TRUE", True),
        ("status: draft", True),
        ("status: publish", False),
        ("published:", False),
    ],
)
def test_a_draft_is_one_in_any_spelling(head: str, is_draft: bool) -> None:
    assert only("a.md", f"---\ntitle: T\n{head}\n---\n").is_draft is is_draft


@pytest.mark.parametrize(
    ("name", "text", "title", "body"),
    [
        ("a.md", "# Heading\n\nText", "Heading", "Text"),
        ("a.md", "Heading\n=======\n\nText", "Heading", "Text"),
        ("a.md", "---\ntitle: Given\n---\n# Another\n\nText", "Given", "Another\n\nText"),
        ("a.md", "---\ntitle: given\n---\n# GIVEN\nText", "given", "Text"),
        ("my-story.md", "Text", "My story", "Text"),
        ("byd-plant/index.md", "Text", "Byd plant", "Text"),
        ("index.md", "Text", "Index", "Text"),
        ("2026-01-04.md", "Text", "2026 01 04", "Text"),
        ("a.md", "---\ntitle: no\n---\n", "no", ""),
        ("a.md", "---\ntitle: 1.10\n---\n", "1.10", ""),
        ("a.md", "---\ntitle: 2026-01-04\n---\n", "2026-01-04", ""),
        ("a.md", "---\n---\nText", "A", "Text"),
        ("a.md", "---\n# only a comment\n...\nText", "A", "Text"),
        ("a.md", "\n\n---\ntitle: T\n---\nText", "T", "Text"),
        ("a.markdown", "{{% note %}}\nText", "A", "Text"),
        ("a.md", "{ braces } in a text", "A", "{ braces } in a text"),
    ],
)
def test_the_title_is_the_one_given_or_the_heading_or_the_name(name: str, text: str, title: str, body: str) -> None:
    item = only(name, text).item
    assert (item.title, item.body) == (title, body)


def test_an_id_of_its_own_comes_before_the_path() -> None:
    assert only("a.md", "---\nguid: urn:1\n---\nText").item.item_id == "urn:1"
    assert only("a.md", '{"guid": "\\u001b \\u200b"}\nText').item.item_id == "a.md", "nothing that can be seen is no id"


def test_eleventys_magic_dates_are_none() -> None:
    assert only("a.md", "---\ndate: git Last Modified\n---\nText").item.published_at is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\ntitle: T", "line 1: the front matter that is opened here is never closed"),
        ("+++\ntitle = 'T'", "line 1: the front matter that is opened here is never closed"),
        ("---\ntitle: T\n\tdraft: true\n---\n", "line 3: the front matter is not YAML"),
        ("---\na: 1\ntitle: 'x\n---\n", "is not YAML"),
        ("---\ntitle: T\ntags: [a\n---\n", "is not YAML"),
        ("---\ntitle: T\ndraft: true\nTitle: U\n---\n", "line 4: the key 'title' is there twice (first in line 2)"),
        ("---\ntitle: T\ndate: soon\n---\n", "line 3: date: 'soon' is no date; write it as 2026-01-31"),
        ("---\ntitle: T\nexpiryDate: 31/01/2026\n---\n", "line 3: expirydate: '31/01/2026' is no date"),
        ("---\n- a\n- b\n---\n", "line 2: the front matter is not a list of keys and values"),
        ("---\njust text\n---\n", "line 2: the front matter is not a list of keys and values"),
        ("---\n? [a, b]\n: c\n---\n", "line 2: a key of the front matter is no text"),
        ("---\na: *b\n---\n", "line 2: the front matter is not YAML"),
        (f"---\na: {'x' * 70_000}\n---\n", "line 1: the front matter is longer than 64 KiB"),
        (f"---\na: {'[' * 60}{']' * 60}\n---\n", "line 2: the front matter is nested too deeply"),
        (f"+++\na = '{'x' * 17_000}'\n+++\n", "line 1: the front matter is longer than 16 KiB"),
        ("+++\ntitle = 'T'\ndraft = yes\n+++\n", "line 3: the front matter is not TOML: Invalid value"),
        ("+++\na = 1\nA = 2\n+++\n", "the key 'a' is there twice"),
        ("+++\ntitle = 'T'\ndate = 'soon'\n+++\n", "line 3: date: 'soon' is no date"),
        ('{"title": "T",\n "draft": }\nText', "line 2: the front matter is not JSON: Expecting value, column 11"),
        ('{"title": "T", "TITLE": "U"}\nText', "the key 'title' is there twice"),
        ("---\ndraft: true\n---\n", "holds no text"),
        ("<!-- nothing -->", "holds no text"),
    ],
)
def test_a_broken_front_matter_is_named_with_its_line(text: str, said: str) -> None:
    assert said in reason("a.md", text)


def test_a_yaml_tag_is_obeyed_by_nobody(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    head = f"---\ntitle: !!python/object/apply:os.system ['touch {mark}']\nx: !!python/name:os.system\n---\nText"
    assert only("a.md", head).item.title == "A"
    assert not mark.exists()


def test_a_yaml_bomb_is_over_soon() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "too many values" in reason("a.md", "---\n" + "\n".join(lines) + "\n---\n")
    assert reason("a.md", "---\na: &a [*a]\n---\n") == "is nested too deeply"


def test_a_long_markdown_file_is_kept_as_it_is_written() -> None:
    parsed = read_items("a.md", b"*word* " * 50_000)
    assert parsed.items[0].item.body.startswith("*word* *word*")
    assert parsed.notes == ("over 128 KiB, so kept as it is written",)


# --- HTML ---------------------------------------------------------------------------------------------------------

PAGE = """<!DOCTYPE html>
<html lang="en-US"><head>
<meta charset="utf-8">
<title>BYD opens a plant | EV Daily</title>
<meta property="og:title" content="BYD opens a plant &amp; a port">
<meta name="description" content="In short.">
<meta property="og:description" content="In short, for sharing.">
<meta property="article:published_time" content="2026-01-04T10:00:00+01:00">
<meta property="article:tag" content="BYD"><meta property="article:tag" content="Hungary">
<meta name="keywords" content="cars, byd">
<link rel="canonical" href="https://example.com/byd?a=1&amp;b=2">
<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
  {"@type": "WebSite", "name": "EV Daily"},
  {"@type": ["NewsArticle"], "headline": "Headline", "author": [{"@type": "Person", "name": "Alice"}, "Bob"],
   "datePublished": "2026-01-03", "keywords": ["ports"], "description": "LD"}]}</script>
<style>p { content: "<p>style</p>" }</style>
</head><body>
<header><nav><a href="/">Home</a><ul><li>Menu</ul></nav></header>
<aside><article><h2>Teaser</h2></article></aside>
<main><article>
<h1>BYD opens a <em>plant</em> &amp; a port</h1>
<p>First &mdash; paragraph (HKG: 1211).<script>var a = "<p>script</p>";</script></p>
<figure><img src="a.jpg" alt="x"><figcaption>A caption</figcaption></figure>
<p>Second<br>line.</p><!-- <p>comment</p> -->
<div hidden><p>Hidden</p></div><div role="complementary">Beside</div>
<form><input value="x"><button>Send</button></form>
<ul><li>One<li>Two</ul>
<footer>Share this</footer>
</article></main>
<footer><p>Imprint</p></footer>
</body></html>"""


def test_a_news_page_is_read_without_what_stands_around_its_article() -> None:
    parsed = only("byd.html", PAGE)
    item = parsed.item
    assert item.title == "BYD opens a plant & a port"
    assert item.summary == ("In short, for sharing.",)
    assert item.body == "First — paragraph (HKG: 1211).\n\nSecond\nline.\n\n• One\n• Two"
    assert item.tags == ("BYD", "Hungary", "cars", "ports")
    assert (item.url, item.language, item.author) == ("https://example.com/byd?a=1&b=2", "en-US", "Alice, Bob")
    assert item.published_at == parsed.not_before_at == datetime(2026, 1, 4, 9, tzinfo=UTC)
    assert item.tickers == ("HKG: 1211",)


LD = '<script type="application/ld+json">'
OWN_TEXT = "The long text of the page itself"


@pytest.mark.parametrize(
    ("page", "title", "body"),
    [
        ("<title>T</title><p>Text", "T", "Text"),
        ("<h1>T</h1><p>Text", "T", "Text"),
        ("<p>Text", "My page", "Text"),
        ("<title>T &lt;b&gt;</title>", "T <b>", ""),
        ("<main><p>The long text of the page itself<article>x</article></main>", "My page", f"{OWN_TEXT}\n\nx"),
        ("<article>short</article><article><p>The longer of the two</article>", "My page", "The longer of the two"),
        ("<article><p>Never ends", "My page", "Never ends"),
        ("<nav>Menu<p>Text", "My page", "Menu\n\nText"),
        ("<title>T</title><aside>a<aside>b</aside>c</aside>Text", "T", "Text"),
        ("<p>a</nav></article></p>", "My page", "a"),
        (f'{LD}{{"@type":"NewsArticle","headline":"H","articleBody":"<p>B"}}</script>', "H", "B"),
        ("<title>Vox&amp;#039;s &amp;amp; &amp;nosuch;</title><p>Text", "Vox's & &nosuch;", "Text"),
        ('<meta property="og:title" content="Vox&amp;#8217;s"><title>x</title><p>Text', "Vox’s", "Text"),
        (f'{LD}{{"@type":"NewsArticle","headline":"Vox&#8217;s &quot;H&quot;"}}</script>', 'Vox’s "H"', ""),
        (f"{LD}{{broken</script><p>Text", "My page", "Text"),
        (f'{LD}[[{{"mainEntity": {{"@type": "schema:BlogPosting", "headline": "H"}}}}, 1]]</script>', "H", ""),
    ],
)
def test_any_page_gives_what_it_has(page: str, title: str, body: str) -> None:
    item = only("my-page.html", page).item
    assert (item.title, item.body) == (title, body)


def test_dates_that_a_page_garbles_are_passed_over() -> None:
    page = '<meta name="date" content="yesterday"><time datetime="2026-01-04">x</time>'
    assert only("a.html", page).item.published_at == datetime(2026, 1, 4, tzinfo=UTC)
    expired = only("a.html", '<meta property="article:expiration_time" content="2026-01-04"><p>Text')
    assert expired.expires_at == datetime(2026, 1, 4, tzinfo=UTC)


def test_only_a_link_that_can_be_followed_is_the_url() -> None:
    page = '<link rel="canonical" href="/a"><meta property="og:url" content="https://example.com/a"><p>Text'
    assert only("a.html", page).item.url == "https://example.com/a"


def test_a_page_without_words_is_refused() -> None:
    assert reason("a.html", "<div><img src=x></div>") == "holds no text"


# --- JSON ---------------------------------------------------------------------------------------------------------


def test_an_item_of_a_json_feed_is_read() -> None:
    written = {
        "id": "https://example.com/1",
        "url": "https://example.com/byd",
        "title": "BYD opens a plant",
        "content_html": "<p>In <b>Szeged</b>.</p>",
        "summary": "In short.",
        "date_published": "2026-01-04T10:00:00+01:00",
        "authors": [{"name": "Alice"}],
        "tags": ["BYD", "Hungary"],
        "language": "en",
    }
    parsed = only("a.json", json.dumps(written))
    item = parsed.item
    assert (item.item_id, item.url) == ("https://example.com/1", "https://example.com/byd")
    assert (item.title, item.summary, item.body) == ("BYD opens a plant", ("In short.",), "In Szeged.")
    assert (item.author, item.tags, item.language) == ("Alice", ("BYD", "Hungary"), "en")
    assert item.published_at == parsed.not_before_at == datetime(2026, 1, 4, 9, tzinfo=UTC)


def read_json(document: object) -> Parsed:
    return read_items("feed.json", json.dumps(document).encode())


def test_a_feed_gives_its_items_and_its_defaults() -> None:
    parsed = read_json(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "language": "de",
            "authors": [{"name": "Alice"}],
            "items": [
                {"id": 1, "content_text": "A note without a title.\nIt goes on."},
                {"id": "2", "title": "T", "content_text": "x", "author": {"name": "Bob"}, "language": "en"},
                {"title": "No id", "content_text": "x"},
            ],
        }
    )
    first, second, third = (one.item for one in parsed.items)
    assert (first.title, first.author, first.language) == ("A note without a title.", "Alice", "de")
    assert (second.author, second.language) == ("Bob", "en")
    assert [first.item_id, second.item_id] == ["feed.json#1", "feed.json#2"]
    assert third.item_id.startswith("feed.json#")
    assert read_json([{"id": "x:1", "title": "T"}]).items[0].item.item_id == "x:1"


def test_one_wrong_item_is_noted_and_the_others_are_read() -> None:
    parsed = read_json({"items": [{"id": "1", "title": "T"}, 7, {"id": "3"}, {"title": "T", "date_published": "soon"}]})
    assert [one.item.title for one in parsed.items] == ["T"]
    assert parsed.notes == (
        "item 2: is no item of a JSON Feed: it has none of title, content_text, content_html, summary",
        "item 3: is no item of a JSON Feed: it has none of title, content_text, content_html, summary",
        "item 4: date_published: 'soon' is no date; write it as 2026-01-31",
    )


def test_an_item_alone_has_its_own_id_unless_that_is_a_mere_number() -> None:
    assert only("a.json", '{"id": "byd-plant", "title": "T"}').item.item_id == "byd-plant"
    assert only("a.json", '{"id": 1, "title": "T"}').item.item_id == "a.json"


def test_an_empty_feed_is_no_error() -> None:
    assert read_json({"version": "1", "items": []}).items == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"items": [\n  {"id": "1",}\n]}', "is not JSON: line 2, column 14"),
        ('{"title": "T"', "is not JSON: line 1, column 14"),
        ('{"name": "package", "version": "1"}', "is no item of a JSON Feed"),
        ('"text"', "is no JSON Feed: neither an item nor a list of items"),
        ('{"items": 7}', "is no JSON Feed: neither an item nor a list of items"),
        ('{"items": [{"id": "1"}]}', "item 1: is no item of a JSON Feed"),
        ('{"content_html": "<img>"}', "holds no text"),
        ("[" + "9" * 5000 + "]", "a number of thousands of digits"),
        ("[" * 100_000, "is nested too deeply"),
        (json.dumps([{"title": "T"}] * 2001), "holds 2001 items; at most 2000 are read from one file"),
    ],
)
def test_broken_json_is_named_with_its_place(text: str, said: str) -> None:
    assert said in reason("a.json", text)


# --- encodings and limits -----------------------------------------------------------------------------------------

CHINESE = "小米汽车发布新车\n\n正文在此。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "gbk"])
def test_chinese_text_is_read_in_any_of_its_encodings(encoding: str) -> None:
    parsed = read_items("a.txt", CHINESE.encode(encoding))
    assert parsed.items[0].item.title == "小米汽车发布新车"
    assert parsed.notes == (("not UTF-8, read as gb18030",) if encoding.startswith("gb") else ())


def test_western_text_is_read_in_its_windows_encoding() -> None:
    parsed = read_items("a.txt", "Citroën’s ë-C3 — naïve?".encode("cp1252"))
    assert parsed.items[0].item.title == "Citroën’s ë-C3 — naïve?"
    assert parsed.notes == ("not UTF-8, read as cp1252",)


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<meta charset="shift_jis">', "cp932"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=euc-kr">', "cp949"),
        ("<?xml version='1.0' encoding='gb2312'?>", "gb18030"),
        ('<meta charset="iso-8859-1">', "cp1252"),
        ('<meta charset="big5">', "big5"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_declares(declaration: str, encoding: str) -> None:
    words = {"cp932": "日本の車", "cp949": "한국의 차", "gb18030": "中国的车", "cp1252": "“Éa”", "big5": "台灣的車"}[
        encoding
    ]
    parsed = read_items("a.html", f"{declaration}<title>{words}</title>".encode(encoding))
    assert parsed.items[0].item.title == words
    assert parsed.notes == ()


@pytest.mark.parametrize("declared", ["utf-8", "utf-7", "nonsense", "hex", "idna", "unicode_escape", "x" * 30])
def test_a_declaration_that_cannot_be_is_not_believed(declared: str) -> None:
    parsed = read_items("a.html", f'<meta charset="{declared}"><title>Café</title>'.encode("cp1252"))
    assert parsed.items[0].item.title == "Café"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \r\n\t ", "is empty"),
        ("\ufeff \u2028".encode(), "is empty"),
        (b"\xff\xfe", "is empty"),
        (b"Title\0Body", "is not text (it holds NUL bytes)"),
        ("Title\0Body".encode("utf-16"), "is not text (it holds NUL characters)"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10 Title", "is not text (it is full of control characters)"),
        (b"\xff\xfea", "is not text in the encoding that it declares, utf-16-le"),
        ("Title\n\nEs ist schön, é".encode()[:-1], "ends in the middle of a character (line 3)"),
        ("Zwölf schöne Äpfel\n".encode() + b"\xff kaputt", "is UTF-8 with damaged characters, the first in line 2"),
        (b"Title\n\x81 \x8d", "is not UTF-8 (line 2), nor any encoding that we know"),
        (b"x" * (LARGEST_FILE + 1), "is larger than 5 MiB"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_the_reason(data: bytes, said: str) -> None:
    assert said in reason("a.txt", data)


def test_a_page_that_is_not_in_the_encoding_that_it_declares_is_refused() -> None:
    assert "declares, cp932" in reason("a.html", b'<meta charset="shift_jis"><title>\x81</title>\xff\xff')


@pytest.mark.parametrize("name", ["a.pdf", "a", ".txt", "a.txt/b", "a.txt~"])
def test_a_file_of_another_kind_is_refused(name: str) -> None:
    assert "is none of the files that hold articles" in reason(name, "Title")


def test_every_extension_is_read() -> None:
    for end in EXTENSIONS - {".json"}:
        assert only(f"a{end}", "Title").item.item_id == f"a{end}"
