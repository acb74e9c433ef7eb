"""SQLite driven from the event loop's own thread, for processes that do little else than send. Knows no statement.

A statement of ours takes microseconds, handing it to a thread and back takes a hundred, with the ledger held for all
other processes meanwhile. So from the moment that a transaction may write until it is on disk nothing else runs here;
only for its turn to write it waits as a task does. It looks to SQLAlchemy like an aiosqlite connection.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

_SOON_S = 0.005  # most writers are done within this time; so long we look often, with nothing but a glance between
_GLANCE_S = 0.00005
_LOOK_S = 0.001  # between two looks from then on; SQLite itself would sleep 100 ms


class InlineConnection:
    """One connection; like SQLite's own, for one task at a time."""

    def __init__(self, connection: sqlite3.Connection, *, patience_s: float) -> None:
        self._conn: sqlite3.Connection | None = connection
        self._patience_s = patience_s
        self._hurried = False  # whether SQLite waits no more, as we do it

    @classmethod
    async def open(cls, path: Path, *, patience_s: float) -> Self:
        """Open a file that is there."""
        connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None)
        return cls(connection, patience_s=patience_s)

    @property
    def _connection(self) -> sqlite3.Connection | None:
        return self._conn

    @property
    def isolation_level(self) -> str | None:
        """Say that BEGIN is ours to say."""
        return None

    def cursor(self) -> InlineCursor:
        """Give a cursor; ``async with`` it."""
        return InlineCursor(self, self._open().cursor())

    async def begin_immediate(self) -> None:
        """Begin to write: at once where nobody else does, else as soon as that one has done."""
        deadline = time.monotonic() + self._patience_s
        soon = time.monotonic() + _SOON_S
        while not self.begins(last_try=time.monotonic() >= deadline):
            await asyncio.sleep(0 if time.monotonic() < soon else _LOOK_S)
            if time.monotonic() < soon:
                time.sleep(_GLANCE_S)  # noqa: ASYNC251 - a loop's own timers are twenty times as coarse

    def begins(self, *, last_try: bool) -> bool:
        """Begin to write; False while somebody else does, which the last try raises."""
        connection = self._open()
        if not self._hurried:  # not before: what prepares a connection may have to wait for another's doing so
            connection.execute("PRAGMA busy_timeout=0")
            self._hurried = True
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if last_try or not _is_busy(error):
                raise
            return False
        return True

    async def commit(self) -> None:
        """Commit; returns when it is on disk. Nobody here has anything to do before it is."""
        self._open().commit()

    async def rollback(self) -> None:
        """Roll back what was not committed."""
        self._open().rollback()

    def write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute a statement for every row, within the transaction; return how many rows it changed."""
        return self._open().executemany(sql, rows).rowcount

    def read(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Execute a question and return its rows."""
        return self._open().execute(sql, parameters).fetchall()

    async def create_function(self, *args: Any, **kw: Any) -> None:
        """Add a function to SQL."""
        self._open().create_function(*args, **kw)

    async def close(self) -> None:
        """Close; a second time nothing happens."""
        self.stop()

    def stop(self) -> None:
        """Close at once."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _open(self) -> sqlite3.Connection:
        if self._conn is None:
            raise ValueError("no active connection")  # what SQLAlchemy takes for a lost one
        return self._conn


class DirectConnection:
    """A connection without an engine around it, opened when it is first used; for one task at a time."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, patience_s: float) -> None:
        self._connect = connect
        self._patience_s = patience_s
        self._opened: InlineConnection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[InlineConnection]:
        """Give a transaction that may write; commit it at the end, or roll it back if anything was raised."""
        if self._opened is None:
            self._opened = InlineConnection(self._connect(), patience_s=self._patience_s)
        await self._opened.begin_immediate()
        try:
            yield self._opened
            await self._opened.commit()
        except BaseException:
            await self._opened.rollback()
            raise

    def close(self) -> None:
        """Close it; used again, it opens again."""
        if self._opened is not None:
            self._opened.stop()
            self._opened = None


class InlineCursor:
    """A cursor whose statements are done when the call returns."""

    def __init__(self, connection: InlineConnection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> None:
        """Run a statement."""
        if sql == "BEGIN IMMEDIATE":
            await self._connection.begin_immediate()
        elif parameters is None:
            self._cursor.execute(sql)
        else:
            self._cursor.execute(sql, tuple(parameters))

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        """Run a statement for each set of parameters."""
        self._cursor.executemany(sql, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """Give all rows."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Let go of the statement."""
        self._cursor.close()

    @property
    def description(self) -> Any:
        """Name the columns."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """Count the rows that were changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Give the key of the row that was added last."""
        return self._cursor.lastrowid

    @property
    def arraysize(self) -> int:
        """Say how many rows a fetch gives."""
        return self._cursor.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._cursor.arraysize = value


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
