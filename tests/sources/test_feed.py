from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.errors import FetchError
from alerts.core.model import Item
from alerts.sources.encoding import decode_feed
from alerts.sources.entries import MAX_BODY, MAX_ITEMS
from alerts.sources.feed import parse_feed

URL = "https://news.example/cars/feed.xml"

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>Cars</title><link>https://news.example/</link><language>en-gb</language><ttl>60</ttl>
<item>
  <title>AT&amp;amp;T buys &lt;b&gt;cars&lt;/b&gt;</title>
  <link>/2026/att?id=1&amp;utm_source=rss</link>
  <guid isPermaLink="false">att-1</guid>
  <pubDate>Mon, 05 Jan 2026 10:00:00 +0100</pubDate>
  <dc:creator>Alice &amp; Bob</dc:creator>
  <category>Cars</category><category><![CDATA[ <i>Telecoms</i> ]]></category><category>cars</category>
  <description>Twelve thousand of them.</description>
  <content:encoded><![CDATA[<p>The company (NYSE: T) ordered <em>12,000</em> cars.</p><script>track()</script>
  <p>They come in spring.</p>]]></content:encoded>
</item>
</channel></rss>
"""

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://autos.example/">
<title>Autos</title><id>urn:autos</id><updated>2026-01-05T10:00:00Z</updated><author><name>Redaktion</name></author>
<entry>
  <id>urn:autos:1</id><title type="html">Autos &amp;amp; &lt;i&gt;mehr&lt;/i&gt;</title>
  <link rel="self" href="entry.xml"/><link rel="alternate" href="berichte/1"/>
  <updated>2026-01-05T10:00:00+01:00</updated><published>2026-01-04T08:30:00Z</published>
  <category term="x1" label="Elektro"/>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Erster Absatz.</p><p>Zweiter.</p></div></content>
</entry>
<entry><id>urn:autos:2</id><title>1 &lt; 2</title><updated>2026-01-05T10:00:00Z</updated><summary>Kurz</summary></entry>
</feed>
"""

JSON_FEED: dict[str, Any] = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Cars",
    "language": "en",
    "authors": [{"name": "Alice"}],
    "items": [
        {
            "id": 1,
            "url": "/2026/1",
            "title": "Cars & ships",
            "content_html": "<p>One.</p><p>Two.</p>",
            "summary": "Short.",
            "date_published": "2026-01-05T10:00:00+01:00",
            "tags": ["cars", 7, "ships"],
        },
        {"id": "note", "content_text": "Only a note,\nwithout a title.", "author": {"name": "Bob"}},
        {"id": "empty"},
        "nonsense",
    ],
}


def items(feed: str | bytes, **options: str) -> tuple[Item, ...]:
    return parse_feed(feed if isinstance(feed, bytes) else feed.encode(), url=URL, **options).items


def rss(*entries: str) -> str:
    inside = "".join(f"<item>{entry}</item>" for entry in entries)
    return f'<rss version="2.0"><channel><title>t</title>{inside}</channel></rss>'


