"""Small writes of many tasks in shared transactions, which cost as much for one as for fifty.

Only for what may be lost when the power goes, because it would be done again without harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from alerts.storage.engine import Database
from alerts.storage.prepared import Transaction

_MOST = 128  # rows in a transaction
_TURNS = (
    3  # of the event loop before each transaction: fewer and larger ones, where a wait on the clock would cost more
)
_TOLD_AT_ONCE = 16  # who wait: each goes on with up to a millisecond's work, and others want their turns between

R = TypeVar("R")
T = TypeVar("T")

#: Writes rows by prepared statements; returns what became of each, in their order.
Work = Callable[[Transaction, Sequence[R]], Awaitable[Sequence[T]]]


class _Waiting(NamedTuple):
    work: Work[Any, Any]
    row: Any
    written: asyncio.Future[Any]


class SharedTransactions:
    """Writes what waits while a transaction is written in the next one, all of it together.

    ``await shared.write(work, row)`` returns what ``work`` says of the row, once it is committed. Rows of the same
    work are given to it together. Work may run twice, the first time for nothing: when it fails, each row is tried
    again in a transaction of its own.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, work: Work[R, T], row: R) -> T:
        """Return what became of the row, once it is committed; raise what ``work`` raises, or the database does."""
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(work, row, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="write what waits")
        return await written

    async def close(self) -> None:
        """Return when nothing waits to be written any more."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        while self._waiting:
            for _ in range(_TURNS):  # what is just coming in goes along; where nothing is, they take no time
                await asyncio.sleep(0)
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            await self._together([one for one in batch if not one.written.done()])  # done: nobody waits any more

    async def _together(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch; what fails alone is told to who waits for it."""
        if not batch:
            return
        try:
            answers = await self._db.lightly(partial(_run, batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who asked
            if len(batch) > 1:
                for one in batch:
                    await self._together([one])
            elif not batch[0].written.done():
                batch[0].written.set_exception(error)
            return
        for number, (one, answer) in enumerate(answers, 1):
            if not one.written.done():
                one.written.set_result(answer)
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)


async def _run(batch: Sequence[_Waiting], tx: Transaction) -> list[tuple[_Waiting, Any]]:
    """Give each work its rows."""
    by_work: dict[Work[Any, Any], list[_Waiting]] = {}
    for one in batch:
        by_work.setdefault(one.work, []).append(one)
    answers: list[tuple[_Waiting, Any]] = []
    for work, waiting in by_work.items():
        answers += zip(waiting, await work(tx, [one.row for one in waiting]), strict=True)
    return answers
