"""PostgreSQL without an engine around it, for the few statements that every mail costs. Knows no statement.

SQLAlchemy's way to a connection and through a transaction takes three times what psycopg alone takes for it, and
senders commit all the time. A connection is opened when there is none to spare, and kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from alerts.core.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    import psycopg

_MOST_SPARE = 4


class DirectTransaction:
    """A transaction for prepared statements."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute a statement for every row; return how many rows it changed."""
        async with self._connection.cursor() as cursor:
            if len(rows) == 1:
                await cursor.execute(sql.encode(), rows[0], prepare=True)
            else:
                await cursor.executemany(sql.encode(), rows)
            return cursor.rowcount

    async def read(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Execute a question and return its rows."""
        cursor = await self._connection.execute(sql.encode(), parameters, prepare=True)
        return await cursor.fetchall()


class DirectPostgresql:
    """Connections for tasks that each need one for a moment."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._spare: list[psycopg.AsyncConnection[Any]] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[DirectTransaction]:
        """Give a transaction that may write; commit it at the end, or roll it back if anything was raised.

        A connection that failed is not used again, and those beside it are not either: a server that restarts breaks
        all of them.
        """
        connection = self._spare.pop() if self._spare else await self._connect()
        try:
            yield DirectTransaction(connection)
            await connection.commit()
        except BaseException as error:
            lost = connection.closed
            await connection.close()  # it may be in the middle of anything; the server rolls back
            await self.close()
            if lost and isinstance(error, Exception):
                raise DatabaseUnavailableError(f"the connection to PostgreSQL was lost: {error}") from error
            raise
        if len(self._spare) < _MOST_SPARE:
            self._spare.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        """Close what nobody uses; used again, it opens again."""
        spare, self._spare = self._spare, []
        for connection in spare:
            await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        import psycopg  # noqa: PLC0415 - an extra

        return await psycopg.AsyncConnection.connect(self._conninfo)