class TestRss:
    def test_an_item_is_read_whole(self) -> None:
        assert items(RSS) == (
            Item(
                item_id="att-1",
                title="AT&T buys cars",
                summary=("Twelve thousand of them.",),
                body="The company (NYSE: T) ordered 12,000 cars.\n\nThey come in spring.",
                url="https://news.example/2026/att?id=1&utm_source=rss",
                author="Alice & Bob",
                tags=("Cars", "Telecoms"),
                tickers=("NYSE: T",),
                language="en-GB",
                published_at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
            ),
        )

    def test_the_feed_says_how_long_it_stays_fresh(self) -> None:
        assert parse_feed(RSS.encode(), url=URL).ttl == timedelta(hours=1)

    @pytest.mark.parametrize("ttl", ["", "soon", "-5", "1.5", "²"])
    def test_an_odd_ttl_says_nothing(self, ttl: str) -> None:
        assert parse_feed(RSS.replace("<ttl>60<", f"<ttl>{ttl}<").encode(), url=URL).ttl is None

    def test_a_guid_that_is_a_link_is_the_link(self) -> None:
        (item,) = items(rss("<title>x</title><guid>https://news.example/1</guid>"))

        assert (item.item_id, item.url) == ("https://news.example/1", "https://news.example/1")

    def test_without_a_guid_the_link_is_the_id(self) -> None:
        (item,) = items(rss("<title>x</title><link>http://www.news.example/1?utm_source=a</link>"))

        assert item.item_id == "https://news.example/1"

    def test_items_without_a_guid_that_share_a_link_stay_apart_whatever_their_order(self) -> None:
        entries = [f"<title>Version {number}</title><link>https://news.example/</link>" for number in range(5)]

        ids = {item.item_id for item in items(rss(*entries))}

        assert len(ids) == 5
        assert ids == {item.item_id for item in items(rss(*reversed(entries)))}

    def test_a_proxied_feed_gives_the_articles_own_link(self) -> None:
        feed = rss(
            "<title>x</title><link>https://proxy.example/~r/1</link><fb:origLink>https://a.example/1</fb:origLink>"
        )
        feed = feed.replace("<rss ", '<rss xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0" ')

        assert items(feed)[0].url == "https://a.example/1"

    @pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", ""])
    def test_a_link_that_nobody_should_follow_is_left_out(self, link: str) -> None:
        (item,) = items(rss(f"<title>x</title><link>{link}</link><guid isPermaLink='false'>1</guid>"))

        assert item.url is None

    def test_a_post_without_a_title_gets_one_from_its_text(self) -> None:
        (item,) = items(rss("<description>&lt;p&gt;Just a thought about cars.&lt;/p&gt;</description>"))

        assert (item.title, item.summary, item.body) == (
            "Just a thought about cars.",
            ("Just a thought about cars.",),
            "",
        )

    def test_a_long_description_is_the_article_and_its_beginning_the_summary(self) -> None:
        text = "Cars are sold. " * 100
        (item,) = items(rss(f"<title>x</title><description>{text}</description>"))

        assert item.body == text.strip()
        assert len(item.summary[0]) <= 500
        assert item.summary[0].endswith("…")

    def test_what_says_nothing_is_left_out(self) -> None:
        assert items(rss("<link>https://news.example/1</link>", "<title>x</title>")) == items(rss("<title>x</title>"))

    @pytest.mark.parametrize(
        "date", ["", "soon", "Mon, 99 Foo 2026 10:00:00 GMT", "0000-00-00", "Sat, 31 Dec 9999 23:59:60 -2300"]
    )
    def test_an_odd_date_is_harmless(self, date: str) -> None:
        assert len(items(rss(f"<title>x</title><pubDate>{date}</pubDate>"))) == 1

    def test_a_feed_of_the_first_kind_is_read(self) -> None:
        feed = (
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
            '<channel rdf:about="x"><title>t</title></channel>'
            '<item rdf:about="https://news.example/1"><title>x</title><link>https://news.example/1</link></item></rdf:RDF>'
        )

        assert items(feed)[0].url == "https://news.example/1"
        with pytest.raises(FetchError, match="breaks off"):
            items(feed.removesuffix("</item></rdf:RDF>"))


class TestAtom:
    def test_an_entry_is_read_whole(self) -> None:
        first, second = items(ATOM)

        assert first == Item(
            item_id="urn:autos:1",
            title="Autos & mehr",
            summary=("Erster Absatz. Zweiter.",),
            body="",
            url="https://autos.example/berichte/1",
            author="Redaktion",
            tags=("Elektro",),
            language="de",
            published_at=datetime(2026, 1, 4, 8, 30, tzinfo=UTC),
        )
        assert (second.title, second.published_at) == ("1 < 2", datetime(2026, 1, 5, 10, 0, tzinfo=UTC))


