"""What a poll does about each file of a folder: read it, look again, note why it is set aside, or forget it.

What is known of the files comes a piece at a time, since there may be very many. What is decided about a file never
depends on which others are in its piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from alerts.core.looks import (
    LOOKS_APART,
    UNSEEN,
    Decision,
    FoundFile,
    Known,
    KnownFile,
    Look,
    Refused,
    Scan,
    decide,
)


class ToRead(NamedTuple):
    """A file to read, and what is known of it besides its looks."""

    file: FoundFile
    looked_at: datetime  # when it first looked so
    wait_until_at: datetime | None = None
    was_there: bool = False


@dataclass(slots=True, kw_only=True)
class Piece:
    """What is decided about some files; about those that are left alone nothing is said."""

    keep: list[KnownFile] = field(default_factory=list)  # to write now, in place of what was known
    gone: list[str] = field(default_factory=list)  # paths that are not there any more
    to_read: list[ToRead] = field(default_factory=list)
    look_again_at: datetime | None = None  # when the first of them is ready for its second look


class FolderPlan:
    """The decisions of one poll, taken as what is known comes in: first ``take`` all of it, then the ``rest``."""

    def __init__(self, found: Scan, *, is_first: bool, now: datetime, once: bool) -> None:
        """Plan for what was ``found``; ``is_first``: the source never worked before; ``once``: as ``decide`` takes it.

        ``now`` is when the poll began.
        """
        self._found = found
        self._is_first = is_first
        self._now = now
        self._once = once
        self._unseen = tuple(f"{one.path}/" for one in found.refused.values() if one.is_folder)
        self._new = dict.fromkeys((*found.files, *found.refused))  # of which nothing known came yet, in their order

    def take(self, rows: Iterable[KnownFile]) -> Piece:
        """Decide about files of which something is known; give each once."""
        piece = Piece()
        for row in rows:
            self._new.pop(row.path, None)
            if file := self._found.files.get(row.path):
                self._decide(piece, file, row.known)
            elif refused := self._found.refused.get(row.path):
                self._refuse(piece, refused, row)
            elif not row.path.startswith(self._unseen):
                piece.gone.append(row.path)
        return piece

    def rest(self, most: int) -> Piece | None:
        """Decide about the next ``most`` files of which nothing is known; None when there are no more."""
        paths = list(islice(self._new, most))
        piece = Piece()
        for path in paths:
            del self._new[path]
            if file := self._found.files.get(path):
                self._decide(piece, file, None)
            else:
                self._refuse(piece, self._found.refused[path], None)
        return piece if paths else None

    def _decide(self, piece: Piece, file: FoundFile, known: Known | None) -> None:
        """Decide about one file by its looks."""
        decision = decide(known, file.look, now=self._now, once=self._once)
        if decision is Decision.LEAVE:
            return
        was_there = self._is_first or (known is not None and known.was_there)
        seen_now = Known(look=file.look, looked_at=self._now, was_there=was_there)
        if decision is Decision.READ:
            _, looked_at, _, wait_until_at, _ = known or seen_now
            piece.to_read.append(ToRead(file, looked_at, wait_until_at, was_there))
            return
        if decision is Decision.LOOK_AGAIN:
            looked_at = known.looked_at if known and known.look == file.look else self._now
            piece.look_again_at = sooner(piece.look_again_at, looked_at + LOOKS_APART)
        if known is None or known.look != file.look:
            is_busy = known is not None and known.read_at is None and known.look != UNSEEN
            piece.keep.append(KnownFile(file.path, seen_now, "is still being written" if is_busy else None))

    def _refuse(self, piece: Piece, refused: Refused, row: KnownFile | None) -> None:
        """Note why something is set aside, unless that is known."""
        if row is None or row.reason != refused.reason or row.known.look != UNSEEN:
            piece.keep.append(KnownFile(refused.path, Known(look=UNSEEN, looked_at=self._now), refused.reason))


class ReadingList:
    """The files that a poll is to read, those that changed first at its head.

    There may be very many, for as long as it takes to read them. So they are kept as plain tuples of plain values,
    which the garbage collector passes by: with a few objects for each file it would stop everything else for 0.1 s.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, str, int, int, datetime, datetime | None, bool]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, some: Iterable[ToRead]) -> None:
        """Add files; ``sort`` when all are there."""
        for (path, where, (size, mtime_ns, inode)), looked_at, wait_until_at, was_there in some:
            self._rows.append((mtime_ns, path, where, size, inode, looked_at, wait_until_at, was_there))

    def sort(self) -> None:
        """Put the files into the order in which they are read."""
        self._rows.sort()  # by time and path, and no path is there twice

    def steps(self, *, files: int, size: int) -> Iterator[list[ToRead]]:
        """Part them into steps of at most so many ``files``, and octets unless one file alone has more."""
        step: list[ToRead] = []
        held = 0
        for mtime_ns, path, where, octets, inode, looked_at, wait_until_at, was_there in self._rows:
            if step and (len(step) == files or held + octets > size):
                yield step
                step, held = [], 0
            file = FoundFile(path, where, Look(octets, mtime_ns, inode))
            step.append(ToRead(file, looked_at, wait_until_at, was_there))
            held += octets
        if step:
            yield step

    def without_those_that_were_there(self) -> ReadingList:
        """Return those of the files that nobody saw at the source's first poll."""
        fresh = ReadingList()
        fresh._rows = [row for row in self._rows if not row[-1]]
        return fresh


def sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two times; None stands for never."""
    return min(filter(None, (one, other)), default=None)
