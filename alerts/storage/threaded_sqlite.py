"""SQLite in a thread of its own, a whole transaction at a time. Knows no statement.

Through an engine each statement goes to a thread and back, BEGIN and COMMIT too, and that costs the event loop more
than SQLite takes for it. Here a transaction goes there once, and the loop goes on while it waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from alerts.storage.inline_sqlite import InlineConnection

_LOOK_S = 0.001  # between two looks at a ledger that somebody else writes

T = TypeVar("T")


class ThreadedSqlite:
    """A connection that is opened when it is first used; its transactions queue."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, patience_s: float) -> None:
        self._connect = connect
        self._patience_s = patience_s
        self._writer: _Writer | None = None

    async def run(self, work: Callable[[InlineConnection], Awaitable[T]]) -> T:
        """Run prepared statements in a transaction and return what ``work`` does; roll back if it raised anything.

        ``work`` runs in the thread, and must wait for nothing but its statements, which never wait there. Who is
        cancelled leaves it to its end.
        """
        if self._writer is None:
            self._writer = _Writer(self._connect, self._patience_s)
        return await self._writer.do(lambda writer: writer.run(work))

    async def close(self) -> None:
        """Close it once the transactions that queue are done; used again, it opens again."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.do(_Writer.close)
            writer.thread.shutdown(wait=False)


class _Writer:
    """A thread and the connection that only it uses."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], patience_s: float) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="write-together")
        self._connect = connect
        self._patience_s = patience_s
        self._opened: InlineConnection | None = None

    async def do(self, call: Callable[[_Writer], T]) -> T:
        """Do it in the thread, after what was asked of it before."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, call, self)

    def run(self, work: Callable[[InlineConnection], Awaitable[T]]) -> T:
        if self._opened is None:
            self._opened = InlineConnection(self._connect(), patience_s=self._patience_s)
        self._begin(self._opened)
        try:
            result = _driven(work(self._opened))
            _driven(self._opened.commit())
        except BaseException:
            _driven(self._opened.rollback())
            raise
        return result

    def close(self) -> None:
        if self._opened is not None:
            self._opened.stop()
            self._opened = None

    def _begin(self, connection: InlineConnection) -> None:
        deadline = time.monotonic() + self._patience_s
        while not connection.begins(last_try=time.monotonic() >= deadline):
            time.sleep(_LOOK_S)


def _driven(work: Awaitable[T]) -> T:
    """Run what never waits to its end, without an event loop."""
    steps: Generator[Any, Any, T] = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.close()
    raise RuntimeError("a transaction in a thread waits for something else than its statements")