class TestJsonFeed:
    def test_items_are_read_and_nonsense_is_passed_over(self) -> None:
        first, second = items(json.dumps(JSON_FEED))

        assert first == Item(
            item_id="1",
            title="Cars & ships",
            summary=("Short.",),
            body="One.\n\nTwo.",
            url="https://news.example/2026/1",
            author="Alice",
            tags=("cars", "ships"),
            language="en",
            published_at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
        )
        assert (second.item_id, second.title, second.author) == ("note", "Only a note, without a title.", "Bob")

    @pytest.mark.parametrize(
        ("people", "author"),
        [
            ({"author": {"name": "Bob"}}, "Bob"),  # version 1
            ({"authors": [{"name": "Alice"}, {"url": "https://x.example"}, {"name": "Carol"}]}, "Alice, Carol"),  # 1.1
            ({"author": {"name": "Alice"}, "authors": [{"name": "Alice"}]}, "Alice"),  # for readers of both
            ({"author": {"name": "Bob"}, "authors": []}, "Bob"),
            ({"author": {"name": "Bob"}, "authors": [{"avatar": "https://x.example/a.png"}]}, "Bob"),
            ({"author": "Bob", "authors": {"name": "Bob"}}, None),  # of wrong types
        ],
    )
    @pytest.mark.parametrize("at_feed", [True, False])
    def test_authors_are_read_in_both_versions(
        self, people: dict[str, Any], author: str | None, *, at_feed: bool
    ) -> None:
        item = {"id": "1", "content_text": "x", **({} if at_feed else people)}

        (read,) = items(
            json.dumps({"version": "https://jsonfeed.org/version/1", **(people if at_feed else {}), "items": [item]})
        )

        assert read.author == author

    def test_an_items_own_words_go_before_the_feeds(self) -> None:
        item = {"id": 7.5, "content_text": "今日", "language": "zh", "authors": [{"name": "Li"}]}

        (read,) = items(json.dumps({**JSON_FEED, "items": [item]}))

        assert (read.item_id, read.language, read.author) == ("7.5", "zh", "Li")

    def test_ids_that_show_nothing_are_none(self) -> None:
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "items": [{"id": c, "title": f"About {ord(c)}"} for c in "\x1b\x07"],
        }
        assert len({item.item_id for item in items(json.dumps(feed)) if item.item_id}) == 2

    def test_a_link_blogs_item_is_its_own_page_first_and_the_page_it_is_about_else(self) -> None:
        about = "https://other.example/story"
        both = {"id": "1", "url": "https://news.example/1", "external_url": about, "title": "A"}
        only = {"id": "2", "external_url": about, "title": "B"}

        assert [item.url for item in items(json.dumps({"items": [both, only]}))] == ["https://news.example/1", about]

    def test_a_text_goes_before_the_markup_and_an_update_stands_in_for_a_date(self) -> None:
        item = {
            "id": "1",
            "content_text": "plain",
            "content_html": "<p>marked",
            "date_modified": "2026-01-05T10:00:00Z",
        }

        (read,) = items("\ufeff" + json.dumps({"items": [item]}))

        assert (read.summary, read.published_at) == (("plain",), datetime(2026, 1, 5, 10, 0, tzinfo=UTC))

    @pytest.mark.parametrize("text", ["{}", "[]", '{"items": 1}', '{"items": [', "[" * 100_000, '{"error": "log in"}'])
    def test_other_json_is_no_feed(self, text: str) -> None:
        with pytest.raises(FetchError):
            items(text)

    def test_a_feed_without_items_is_empty(self) -> None:
        assert items('{"version": "https://jsonfeed.org/version/1", "items": []}') == ()

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from([*JSON_FEED["items"][0], "authors", "author", "name", "external_url"]), inner
                )
            ),
            max_leaves=20,
        )
    )
    def test_values_of_any_type_are_harmless(self, value: object) -> None:
        items(json.dumps({"items": [value, [value], {"title": "x", "id": value, "tags": value}]}))


class TestNoFeed:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" \r\n\t ",
            b"\xef\xbb\xbf",
            b"Please log in",
            b"<!doctype html><html><head><title>Log in</title></head><body><form><p>Password</form></html>",
            b'<html xmlns="http://www.w3.org/1999/xhtml"><body><item><title>x</title></item></body></html>',
            b"<opml version='1.0'><body/></opml>",
            b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>http://x</loc></url></urlset>',
            b"%PDF-1.7",
            b"/etc/passwd",
            b"https://news.example/feed.xml",
            bytes(range(256)),
        ],
    )
    def test_what_is_no_feed_is_an_error_not_a_feed_without_news(self, body: bytes) -> None:
        with pytest.raises(FetchError):
            items(body)

    def test_an_empty_feed_is_a_feed(self) -> None:
        assert items(rss()) == ()

    @pytest.mark.parametrize("feed", [RSS, ATOM], ids=["rss", "atom"])
    def test_half_a_feed_is_an_error(self, feed: str) -> None:
        for length in range(120, len(feed) - 12, 37):
            with pytest.raises(FetchError):
                items(feed[:length])

    def test_a_feed_that_is_no_sound_xml_is_read_all_the_same(self) -> None:
        (item,) = items(rss("<title>Fish & chips &nbsp; <b>hot</title><guid isPermaLink='false'>1</guid>"))

        assert item.title.startswith("Fish & chips")

    def test_control_characters_do_not_spoil_a_feed(self) -> None:
        assert items(rss("<title>a\x00b\x08c\x1b</title>"))[0].title == "abc"

    def test_entities_do_not_unfold(self) -> None:
        bomb = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        feed = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{bomb}]>' + rss("<title>a &l11; b</title>")

        assert len(items(feed)[0].title) < 100

    def test_entities_read_no_file(self) -> None:
        feed = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + rss(
            "<title>a &f; b</title>"
        )

        assert "root" not in items(feed)[0].title


