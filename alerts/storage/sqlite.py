"""SQLite as a ledger: how its file is made, judged and opened. No queries of ours."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from alerts.core.errors import DatabaseUnavailableError, StorageError
from alerts.storage.faults import corrupt
from alerts.storage.inline_sqlite import DirectConnection, InlineConnection
from alerts.storage.new_file import name_file, unfinished
from alerts.storage.threaded_sqlite import ThreadedSqlite

MAGIC = b"SQLite format 3\x00"
BUSY_TIMEOUT_S = 10
OLDEST = (3, 35, 0)  # the first with RETURNING
READERS = 8
_LOOK_S = 0.001  # between two looks at a ledger that another process writes


def path_of(url: str) -> Path:
    """Return the file that the URL names, links followed; refuse a ledger that would vanish with the process."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed; use a newer Python")
    name = url.removeprefix("sqlite:///")  # all of it: a file may be called what SQLAlchemy would take for parameters
    if name in {url, "", ":memory:"} or "\0" in name:
        raise StorageError("the ledger needs a file: write `database: sqlite:///var/alerts.db`")
    return Path(name).resolve()


def judge_file(path: Path) -> int:
    """Refuse what cannot be a database before SQLite touches it, so that it stays exactly as it is; return its size."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise unavailable(path, error) from error
    if not start:
        raise corrupt(str(path), "the file is empty")
    if start != MAGIC:
        raise corrupt(str(path), "it is not an SQLite file")
    return size


class SameFile:
    """Tells whether the ledger is still the file that was opened; SQLite itself would go on with one that is gone.

    What is written to a file without a name is lost with the process, and a connection that opens later would find
    another file, or none: so nothing may be read or written then.
    """

    def __init__(self, path: Path) -> None:
        """Take the file that ``path`` names now, which exists, for the ledger."""
        self._path = path
        self._opened = _identity(path)

    def check(self) -> None:
        """Raise DatabaseUnavailableError unless the name still leads to that file; put back, it counts again."""
        if _identity(self._path) != self._opened:
            raise DatabaseUnavailableError(
                f"{self._path} was replaced by another file while it was in use; nothing is written to either. "
                "Put the old one back, or restart every `alerts` process that uses it."
            )


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DatabaseUnavailableError(
            f"{path} was moved away or deleted while it was in use; nothing is written until it is back"
        ) from None
    except OSError as error:
        raise unavailable(path, error) from error
    return status.st_dev, status.st_ino


async def make_if_missing(path: Path, fill: Callable[[Path], Awaitable[None]]) -> None:
    """Make a new database whole, or not at all: ``fill`` a file beside it, then give that its name.

    Two processes may do this at once: one wins, and its file is the ledger. So an empty file under the
    final name is never ours, and is refused like any other damage.
    """
    if path.exists():  # noqa: ASYNC240 - a local file, once, at start
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with unfinished(path) as new:
            await fill(new)
            name_file(new, path)  # if another process was first, its ledger is the ledger
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise unavailable(path, error) from error


def unavailable(path: Path, error: OSError) -> DatabaseUnavailableError:
    """Return our error for what the file system said."""
    return DatabaseUnavailableError(f"{path} cannot be used as the database: {error.strerror or error}")


def writing_engine(path: Path, *, inline: bool = False) -> AsyncEngine:
    """Return an engine of one connection: writers queue here in turn, not in SQLite's busy handler by luck.

    ``inline``: its statements run in the event loop's thread; for processes that do little else than send.
    """
    engine = _engine(path, pool_size=1, inline=inline)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def reading_engine(path: Path, *, inline: bool = False) -> AsyncEngine:
    """Return an engine whose connections cannot write and read beside the writer."""
    engine = _engine(path, pool_size=READERS, inline=inline)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "connect", _forbid_writing)
    event.listen(engine.sync_engine, "begin", _begin_deferred)
    return engine


def direct_connection(path: Path) -> DirectConnection:
    """Return a connection for prepared statements alone."""
    return DirectConnection(partial(_connect, path), patience_s=BUSY_TIMEOUT_S)


def light_connection(path: Path) -> ThreadedSqlite:
    """Return a connection for transactions of prepared statements whose commits do not wait for the disk."""
    return ThreadedSqlite(partial(_connect_lightly, path), patience_s=BUSY_TIMEOUT_S)


def _connect_lightly(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    _prepare(connection, None)
    return connection


def _engine(path: Path, *, pool_size: int, inline: bool) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(path))
    if inline:
        connect = partial(InlineConnection.open, path, patience_s=BUSY_TIMEOUT_S)
        return create_async_engine(
            url, pool_size=pool_size, max_overflow=0, pool_timeout=BUSY_TIMEOUT_S, async_creator=connect
        )
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=BUSY_TIMEOUT_S, connect_args={"timeout": BUSY_TIMEOUT_S}
    )


def _prepare(connection: Any, _record: object) -> None:
    """Set what SQLite forgets between connections; FULL, or a power cut loses rows that were committed."""
    if connection.isolation_level is not None:
        connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA journal_size_limit={64 << 20}")
    cursor.close()


def _forbid_writing(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Begin to write as soon as no other process does.

    SQLite's own waiting looks again after up to 100 ms: beside senders that write all the time it hardly ever gets in.
    """
    driver: Any = connection.connection.driver_connection
    if isinstance(driver, InlineConnection):
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.close()
        return
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while _held_by_another(cursor) and time.monotonic() < deadline:
            await_only(asyncio.sleep(_LOOK_S))
    finally:
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        cursor.close()
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises what is the matter


def _held_by_another(cursor: Any) -> bool:
    """Begin to write; say whether another process was in the way."""
    try:
        cursor.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
