"""A long list on a page: what a filter leaves of it, a page at a time; plain links and forms, no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from alerts.core.text import fold

LONGEST_FILTER = 100  # characters

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    total: int  # on all pages
    page: int  # from 1
    pages: int


def read_filter(text: str) -> str:
    """Tidy what somebody typed to filter a list by."""
    return " ".join(text[:LONGEST_FILTER].split())


def read_page(text: str) -> int:
    """Read the number of a page; anything else is the first."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1  # noqa: PLR2004 - digits


def filtered(items: Sequence[T], wanted: str, *, name: Callable[[T], str]) -> list[T]:
    """Return the items whose name holds every word of the filter, whatever its case and width."""
    words = fold(wanted).split()
    return [one for one in items if all(word in fold(name(one)) for word in words)] if words else list(items)


def page_of(items: Sequence[T], number: int, *, size: int) -> Shown[T]:
    """Cut a page out of a list; a number past the end is the last page."""
    pages = max(1, -(-len(items) // size))
    page = min(max(number, 1), pages)
    return Shown(items=items[(page - 1) * size : page * size], total=len(items), page=page, pages=pages)
