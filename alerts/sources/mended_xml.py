"""Mend what keeps a feed from being sound XML, where it can be told what was meant: so that one slip spoils no more.

Knows nothing of feeds but the names of their outermost elements. Every function takes time in proportion to its text.
"""

from __future__ import annotations

import re
from html import unescape
from xml.sax.saxutils import quoteattr

from alerts.core.links import web_link

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCES = re.compile(r"(?:&#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});)+")
_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?!#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][\w.-]{0,40};)",
    re.DOTALL,
)
_ROOT = re.compile(
    r"\A(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*+(?:\[[^\]]*+\])?\s*+>)*+<(?:[\w.-]++:)?([\w.-]++)",
    re.IGNORECASE | re.DOTALL,
)
_BASE = re.compile(
    r"""(?P<before>\A[^>]*?\sxml:base\s*=\s*)(?P<quote>["'])(?P<base>[^"'<>]*)(?P=quote)""", re.IGNORECASE
)
_WRAPPED = re.compile(r"<(?P<name>rss|feed|rdf:RDF)[\s>]", re.IGNORECASE)


def without_noise(text: str) -> str:
    """Return ``text`` without the characters that XML has not, and that no text needs."""
    return _NOT_XML.sub("", text)


def mended(text: str) -> str:
    """Return ``text`` without noise, written out or as references, and with bare ``&`` escaped.

    >>> mended("<link>/?a=1&copy=2</link> &#55357;&#56832;&#11;")
    '<link>/?a=1&amp;copy=2</link> &#128512;'
    """
    text = _REFERENCES.sub(_sound_references, without_noise(text))
    return _AMPERSAND.sub(lambda found: "&amp;" if found[0] == "&" else found[0], text)


def root_name(text: str) -> str:
    """Return the name of the outermost element, without its prefix and in small letters; empty where there is none."""
    found = _ROOT.match(text)
    return found[1].lower() if found else ""


def without_page_around(text: str) -> str:
    """Return the feed that stands, unescaped, within a page of HTML; the text as it is where none does."""
    found = _WRAPPED.search(text) if root_name(text) == "html" else None
    end = text.lower().rfind(f"</{found['name'].lower()}>") if found else -1
    return text[found.start() : end + len(found["name"]) + 3] if found and end > found.start() else text


def with_absolute_base(text: str, url: str) -> str:
    """Return the text with the root's ``xml:base`` absolute, where it has one: it may be relative to ``url``."""
    root = _ROOT.match(text)
    found = _BASE.match(text[root.end() :]) if root else None
    base = web_link(unescape(found["base"]), base=url) if found else None
    if root is None or found is None or base is None:
        return text
    return f"{text[: root.end()]}{found['before']}{quoteattr(base)}{text[root.end() + found.end() :]}"


def _sound_references(found: re.Match[str]) -> str:
    """Return references to the same characters: halves of one (UTF-16) joined, those that XML has not left out."""
    points = [int(one[1:], 16) if one[0] in "xX" else int(one) for one in found[0].strip("&#;").split(";&#")]
    if not any(_NOT_XML.match(chr(min(point, 0x10FFFF))) for point in points):
        return found[0]
    halves = "".join(chr(point) for point in points if point <= 0x10FFFF)  # noqa: PLR2004 - Unicode's end
    whole = halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "".join(f"&#{ord(one)};" for one in without_noise(whole))
