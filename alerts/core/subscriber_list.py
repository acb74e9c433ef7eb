"""A list of people as CSV, as spreadsheets really write it: each row a request, or a line number and a reason.

One bad row never costs another: a quote that is opened and not closed spoils its own line and no more. Nothing is
read here; lines come in, at most ``LONGEST_LINE`` characters at a time, so a file of any size needs little memory.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from alerts.core.addresses import normalise
from alerts.core.errors import InputError
from alerts.core.people import Request, describe, did_you_mean, read_frequency

COLUMNS = ("email", "name", "language", "time_zone", "frequency")
LONGEST_LINE = 20_000  # characters; a line that comes without its end goes on in the next
_LONGEST_RECORD = 50  # lines that a quoted cell may run over
_DELIMITERS = ",;\t|"
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would run


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the list."""

    line: int  # where it begins, from 1
    request: Request


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be taken, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the whole list that its owner should know."""

    text: str


@dataclass(frozen=True, slots=True)
class _Header:
    delimiter: str
    columns: tuple[str, ...]


def read_list(lines: Iterable[str], *, known_zones: Container[str]) -> Iterator[Row | Problem | Remark]:
    """Read a list whose first line names the columns; raise InputError when it has no column ``email``.

    Blank lines are passed over. Columns that we do not know are, too, with a remark.
    """
    source = _Lines(lines)
    header = _read_header(source)
    yield from _remarks(header)
    while (record := _next_record(source, header.delimiter)) is not None:
        if isinstance(record, Problem):
            yield record
            continue
        line, text = record
        try:
            request = _read_record(text, header, known_zones)
        except (InputError, csv.Error) as error:
            yield Problem(line, str(error))
        else:
            if request is not None:
                yield Row(line, request)


def write_cell(text: str) -> str:
    """Guard a cell against spreadsheets that would run it as a formula, by an apostrophe that reading takes off."""
    return f"'{text}" if text.lstrip("'").startswith((*_FORMULA, "\t", "\r")) else text


def _read_cell(text: str) -> str:
    guarded = text.startswith("'") and text.lstrip("'").startswith(_FORMULA)
    return text[1:] if guarded else text


class _Lines:
    """Lines with their numbers; what was read too far can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._number = 0
        self._given_back: deque[tuple[int, str | None]] = deque()

    def take(self) -> tuple[int, str | None]:
        """Give the next line and its number; None for one that is too long, and an empty line number 0 at the end."""
        if self._given_back:
            return self._given_back.popleft()
        piece = next(self._lines, None)
        if piece is None:
            return 0, ""
        self._number += 1
        if len(piece) < LONGEST_LINE or piece.endswith("\n"):
            return self._number, piece.removesuffix("\n")
        while not piece.endswith("\n") and (more := next(self._lines, None)) is not None:
            piece = more
        return self._number, None

    def give_back(self, taken: Sequence[tuple[int, str | None]]) -> None:
        """Take lines back, to be given again in their order."""
        self._given_back.extendleft(reversed(taken))


def _read_header(source: _Lines) -> _Header:
    """Find the line that names the columns, and what parts them: of those that it may be, what names the most."""
    number, line = source.take()
    while number and line is not None and (not line.strip() or _is_hint(line)):
        number, line = source.take()
    if not number:
        raise InputError("the list is empty: its first line must name the columns, `email` among them")
    line = line or ""
    columns, delimiter = max(
        ((_cells_of_header(line, it), it) for it in _DELIMITERS), key=lambda it: len(set(it[0]) & set(COLUMNS))
    )
    if "email" not in columns:
        raise InputError(f"line {number}: there is no column `email`{_found(columns)}")
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"line {number}: the column `{twice}` is there twice")
    return _Header(delimiter, columns)


def _is_hint(line: str) -> bool:
    """Whether this is the line by which a spreadsheet tells itself the delimiter: ``sep=;``."""
    return line.strip().strip('"').lower().startswith("sep=")


def _cells_of_header(line: str, delimiter: str) -> tuple[str, ...]:
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return tuple(cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells)


def _found(columns: Sequence[str]) -> str:
    if any("@" in name for name in columns):
        return "; the first line must name the columns, and this one looks like a person already"
    if not any(columns):
        return ""
    shown = ", ".join(f"`{name[:40]}`" for name in columns[:8] if name.isprintable())
    likely = next((name for name in columns if "mail" in name and name.isprintable()), None)
    return f"; found {shown}" + (f": call `{likely[:40]}` `email`" if likely else "")


def _remarks(header: _Header) -> Iterator[Remark]:
    for name in header.columns:
        if name and name not in COLUMNS:
            shown = name if name.isprintable() else ascii(name)
            yield Remark(
                f"the column `{shown[:40]}` is not known and is passed over{did_you_mean(name, list(COLUMNS))}"
            )


def _next_record(source: _Lines, delimiter: str) -> tuple[int, str] | Problem | None:
    """Take the lines of one row; None at the end. A row has more than one when a quoted cell holds line breaks."""
    number, line = first = source.take()
    if not number:
        return None
    if line is None:
        return Problem(number, f"the line is longer than {LONGEST_LINE:,} characters")
    taken, texts = [first], [line]
    inside = _ends_inside(line, delimiter, inside=False)
    while inside:
        number, line = more = source.take()
        if not number or line is None or len(taken) == _LONGEST_RECORD:
            source.give_back([*taken[1:], more] if number else taken[1:])
            return Problem(first[0], "a quote is opened and not closed")
        taken.append(more)
        texts.append(line)
        inside = _ends_inside(line, delimiter, inside=True)
    return first[0], "\n".join(texts)


def _ends_inside(line: str, delimiter: str, *, inside: bool) -> bool:
    """Say whether a line ends within quotes, as the csv module sees it; a quote in mid-cell is only a character."""
    if not inside and '"' not in line:
        return False
    at = 0
    while True:
        if not inside:
            at = len(line) - len(line[at:].lstrip(" "))
            inside = line.startswith('"', at)
            at += inside
        while inside:
            at = line.find('"', at) + 1
            if not at:
                return True
            inside = line.startswith('"', at)  # a doubled quote is one character of the cell
            at += inside
        at = line.find(delimiter, at) + 1
        if not at:
            return False


def _read_record(text: str, header: _Header, known_zones: Container[str]) -> Request | None:
    """Read one row; None when it is blank."""
    cells = next(csv.reader([text], delimiter=header.delimiter, skipinitialspace=True), [])
    if not any(cell.strip() for cell in cells):
        return None
    while len(cells) > len(header.columns) and not cells[-1].strip():
        cells.pop()  # spreadsheets fill up with empty cells
    if len(cells) != len(header.columns):
        raise InputError(f"cells in the row: {len(cells)}; columns that the first line names: {len(header.columns)}")
    said = dict(zip(header.columns, map(_read_cell, cells), strict=True))
    person = describe(
        normalise(said["email"]),
        name=said.get("name"),
        language=said.get("language"),
        time_zone=said.get("time_zone"),
        known_zones=known_zones,
    )
    return Request(person=person, frequency=read_frequency(said.get("frequency")))