class TestLimits:
    def test_of_too_many_items_the_latest_are_kept(self) -> None:
        day = datetime(2026, 1, 1, tzinfo=UTC)
        entries = [
            f"<title>{number}</title><pubDate>{(day + timedelta(minutes=number)):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
            for number in range(MAX_ITEMS + 50)
        ]

        titles = {int(item.title) for item in items(rss(*entries))}

        assert titles == set(range(50, MAX_ITEMS + 50))

    def test_an_endless_text_is_cut(self) -> None:
        (item,) = items(rss(f"<title>{'x' * 10_000}</title><description>{'word ' * 100_000}</description>"))

        assert len(item.title) <= 1_000
        assert len(item.body) <= MAX_BODY

    @given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
    @example(b"\xff\xfe<\0")
    def test_any_bytes_give_items_or_an_error(self, body: bytes) -> None:
        for wrapped in (body, b"<rss version='2.0'><channel><item>" + body + b"</item></channel></rss>"):
            try:
                parse_feed(wrapped, url=URL, charset=body[:10].decode("latin-1"))
            except FetchError:
                continue


class TestEncoding:
    @pytest.mark.parametrize(
        ("declared", "encoding", "charset"),
        [
            ("utf-8", "utf-8", None),
            ("utf-8", "utf-8", "iso-8859-1"),
            ("iso-8859-1", "utf-8", None),
            (None, "utf-8", "windows-1252"),
            ("utf-16", "utf-16", None),
            (None, "utf-16-le", None),
            (None, "utf-32", None),
            ("gb2312", "gb18030", "utf-8"),
            (None, "gb18030", "gbk"),
            ("big5", "big5", None),
            ("shift_jis", "cp932", "utf-8"),
            ("iso-2022-jp", "iso-2022-jp", None),
            ("nonsense", "utf-8", "nonsense"),
            ("utf-7", "utf-8", "utf-7"),
            ("utf-16", "utf-8", "utf-16"),
        ],
    )
    def test_a_feed_reads_the_same_in_whatever_encoding(
        self, declared: str | None, encoding: str, charset: str | None
    ) -> None:
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
        feed = declaration + rss("<title>SU7 日本</title>")

        (item,) = items(feed.encode(encoding), **({"charset": charset} if charset else {}))

        assert item.title == "SU7 日本"

    @pytest.mark.parametrize(
        ("declared", "charset"), [("iso-8859-1", None), (None, "latin1"), (None, None), ("ascii", None)]
    )
    def test_western_bytes_are_read_as_browsers_do(self, declared: str | None, charset: str | None) -> None:
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""

        assert decode_feed((declaration + "“Škoda” é").encode("cp1252"), charset=charset).endswith("“Škoda” é")

    def test_cyrillic_bytes_are_read_as_declared(self) -> None:
        feed = '<?xml version="1.0" encoding="windows-1251"?><a>Лада</a>'.encode("cp1251")

        assert decode_feed(feed, charset="utf-8").endswith("<a>Лада</a>")

    @given(st.binary(), st.text() | st.sampled_from(["utf-7", "idna", "punycode", "unicode_escape", "base64", "rot13"]))
    def test_any_bytes_become_text(self, body: bytes, charset: str) -> None:
        decode_feed(body, charset=charset)
        decode_feed(b"<?xml encoding='" + charset.encode("utf-8", "replace") + b"'?>" + body, charset=charset)


def test_the_order_of_a_feed_changes_no_id() -> None:
    entries = [f"<title>Story {number}</title><link>https://news.example/{number}</link>" for number in range(30)]
    shuffled = random.Random(7).sample(entries, len(entries))  # noqa: S311 - a test's order

    assert {item.item_id for item in items(rss(*entries))} == {item.item_id for item in items(rss(*shuffled))}
