from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.links import MAX_URL, canonical_url, web_link

# fmt: off
PIECES = st.lists(st.sampled_from([
    "http://", "https://", "HTTP://", "www.", "amp.", "google.", "com", "cdn.ampproject.org", "c", "s", "amp", ".amp",
    ".html", "/", "//", "..", ".", ":", "80", "8080", "@", "?", "&", "=", "#", "!", "%", "%2F", "%2f", "%25", "+", "é",
    "长", "ß", "xn--a", ";", "utm_source=x", "fbclid=1", "[::1]", " ", "\ud800", "\0", "\n",
]))
# fmt: on
URLS = st.one_of(
    st.text(),
    st.text().map(lambda text: f"http://news.example/{text}"),
    st.text().map(lambda text: f"https://{text}"),
    PIECES.map(lambda pieces: "http://" + "".join(pieces)),
)

STORY = "https://news.example/2026/cars?a=1&b=2"


@pytest.mark.parametrize(
    "variant",
    [
        "http://news.example/2026/cars?a=1&b=2",
        "HTTPS://NEWS.Example/2026/cars?a=1&b=2",
        "https://www.news.example/2026/cars?a=1&b=2",
        "https://news.example:443/2026/cars?a=1&b=2",
        "http://news.example:80/2026/cars?a=1&b=2",
        "https://news.example./2026/cars?a=1&b=2",
        "https://news.example/2026/cars/?a=1&b=2",
        "https://news.example//2026/./x/../cars?a=1&b=2",
        "https://news.example/2026/cars?b=2&a=1",
        "https://news.example/2026/cars?a=1&&b=2&",
        "https://news.example/2026/cars?utm_source=rss&a=1&utm_medium=feed&b=2&fbclid=XYZ&gclid=1",
        "https://news.example/2026/cars?a=1&b=2#comments",
        "https://news.example/2026/cars?a=1&b=2#:~:text=Xiaomi",
        "https://news.example/2026/%63ars?a=%31&b=2",
        "https://reader:secret@news.example/2026/cars?a=1&b=2",
        "https://news.example/2026/cars/amp/?a=1&b=2",
        "https://news.example/2026/cars.amp?a=1&b=2",
        "https://amp.news.example/2026/cars?a=1&b=2&amp=1&outputType=amp",
        "https://www.google.com/amp/s/www.news.example/2026/cars?a=1&b=2",
        "https://news-example.cdn.ampproject.org/c/s/news.example/2026/cars?a=1&b=2",
        "https://news-example.cdn.ampproject.org/v/news.example/2026/cars?a=1&b=2",
        "  https://news.example/2026/cars?a=1&b=2\n",
    ],
)
def test_links_to_one_page_are_one(variant: str) -> None:
    assert canonical_url(variant) == canonical_url(STORY) == STORY


@pytest.mark.parametrize(
    "other",
    [
        "https://news.example/2026/Cars?a=1&b=2",
        "https://news.example/2026/cars?a=1",
        "https://news.example:8443/2026/cars?a=1&b=2",
        "https://blog.news.example/2026/cars?a=1&b=2",
        "https://news.example/2026%2Fcars?a=1&b=2",
        "https://news.example/2026/cars?a=1&b=2#!/other",
        "https://news.example/2026/cars?a=1&b=2#/other",
        "https://www.google.com/amp",
        "https://www.google.com/amp/s/nowhere/x",
        "https://amp.com/",
    ],
)
def test_links_to_other_pages_are_others(other: str) -> None:
    assert canonical_url(other) not in {None, STORY}


def test_domains_of_any_script_are_one_with_their_ascii_form() -> None:
    assert canonical_url("https://BÜCHER.example/ä b?q=x+y") == "https://xn--bcher-kva.example/%C3%A4%20b?q=x%20y"
    assert canonical_url("https://xn--bcher-kva.example/%c3%a4%20b?q=x%20y") == canonical_url(
        "https://bücher.example/ä b?q=x+y"
    )


def test_an_ipv6_address_has_one_form() -> None:
    assert canonical_url("http://[0:0::1]:8080/x") == "https://[::1]:8080/x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "news",
        "/2026/cars",
        "//news.example/x",
        "mailto:alice@example.com",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://a..b/",
        "http://exa mple/",
        "http://[::1/",
        "http://news.example:99999/",
        "http://news.example:x/",
        "http://\ud800/",
        "http://news.example/" + "x" * MAX_URL,
        "http://news.example/?utm_source=" + "x" * 10 * MAX_URL,
        "http://" + "x" * 70 + "/",
    ],
)
def test_what_is_no_page_has_no_canonical_form(text: str) -> None:
    assert canonical_url(text) is None


@given(URLS)
def test_a_canonical_url_is_its_own(url: str) -> None:
    canonical = canonical_url(url)

    if canonical is not None:
        assert canonical_url(canonical) == canonical
        assert canonical.startswith("https://")
        assert canonical.isascii()
        assert len(canonical) <= MAX_URL


@given(st.text("abcü长/.-_+"), st.text("abcü长/.-_+="))
def test_tracking_never_tells_links_apart(path: str, value: str) -> None:
    plain = f"https://news.example/{path}"

    assert canonical_url(f"{plain}?utm_campaign={value}") == canonical_url(plain)


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("story", "https://news.example/cars/story"),
        ("/story?x=ü#é", "https://news.example/story?x=%C3%BC#%C3%A9"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("HTTP://Other.example:80/a b", "http://other.example:80/a%20b"),
        ("http://bücher.example/%C3%A4", "http://xn--bcher-kva.example/%C3%A4"),
        ("https://good.example@evil.example/", "https://evil.example/"),
        ("http://[fe80::1%25eth0]/x", "http://[fe80::1]/x"),
        ('http://a.example/"><script>', "http://a.example/%22%3E%3Cscript%3E"),
        ("http://a.example/\r\nBcc: x", "http://a.example/Bcc:%20x"),
    ],
)
def test_a_link_is_made_absolute_and_safe_to_stand_in_a_mail(link: str, shown: str) -> None:
    assert web_link(link, base="https://news.example/cars/feed.xml") == shown


@pytest.mark.parametrize(
    "link",
    [
        "",
        "  ",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "mailto:a@b.example",
        "file:///etc/passwd",
        "http://",
        "http://[x",
        "http://a:b/",
        "http://a.example/" + "x" * 10_000,
    ],
)
def test_what_a_reader_cannot_open_or_should_not_is_no_link(link: str) -> None:
    assert web_link(link, base="https://news.example/") is None


@given(URLS)
def test_a_link_is_total_and_stays_what_it_is(link: str) -> None:
    shown = web_link(link, base="https://news.example/")

    if shown is not None:
        assert shown.isascii()
        assert shown.isprintable()
        assert shown.startswith(("http://", "https://"))
        assert not set(shown) & set("\"<> \\'") - {"'"}
        assert web_link(shown) == shown
