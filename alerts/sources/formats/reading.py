"""Read a file of any known format into Items; which format it is, its name's end says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from types import MappingProxyType

from alerts.core.errors import ArticleError
from alerts.core.items import Parsed
from alerts.sources.formats import html_page, json_feed, markdown, page_text
from alerts.sources.formats.decode import decode

LARGEST_FILE = 5 << 20  # bytes

Reader = Callable[[str, str, tzinfo], Parsed]  # path, text, time zone


@dataclass(frozen=True, slots=True)
class _Format:
    read: Reader
    declared_encoding: Callable[[bytes], str | None] = lambda _: None


_PAGE_TEXT = _Format(page_text.read)
_MARKDOWN = _Format(markdown.read)
_HTML = _Format(html_page.read, html_page.declared_encoding)
_JSON = _Format(json_feed.read)
READERS: Mapping[str, _Format] = MappingProxyType(
    {
        ".txt": _PAGE_TEXT,
        ".text": _PAGE_TEXT,
        ".md": _MARKDOWN,
        ".markdown": _MARKDOWN,
        ".html": _HTML,
        ".htm": _HTML,
        ".json": _JSON,
    }
)
EXTENSIONS = frozenset(READERS)


def read_items(path_name: str, data: bytes, *, time_zone: tzinfo = UTC) -> Parsed:
    """Return the items in a file's bytes; raise ArticleError with the reason when there are none.

    ``path_name`` is the path relative to the source's folder, with "/": it tells the format, stands in for a missing
    id and title, and may hold the date (``2026-01-04-name.md``). Dates without a zone are in ``time_zone``.
    """
    known = READERS.get(extension(path_name))
    if known is None:
        raise ArticleError(f"is none of the files that hold articles ({', '.join(sorted(EXTENSIONS))})")
    if len(data) > LARGEST_FILE:
        raise ArticleError(f"is larger than {LARGEST_FILE >> 20} MiB")
    text, note = decode(data, declared=known.declared_encoding(data))
    try:
        parsed = known.read(path_name, text, time_zone)
    except RecursionError as error:
        raise ArticleError("is nested too deeply") from error
    return replace(parsed, notes=(note, *parsed.notes)) if note else parsed


def extension(path_name: str) -> str:
    """Return the end of a file's name that tells its format, in lower case, with its dot."""
    name = path_name.rpartition("/")[2]
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if dot and stem else ""
