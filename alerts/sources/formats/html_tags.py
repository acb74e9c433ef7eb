"""Find the tags of a page, with their attributes and places; it builds no tree, and takes no text out.

``core.html_text`` reads words and needs no attributes; this reads attributes and places, and needs no words. Like it,
one regular expression goes from left to right, so that no page is too broken or too deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(
    r"<!--(?:>|->|.*?--!?>|.*)"
    r"|<(?P<end>/)?(?P<name>[a-z][^\s/>]*)"
    r"""(?P<attributes>(?:[^>"'=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|["'=])*+)(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]*+)))?+""")
_RAW = ("script", "style", "title", "textarea", "iframe", "noembed", "noframes", "template", "svg", "xmp")
_END_OF_RAW = {name: re.compile(rf"</{name}(?=[\s/>]|\Z)", re.IGNORECASE) for name in _RAW}
_LONGEST_ATTRIBUTES = 20_000
_MOST_ATTRIBUTES = 60
MOST_TAGS = 200_000  # a page of 1 MiB has 20,000


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or an end tag; ``text`` is what a script or a title holds, as it stands in the source."""

    name: str
    is_end: bool
    start: int
    end: int  # of the element, for those whose content is not markup
    written: str
    text: str = ""

    def attributes(self) -> dict[str, str]:
        """Return the attributes, names in lower case; the first of two with one name counts."""
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(self.written[:_LONGEST_ATTRIBUTES]):
            name, *values = match.groups()
            found.setdefault(name.lower(), unescape(next(filter(None, values), "")))
            if len(found) == _MOST_ATTRIBUTES:
                break
        return found


def find_tags(markup: str) -> Iterator[Tag]:
    """Yield the tags in order; nothing within comments, scripts and the like is taken for one."""
    position = 0
    for _ in range(MOST_TAGS):
        match = _TAG.search(markup, position)
        if match is None:
            return
        position = match.end()
        name = (match["name"] or "").lower()
        if not name:
            continue
        is_end = match["end"] is not None
        text = ""
        if name in _END_OF_RAW and not is_end:
            end = _END_OF_RAW[name].search(markup, position)
            text = markup[position : end.start() if end else len(markup)]
            position += len(text)
        yield Tag(name, is_end, match.start(), position, match["attributes"], text)
