"""A copy of an SQLite ledger while it is in use, and the question whether one is sound."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from alerts.core.errors import DatabaseCorruptError, DatabaseUnavailableError, InputError, StorageError
from alerts.storage.faults import translate_driver_error
from alerts.storage.new_file import name_file, unfinished
from alerts.storage.sqlite import judge_file, path_of

PAGES = 1024  # copied at a time, so that writers get their turn

#: Told how many pages are copied, and how many there are.
Progress = Callable[[int, int], None]


def back_up(url: str, target: Path, *, progress: Progress = lambda _done, _all: None) -> int:
    """Copy the ledger at ``url`` to the new file ``target``, whole or not at all; return its size in bytes.

    The daemon may go on writing. An existing file is never overwritten.
    """
    if not url.startswith("sqlite:"):
        raise InputError("this copies SQLite; for PostgreSQL use pg_dump: pg_dump --format=custom --file=FILE")
    source = path_of(url)
    target = target.absolute()
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} is there already; name a new file")
    judge_file(source)
    try:
        with unfinished(target) as new:
            _copy(source, new, progress)
            _sync(new)
            if not name_file(new, target):
                raise InputError(f"{target} is there already; name a new file")
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise DatabaseUnavailableError(f"{target} cannot be written: {error.strerror or error}") from error
    return target.stat().st_size


def problems_of(path: Path) -> list[str]:
    """Return what SQLite finds wrong with every page, index and reference of a file; an empty list when it is sound."""
    try:
        return _problems(path)
    except DatabaseCorruptError as error:  # too damaged to be looked through
        return [str(error)]


def _problems(path: Path) -> list[str]:
    judge_file(path)
    with _faults(path), closing(_connect(path)) as connection:
        pages = [row[0] for row in connection.execute("PRAGMA integrity_check(100)") if row[0] != "ok"]
        orphans = [
            f"row {row} of {table} points to a row of {parent} that is not there"
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(100)
        ]
    return pages + orphans


def _copy(source: Path, new: Path, progress: Progress) -> None:
    def tell(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with _faults(source), closing(_connect(source)) as old, closing(sqlite3.connect(new)) as copy:
        old.backup(copy, pages=PAGES, progress=tell, sleep=0.005)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file; opening it brings WAL back


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=10)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        ours = translate_driver_error(error, str(path))
        if ours is None:
            raise
        raise ours from error
