"""Feeds as they are found: of forgotten formats, written twice over, dated by hand, with a letter cut in two."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import FetchError
from alerts.core.model import Item
from alerts.sources.encoding import decode_feed
from alerts.sources.feed import parse_feed
from alerts.sources.mended_xml import mended, root_name, with_absolute_base, without_page_around

URL = "https://news.example/cars/feed.xml"


def items(feed: str | bytes, *, url: str = URL) -> tuple[Item, ...]:
    return parse_feed(feed if isinstance(feed, bytes) else feed.encode(), url=url).items


def rss(*entries: str) -> str:
    inside = "".join(f"<item>{entry}</item>" for entry in entries)
    return f'<rss version="2.0"><channel><title>t</title>{inside}</channel></rss>'


def atom(*entries: str) -> str:
    inside = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{inside}</feed>'


RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
FORGOTTEN = {
    "RSS 0.90 of a mirror": (
        f'<!-- begins\nso -->\n<?xml version="1.0"?><rdf:RDF {RDF} xmlns="http://mirror.example/rdf/plain/0.9/">'
        "<channel><title>t</title></channel><item><title>Boats</title><link>https://a.example/1</link></item></rdf:RDF>"
    ),
    "RSS 1.1": (
        f'<?xml version="1.0"?><Channel xmlns="http://purl.org/net/rss1.1#" {RDF} rdf:about="https://a.example/rss">'
        '<title>t</title><items rdf:parseType="Collection"><item rdf:about="https://a.example/1">'
        "<title>Boats</title><link>https://a.example/1</link></item></items></Channel>"
    ),
    "a channel without its rss": (
        "<channel><title>t</title><item><title>Boats</title><link>https://a.example/1</link></item></channel>"
    ),
    "CDF": (
        '<!DOCTYPE CHANNEL SYSTEM "https://a.example/cdf.dtd" [<!ELEMENT CHANNEL ANY>]>\n<CHANNEL HREF="https://a.example/">'
        '<TITLE>t</TITLE><ITEM HREF="https://a.example/1"><TITLE>Boats</TITLE></ITEM></CHANNEL>'
    ),
}


class TestForgottenFormats:
    @pytest.mark.parametrize("feed", FORGOTTEN.values(), ids=FORGOTTEN.keys())
    def test_their_items_are_read(self, feed: str) -> None:
        assert [(item.title, item.url) for item in items(feed)] == [("Boats", "https://a.example/1")]

    @pytest.mark.parametrize("feed", FORGOTTEN.values(), ids=FORGOTTEN.keys())
    def test_half_of_one_is_an_error(self, feed: str) -> None:
        with pytest.raises(FetchError):
            items(feed[:-12])

    @pytest.mark.parametrize(
        "other",
        [
            f'<rdf:RDF {RDF} xmlns:f="http://xmlns.com/foaf/0.1/"><f:Person><f:name>Alice</f:name></f:Person></rdf:RDF>',
            "<news><item><title>Boats</title></item></news>",
            "<!-- <rss> --><html><body><item><title>Boats</title></item></body></html>",
        ],
    )
    def test_other_xml_is_still_no_feed(self, other: str) -> None:
        with pytest.raises(FetchError, match="is no feed"):
            items(other)


class TestIds:
    @pytest.mark.parametrize("guid", ["12345", "post 7", "news:7", "?p=7"])
    def test_a_guid_is_what_the_feed_wrote_wherever_the_feed_is(self, guid: str) -> None:
        entry = f"<title>Boats</title><guid>{guid}</guid>"

        (here,), (there,) = items(rss(entry)), items(rss(entry), url="http://old.example/rss")

        assert here.item_id == there.item_id == guid
        assert here.url is None, "an id is no page beside the feed"

    def test_an_id_beside_a_link_leaves_the_link_alone(self) -> None:
        entry = "<title>Boats</title><guid>12345</guid><link>/2026/boats</link>"

        assert items(rss(entry))[0].url == "https://news.example/2026/boats"
        assert items(rss("<title>Boats</title><link>7</link><guid isPermaLink='false'>7</guid>"))[0].url == (
            "https://news.example/cars/7"
        )

    def test_a_guid_that_is_a_path_is_a_link(self) -> None:
        assert items(rss("<title>Boats</title><guid>/2026/boats</guid>"))[0].url == "https://news.example/2026/boats"

    def test_an_entry_whose_link_is_empty_does_not_link_to_the_feed(self) -> None:
        (entry,) = items(atom("<title>Boats</title><id>urn:boats</id><link rel='alternate' href=''/>"))

        assert (entry.item_id, entry.url) == ("urn:boats", None)

    def test_links_are_taken_from_the_base_that_the_feed_names(self) -> None:
        entry = "<title>Boats</title><id>urn:boats</id><link href='7'/>"

        for base, link in (
            ("https://cdn.example/a/", "https://cdn.example/a/7"),
            ("/blog/", "https://news.example/blog/7"),
            ("../x/", "https://news.example/x/7"),
            ("javascript:", "https://news.example/cars/7"),
        ):
            feed = atom(entry).replace("<feed ", f'<feed xml:base="{base}" ')
            assert items(feed)[0].url in {link, None}, base
            assert base == "javascript:" or items(feed)[0].url == link


class TestWrittenTwice:
    @pytest.mark.parametrize(
        ("written", "title"),
        [
            ("AT&amp;T&#8217;s cars", "AT&T’s cars"),
            ("&quot;Wireless&quot; charging", '"Wireless" charging'),
            ("Fish &amp chips", "Fish &amp chips"),
            ("The return of <i> and <b>", "The return of <i> and <b>"),
            ("Write &amp;lt; or &lt;", "Write &amp;lt; or &lt;"),
            ("R&D & B&B;", "R&D & B&B;"),
        ],
    )
    def test_entities_in_plain_titles_are_read_but_for_those_of_markup(self, written: str, title: str) -> None:
        (entry,) = items(json.dumps({"items": [{"id": "1", "title": written, "tags": [written]}]}))
        escaped = written.replace("&", "&amp;").replace("<", "&lt;")
        (plain,) = items(atom(f"<title>{escaped}</title><id>1</id><author><name>{escaped}</name></author>"))

        assert (entry.title, entry.tags) == (title, (title,))
        assert (plain.title, plain.author) == (title, title)

    def test_an_author_of_rss_is_read_likewise(self) -> None:
        assert items(rss("<title>x</title><author>Fish &amp;amp; Chips</author>"))[0].author == "Fish & Chips"

    def test_an_item_says_its_own_language(self) -> None:
        feed = rss("<title>Boote</title><dc:language>de-AT</dc:language>", "<title>Boats</title>").replace(
            "<title>t<", '<language>en</language><title xmlns:dc="http://purl.org/dc/elements/1.1/">t<'
        )
        feed = feed.replace("<rss ", '<rss xmlns:dc="http://purl.org/dc/elements/1.1/" ')

        assert [item.language for item in items(feed)] == ["de-AT", "en"]


class TestMended:
    @pytest.mark.parametrize(
        ("written", "title"),
        [
            ("Boats &#55357;&#56832; &#xD83D;&#xDE00;!", "Boats 😀 😀!"),  # UTF-16's halves
            ("Boats &#xD83D; &#56832;&#55357;.", "Boats \ufffd \ufffd\ufffd."),
            ("Boa&#11;t&#x0;s&#x1F;&#xFFFE;&#1114112;", "Boats"),
            ("Fish & chips &nbsp; R&D &copy=2", "Fish & chips R&D &copy=2"),
            ("<![CDATA[Fish & chips &amp; peas]]>", "Fish & chips & peas"),
        ],
    )
    def test_a_slip_in_a_title_spoils_neither_it_nor_the_feed(self, written: str, title: str) -> None:
        read = items(rss(f"<title>{written}</title>", "<title>Next</title>"))

        assert [item.title for item in read] == [title, "Next"]

    def test_ampersands_in_links_are_no_entities(self) -> None:
        links = (
            "https://a.example/?a=1&copy=2&lang=en&lt=3&b",
            "https://a.example/?a=1&amp;copy=2&amp;lang=en&amp;lt=3&amp;b",
        )

        for link in (*links, f"<![CDATA[{links[0]}]]>"):
            assert items(rss(f"<title>x</title><link>{link}</link>"))[0].url == links[0]

    def test_a_page_around_a_feed_falls_away(self) -> None:
        feed = rss("<title>Boats</title>")

        for page in (
            f"<!doctype html><html><head></head><body>\n{feed}</body></html>",
            f"<b>Warning</b>: slow\n{feed}<p>x",
        ):
            assert [item.title for item in items(page)] == ["Boats"]
        with pytest.raises(FetchError, match="is no feed"):
            items("<html><body><rss version='2.0'>… is how a feed begins</body></html>")

    @pytest.mark.parametrize(
        "people",
        [
            (
                '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">Alice</dc:creator>'
                '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">Bob</dc:creator>'
            ),
            (
                '<author xmlns="http://www.w3.org/2005/Atom"><name>Alice</name><email>a@x.example</email></author>'
                '<author xmlns="http://www.w3.org/2005/Atom"><name>Bob</name></author>'
            ),
        ],
    )
    def test_all_authors_are_named(self, people: str) -> None:
        assert items(rss(f"<title>x</title>{people}"))[0].author == "Alice, Bob"

    def test_line_ends_within_json_are_part_of_it(self) -> None:
        assert items('{"items": [{"id": "1", "title": "Boats\n and\tcars"}]}')[0].title == "Boats and cars"

    @given(st.text(alphabet="&#x;0123456789aDd<>![CDATA]-- amplt\u2028\x0b"))
    def test_what_is_mended_needs_no_more_mending(self, text: str) -> None:
        assert mended(mended(text)) == mended(text)

    @pytest.mark.parametrize(
        "piece",
        [
            "<!--",
            "<![CDATA[",
            "&",
            "&#",
            "&#1;",
            "&#55357;",
            "<?",
            "<!doctype x [",
            "<a xml:base=",
            " xml:base",
            "<rss ",
        ],
    )
    def test_what_is_made_to_take_long_does_not(self, piece: str) -> None:
        text = piece * (2_000_000 // len(piece))
        began = time.process_time()

        for begun in (text, "<html>" + text, "<feed " + text):
            with_absolute_base(without_page_around(mended(begun)), URL)
            root_name(begun)

        assert time.process_time() - began < 5


class TestDates:
    @pytest.mark.parametrize(
        "written",
        [
            "2026/01/05 12:00",
            "2026年1月5日 12:00",
            "2026年1月5日 星期一 12:00",
            "2026年1月5日（月） 12:00",
            "2026-01-05 12:00:00 UTC",
            "20260105T120000Z",
            "January 5, 2026 12:00",
            "Monday, January 5, 2026 12:00 PM",
            "Mon,05 Jan 2026 12:00:00 GMT",
            "Mon, 05-Jan-2026 12:00:00 GMT",
            "Lun, 05 Jan 2026 12:00:00 GMT",
            "Mon, 05 Jan 2026 13:00:00 UTC+1",
            "Mon, 05 Jan 2026 20:00:00 +08",
            "Mon Jan  5 12:00:00 2026",
            "2026-1-5T12:0:0Z",
            "1767614400",
            "1767614400000",
        ],
    )
    def test_a_date_is_read_as_people_would(self, written: str) -> None:
        (item,) = items(rss(f"<title>x</title><pubDate>{written}</pubDate>"))

        assert item.published_at == datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

    def test_a_number_in_a_json_feed_is_a_moment(self) -> None:
        (item,) = items(json.dumps({"items": [{"id": "1", "title": "x", "date_published": 1767614400}]}))

        assert item.published_at == datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class TestBrokenLetters:
    TEXT = "小米汽车发布新款电动车，" * 8

    @pytest.mark.parametrize("declared", ["", "utf-8", "iso-8859-1", "windows-1252"])
    def test_a_letter_cut_in_two_spoils_no_other(self, declared: str) -> None:
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        feed = (
            (declaration + rss(f"<title>{self.TEXT}</title>"))
            .encode()
            .replace("，</title>".encode(), b"\xef\xbc</title>")
        )

        assert items(feed)[0].title == self.TEXT[:-1] + "\ufffd"

    def test_a_western_letter_among_many_of_utf_8_is_one_letter(self) -> None:
        body = "Køb søer, kør på øerne, så æblerne får sædvanlig sødme. ".encode() * 3 + b"S\xf8"

        assert decode_feed(b"<?xml version='1.0' encoding='ISO-8859-1'?>" + body).startswith(
            "<?xml version='1.0' encoding='ISO-8859-1'?>Køb søer"
        )

    @pytest.mark.parametrize(
        ("encoding", "text"),
        [
            ("cp1252", "À côté, déjà vu, Ã©, naïve"),
            ("cp1251", "Лада и Москвич выпустили машину"),
            ("gb18030", "小米汽车发布新款电动车"),
            ("big5", "電動車發布會今日舉行"),
            ("cp949", "전기차 출시 행사 오늘 열려"),
            ("cp932", "電気自動車を発表しました"),
            ("euc_jp", "電気自動車を発表しました"),
            ("iso8859-7", "Νέο ηλεκτρικό αυτοκίνητο"),
            ("cp874", "รถยนต์ไฟฟ้ารุ่นใหม่"),
        ],
    )
    def test_other_sets_are_read_as_declared(self, encoding: str, text: str) -> None:
        declaration = f"<?xml version='1.0' encoding='{encoding}'?>"

        assert decode_feed((declaration + text).encode(encoding)) == declaration + text
