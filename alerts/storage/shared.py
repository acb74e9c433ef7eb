"""Small writes of many tasks in shared transactions: a commit costs a disk as much for one as for fifty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import Database

_MOST = 64  # writes in a transaction

T = TypeVar("T")
_Waiting = tuple[Callable[[AsyncConnection], Awaitable[Any]], "asyncio.Future[Any]"]


class SharedTransactions:
    """Runs what waits while a transaction is written in the next one, all of it together.

    ``await shared.write(work)`` returns once what ``work`` wrote is committed. Work may run twice, the first time for
    nothing: when one of a transaction fails, each of the others is tried again in one of its own.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what ``work`` returns, once it is committed; raise what it raises, or what the database does."""
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="write what waits")
        return await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            await self._together([one for one in batch if not one[1].done()])  # done: nobody waits for it any more

    async def _together(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch; what fails alone is told to who waits for it."""
        try:
            async with self._db.transaction() as tx:
                results = [await work(tx) for work, _ in batch]
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who asked
            if len(batch) > 1:
                for one in batch:
                    await self._together([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for result, (_, written) in zip(results, batch, strict=True):
            if not written.done():
                written.set_result(result)
