"""From the bytes of a file to Items: one module a format, ``read_items`` in front of them.

    bytes ──▶ decode ──▶ page_text │ markdown (front_matter) │ html_page │ json_feed ──▶ Parsed

A format module takes text and gives ``ParsedItem``s, or raises ArticleError with the reason an operator sees. How to
add a format: write its module, and name its file extensions in ``reading.READERS``.
"""

from __future__ import annotations

from alerts.sources.formats.reading import EXTENSIONS, LARGEST_FILE, read_items

__all__ = ["EXTENSIONS", "LARGEST_FILE", "read_items"]
