"""What a bench says: medians, ratios, a table in Markdown; and where it keeps it, between marks in the manual."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from alerts.core.model import Item

DOCS = Path(__file__).parents[1] / "docs"
MANUAL = DOCS / "performance.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Say where and when this was measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores ({platform.machine()}), Python {platform.python_version()}"


def spread(values: Sequence[float]) -> str:
    """Say how far the runs lie apart."""
    return f"{min(values):,.0f} to {max(values):,.0f}"


def characters(item: Item) -> int:
    """Return how long an article is, as far as it is laid out."""
    return len(item.title) + len(item.body) + sum(map(len, item.summary))


def keep(section: str, text: str, *, page: Path = MANUAL) -> None:
    """Put a section's new text between its marks in a page of the manual; refuse if the marks are gone."""
    old = page.read_text(encoding="utf-8")
    begin, end = f"<!-- measured: {section} -->", f"<!-- end: {section} -->"
    marked = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not marked.search(old):
        raise SystemExit(f"{page} has no place for {section}: write the line {begin} and below it {end}")
    page.write_text(marked.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8")
