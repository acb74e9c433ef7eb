"""Read and write OPML 2.0 (http://opml.org/spec2.opml), the form in which feed readers exchange their subscriptions.

Reading trusts nothing: no entity is declared, nothing outside is read, nesting costs no stack, and a row that names no
feed is a problem of its own, not of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import unescape
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from alerts.core.errors import InputError
from alerts.core.source_names import LONGEST_NAME, feed_location
from alerts.core.text import clean_line, excerpt
from alerts.sources.encoding import decode_feed

LARGEST = 10 << 20  # bytes of a file
MOST_OUTLINES = 50_000
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_AMPERSAND = re.compile(r"&(?:#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{0,31};)?")
_XML_ENTITIES = frozenset({"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"})
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFeed:
    """A feed in a list."""

    url: str
    name: str = ""  # "" where the list gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """What a file lists: each feed once, in its order, and why the other rows were passed over."""

    feeds: tuple[ListedFeed, ...]
    problems: tuple[str, ...] = ()


def read_opml(data: bytes) -> FeedList:
    """Return the feeds that a file lists; raise InputError, with line and column, where it is no OPML."""
    if len(data) > LARGEST:
        raise InputError(f"the file is larger than {LARGEST >> 20} MiB; part it")
    text = _DECLARATION.sub("", _NOT_XML.sub("", decode_feed(data)), count=1)
    try:
        outlines = _parsed(text)
    except DefusedXmlException as error:
        raise InputError(
            "the file declares entities or refers to others, which no OPML needs; it is not read"
        ) from error
    except SAXParseException as error:
        where = f"line {error.getLineNumber()}, column {(error.getColumnNumber() or 0) + 1}"
        raise InputError(f"{where}: this is no sound XML ({error.getMessage()})") from error
    except SAXException as error:
        raise InputError(f"this is no sound XML ({error.getMessage()})") from error
    return FeedList(feeds=tuple(outlines.feeds.values()), problems=tuple(outlines.problems))


def _parsed(text: str) -> _Outlines:
    """Return the rows; an address with a bare ``&`` and HTML's entities in names are common, and read all the same."""
    outlines = _Outlines()
    try:
        parseString(text.encode(), outlines, forbid_dtd=False)
    except SAXParseException as error:
        outlines = _Outlines()
        try:
            parseString(_AMPERSAND.sub(_escaped, text).encode(), outlines, forbid_dtd=False)
        except SAXParseException:
            raise error from None  # it names the place in the file as it is
    return outlines


def _escaped(found: re.Match[str]) -> str:
    """Return an ampersand and what belongs to it as XML has it."""
    return found[0] if found[0] in _XML_ENTITIES or found[0].startswith("&#") else escape(unescape(found[0]))


def write_opml(feeds: Iterable[ListedFeed], *, title: str, now: datetime) -> bytes:
    """Return a list of feeds as OPML 2.0; ``read_opml`` gives back the same feeds."""
    opml = Element("opml", version="2.0")
    head = SubElement(opml, "head")
    SubElement(head, "title").text = _NOT_XML.sub("", title)
    SubElement(head, "dateCreated").text = format_datetime(now)
    body = SubElement(opml, "body")
    for feed in feeds:
        name = _NOT_XML.sub("", feed.name)
        SubElement(body, "outline", type="rss", text=name, title=name, xmlUrl=feed.url)
    indent(opml)
    written: bytes = tostring(opml, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


class _Outlines(ContentHandler):
    """Notes the rows; folders are rows with rows in them, and give nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.feeds: dict[str, ListedFeed] = {}
        self.problems: list[str] = []
        self._place: Locator | None = None
        self._open: list[str | None] = []  # for each open element: what is wrong with it if nothing is in it
        self._is_root = True
        self._outlines = 0

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX's name
        """Note who knows the line."""
        self._place = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX's name
        """Read a row."""
        if self._is_root and name != "opml":
            raise InputError(f"line {self._line}: the file is no OPML; it begins with <{name[:40]}>")
        self._is_root = False
        if self._open:
            self._open[-1] = None
        self._open.append(self._read(attrs) if name == "outline" else None)

    def endElement(self, _name: str) -> None:  # noqa: N802 - SAX's name
        """Say what was wrong with a row, now that nothing was in it."""
        problem = self._open.pop()
        if problem is not None:
            self.problems.append(problem)

    def _read(self, attrs: AttributesImpl) -> str | None:
        """Note the feed of a row; return what is wrong where it names none."""
        self._outlines += 1
        if self._outlines > MOST_OUTLINES:
            raise InputError(f"the file has more than {MOST_OUTLINES} outlines; part it")
        values = {key.lower(): value for key, value in attrs.items()}  # some write xmlurl
        title = excerpt(clean_line(values.get("title") or values.get("text") or ""), LONGEST_NAME)
        row = f"line {self._line}" + (f" ({title})" if title else "")
        url = values.get("xmlurl", "").strip()
        if not url:
            return f"{row}: names no feed (no xmlUrl)"
        try:
            location = feed_location(url)
        except InputError as error:
            self.problems.append(f"{row}: {error}")
            return None
        if location in self.feeds:
            self.problems.append(f"{row}: is listed twice")
        self.feeds.setdefault(location, ListedFeed(url=location, name=title))
        return None

    @property
    def _line(self) -> int:
        return (self._place and self._place.getLineNumber()) or 1
