"""Mallory writes files: whatever is in them, each is read or refused with a reason, and soon."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.core.errors import ArticleError
from alerts.core.items import LONGEST_BODY, LONGEST_TITLE, Parsed
from alerts.sources.formats import EXTENSIONS, LARGEST_FILE, read_items
from alerts.sources.formats.markdown import LONGEST_MARKUP

SOON_S = 15.0  # of the time that this process had; the worst takes three on a machine with nothing else to do

NAMES = st.sampled_from(sorted(EXTENSIONS)).map(lambda end: f"folder/2026-01-04-a{end}")


def read(name: str, data: bytes) -> Parsed | str:
    """Return what came of a file, and check what holds for all that is read."""
    try:
        parsed = read_items(name, data)
    except ArticleError as error:
        return str(error) or pytest.fail("refused without a reason")
    for one in parsed.items:
        assert one.item.title.strip()
        assert one.item.item_id
        assert len(one.item.title) <= LONGEST_TITLE
        assert len(one.item.body) <= LONGEST_BODY
        "".join((one.item.title, *one.item.summary, one.item.body, *one.item.tags)).encode()
    return parsed


@given(NAMES, st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    read(name, data)


@given(NAMES, st.text(max_size=400))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    read(name, text.encode("utf-8", "surrogatepass"))


PIECES = {
    ".md": [
        *(
            "---\n",
            "...\n",
            "+++\n",
            "title: ",
            "draft: ",
            "date: ",
            "tags: [",
            "]",
            "&a ",
            "*a",
            "!!binary ",
            "!x ",
            "- ",
        ),
        *(
            "# ",
            "> ",
            "`",
            "```\n",
            "[a](",
            ")",
            "![",
            "<b>",
            "{{<",
            "}}",
            "{%",
            "|",
            "\n",
            "\t",
            "'",
            '"',
            "{",
            "}",
            "= ",
        ),
        *(
            "2026-01-04",
            "99999999999",
            ": ",
            "? ",
            "|\n",
            ">-\n",
            "%YAML 1.1\n",
            "<!--",
            "-->",
            "é",
            "中",
            "\r\n",
            "\u2028",
        ),
    ],
    ".html": [
        *(
            "<article>",
            "</article>",
            "<main",
            ">",
            "<h1>",
            "</h1>",
            "<title>",
            "<script type='application/ld+json'>",
            "{",
        ),
        *(
            "</script>",
            '"@type": "NewsArticle"',
            "}",
            "<meta property='og:title' content='",
            "'",
            '"',
            "<nav>",
            "</nav>",
        ),
        *(
            "<p hidden>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "&amp",
            "&#x110000;",
            "&#",
            "=",
            "/",
            "\n",
            "é",
            "<",
            "<time ",
        ),
        *("datetime=2026-13-45", "<html lang=", "<link rel=canonical href=", "http://[", "</", "<?", "<!"),
    ],
    ".json": [
        *(
            "{",
            "}",
            "[",
            "]",
            '"items"',
            '"title"',
            '"id"',
            '"tags"',
            '"authors"',
            '"name"',
            '"date_published"',
            '"draft"',
        ),
        *(
            ":",
            ",",
            '"x"',
            "1",
            "1e999",
            "-0",
            "NaN",
            "null",
            "true",
            '"\\ud800"',
            '"\\u0000"',
            '"content_html"',
            '"<p>"',
        ),
    ],
    ".txt": [
        *("• ", "Title\n", "NIO News Alert\n", "View more channels\n", "Subscribe to receive\n", "Jan 4, 2026\n", "("),
        *(
            "Image credit: ",
            ")",
            "Join us on ",
            "or ",
            "\n",
            "HKG: 1810 ",
            "\u200b",
            "\u202e",
            "e\u0301",
            "\x85",
            "\ufeff",
        ),
    ],
}


@pytest.mark.parametrize("end", sorted(PIECES))
def test_the_pieces_of_a_format_in_any_order_are_read_or_refused(end: str) -> None:
    chance = random.Random(end)  # noqa: S311 - the same examples in each run; hypothesis is slow on long lists
    for _ in range(1_500):
        text = "".join(chance.choices(PIECES[end], k=chance.randint(1, 40)))
        read(f"a{end}", text.encode())
        if end == ".md":
            read("a.md", f"---\n{text}\n---\n{text}".encode())


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["items", "id", "title", "content_text", "content_html", "summary", "authors", "author", "name", "tags"]
            )
            | st.sampled_from(["date_published", "draft", "published", "status", "language", "url", "expires"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(documents)
def test_any_json_document_is_read_or_refused(document: object) -> None:
    written = json.dumps(document).encode()
    read("a.json", written)
    read("a.md", written + b"\nText")
    read("a.html", b'<script type="application/ld+json">' + written + b"</script>Text")


MILLION = 1 << 20
ITEMS = {"items": [{"id": number, "content_html": "<p>" * 100} for number in range(2_000)]}
HOSTILE = {
    "deep.json": b"[" * 100_000,
    "deep-objects.json": b'{"a":' * 100_000,
    "long-string.json": b'"' + b"a" * (4 * MILLION) + b'"',
    "long-list.json": b"[" + b"1," * MILLION + b"1]",
    "many-items.json": json.dumps(ITEMS).encode(),
    "deep-ld.html": b'<script type="application/ld+json">' + b"[" * MILLION + b"</script>x",
    "deep.html": b"<div>" * (MILLION // 5),
    "deeper.html": b"<div>" * MILLION,
    "headings.html": b"<h1>" * MILLION,
    "less-than.html": b"<" * LARGEST_FILE,
    "open-tags.html": b"<a " * MILLION,
    "open-comments.html": b"<!--" * MILLION,
    "open-quotes.html": b'<a b="' * (MILLION // 2),
    "scripts.html": b"<script>" * (MILLION // 2),
    "navs.html": b"<nav>" * (MILLION // 3) + b"</nav>" * (MILLION // 3),
    "articles.html": b"<article>x" * (MILLION // 3),
    "attributes.html": b"<p " + b"a=b " * MILLION + b">",
    "metas.html": b"<meta name=a content=b>" * (MILLION // 5),
    "entities.html": b"&#x" * MILLION,
    "ampersands.html": b"&" * LARGEST_FILE,
    "declared.html": b"<meta " * 900 + b"\xff" * MILLION,
    "one-line.txt": b"x" * LARGEST_FILE,
    "one-word-a-line.txt": b"a\n" * (2 * MILLION),
    "dates.txt": b"2026-01-04\n" * (MILLION // 3),
    "boxes.txt": b"A News Alert\n" * (MILLION // 3),
    "brackets.txt": b"(" * LARGEST_FILE,
    "calls.txt": b"Join us on or or or or or or or or or or or or or or or z\n" * (MILLION // 15),
    "tickers.txt": b"(BIT: A " * (MILLION // 3),
    "colons.txt": b"AB:" * MILLION,
    "marks.txt": ("e" + "\u0301" * MILLION).encode(),
    "mixed-encodings.txt": b"\xd0\xc2\xe9abc" * (MILLION // 2),
    "brackets.md": b"[" * 250_000,
    "lists.md": b"- a\n" * 60_000,
    "pictures.md": b"![a]" * 60_000,
    "quotes.md": b"> " * 120_000,
    "stars.md": b"*a_ " * 60_000,
    "ticks.md": b"`" * 100 + b" `" * 100_000,
    "comments.md": b"<!--" * 60_000,
    "shortcodes.md": b"{{" * 100_000,
    "tables.md": b"|a" * 1_000 + b"\n" + b"|-" * 1_000 + b"\n" + b"|\n" * 20_000,
    "references.md": b"[a]: b\n" * 36_000,
    "headings.md": b"a\n==\n" * 50_000,
    "long.md": b"*a* " * MILLION,
    "deep-yaml.md": b"---\na: " + b"[" * 60_000 + b"\n---\n",
    "deep-yaml-lists.md": b"---\n" + b"- " * 30_000 + b"\n---\n",
    "yaml-keys.md": b"---\n" + b"".join(b"k%d: v\n" % number for number in range(6_000)) + b"---\nx",
    "yaml-maps.md": b"---\n" + b"{" * 60_000 + b"\n---\n",
    "yaml-tags.md": b"---\n" + b"!" * 60_000 + b"\n---\n",
    "deep-toml.md": b"+++\na=" + b"[" * 60_000 + b"\n+++\n",
    "toml-tables.md": b"+++\na=" + b"{a=" * 20_000 + b"\n+++\n",
    "toml-dots.md": b"+++\n" + b"a." * 8_000 + b"a=1\n+++\n",
    "toml-number.md": b"+++\na=" + b"9" * 60_000 + b"\n+++\n",
    "deep-json.md": b'{"a":' + b"[" * 70_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_made_to_take_long_does_not(name: str) -> None:
    whole = name == "long.md" or not name.endswith(".md")
    with untraced():
        began = time.process_time()
        read(name, HOSTILE[name][: LARGEST_FILE if whole else LONGEST_MARKUP])
        took_s = time.process_time() - began
    assert took_s < SOON_S


@contextmanager
def untraced() -> Iterator[None]:
    """Leave the measuring of coverage out for as long as the block lasts: it slows these many times."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
