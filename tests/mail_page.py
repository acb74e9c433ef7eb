"""The HTML part of a mail as a browser's parser reads it, and what rule E21 says against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import html5lib

ELEMENTS = frozenset(
    re.findall(r"\w+", "html head meta title style body div table tbody tr td p h1 h2 a br span ul ol li strong em hr")
)
ATTRIBUTES = frozenset(
    re.findall(
        r"\w+",
        "lang dir class style role width height align valign bgcolor border cellpadding cellspacing href charset name"
        " content alt title",
    )
)


class Page:
    """The HTML part, as a browser's parser reads it."""

    def __init__(self, html: str) -> None:
        parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
        self.root = parser.parse(html)
        self.errors = [error[1] for error in parser.errors]
        self.html = html
        self.links = [element.get("href", "") for element in self._elements() if element.tag == "a"]
        self.text = "".join(self._text(self.root))

    def _elements(self) -> Iterator[Any]:
        return (element for element in self.root.iter() if isinstance(element.tag, str))

    def _text(self, element: Any) -> Iterator[str]:
        if isinstance(element.tag, str) and element.tag not in {"style", "title"}:
            yield element.text or ""
            for child in element:
                yield from self._text(child)
                yield (" " if child.tag == "br" else "") + (child.tail or "")

    def violations(self, *, site_host: str, link: str | None) -> Iterator[str]:
        yield from (f"E21: parse error {error}" for error in self.errors)
        if not self.html.lower().startswith("<!doctype html>") or not self.root.get("lang"):
            yield "E21: no doctype or no lang"
        for element in self._elements():
            yield from self._element(element, site_host, link)
        styles = [element.get("style", "") for element in self._elements()]
        styles += [element.text or "" for element in self._elements() if element.tag == "style"]
        if re.search(r"url\s*\(|@import|expression\s*\(|javascript:", "".join(styles), re.IGNORECASE):
            yield "E21: CSS that loads or runs something"

    def _element(self, element: Any, site_host: str, link: str | None) -> Iterator[str]:
        if element.tag not in ELEMENTS:
            yield f"E21: <{element.tag}>"
        for name in element.keys():  # noqa: SIM118 - an element, not a dict
            if name not in ATTRIBUTES:
                yield f"E21: {name}= on <{element.tag}>"
        if element.tag == "table" and element.get("role") != "presentation":
            yield "E21: a table without role=presentation"
        if element.tag == "a":
            href = element.get("href", "")
            parts = urlsplit(href)
            if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[^!-~]", href):
                yield f"E21: a link to {href[:60]!r}"
            elif parts.hostname != site_host and link is not None and href != link:
                yield f"E21: a link elsewhere: {href[:60]!r}"
