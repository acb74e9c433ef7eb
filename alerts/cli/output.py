"""Printing: JSON where a script asked for it, text for people; data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def _plain(value: object) -> object:
    """Turn what json does not know into what it does."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"cannot print {type(value).__name__} as JSON")


def print_json(data: Any) -> None:
    """Print ``data`` as one JSON document."""
    text = json.dumps(data, default=_plain, ensure_ascii=False, indent=2)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()


def print_table(columns: list[str], rows: list[list[str]], *, empty: str) -> None:
    """Print rows as a table for people, tab-separated when piped; ``empty`` says what it means to have none."""
    if not rows:
        note(empty)
        return
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))  # noqa: T201 - the CLI's output
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def say(text: str) -> None:
    """Print a line of the answer on stdout."""
    print(text)  # noqa: T201 - the CLI's output


def note(text: str) -> None:
    """Print a remark on stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the CLI's output
