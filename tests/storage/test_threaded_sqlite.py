from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from alerts.storage.inline_sqlite import InlineConnection
from alerts.storage.threaded_sqlite import ThreadedSqlite

Work = Callable[[InlineConnection], Awaitable[int]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "numbers.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT)")
    return file


@pytest.fixture
async def threaded(path: Path) -> AsyncIterator[ThreadedSqlite]:
    opened = ThreadedSqlite(lambda: sqlite3.connect(path, isolation_level=None), patience_s=5)
    yield opened
    await opened.close()


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Give the connection of somebody else."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        yield connection


def note(*numbers: int, text: str = "") -> Work:
    async def work(tx: InlineConnection) -> int:
        return tx.write("INSERT INTO numbers VALUES (?, ?)", [(number, text) for number in numbers])

    return work


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as looking:
        return [number for (number,) in looking.execute("SELECT number FROM numbers ORDER BY number")]


async def test_a_transaction_is_there_for_all_once_it_returns(threaded: ThreadedSqlite, path: Path) -> None:
    assert await threaded.run(note(1, 2)) == 2

    assert numbers(path) == [1, 2]


async def test_what_raises_leaves_nothing_and_harms_none_after_it(threaded: ThreadedSqlite, path: Path) -> None:
    async def break_off(tx: InlineConnection) -> int:
        await note(1)(tx)
        raise KeyError

    with pytest.raises(KeyError):
        await threaded.run(break_off)
    with pytest.raises(sqlite3.IntegrityError):
        await threaded.run(note(2, 2))
    await threaded.run(note(3))

    assert numbers(path) == [3]


async def test_work_that_waits_for_something_else_is_a_fault_and_is_rolled_back(
    threaded: ThreadedSqlite, path: Path
) -> None:
    async def dawdle(tx: InlineConnection) -> int:
        await note(1)(tx)
        await asyncio.sleep(0)
        return 1

    with pytest.raises(RuntimeError, match="something else"):
        await threaded.run(dawdle)
    await threaded.run(note(2))

    assert numbers(path) == [2]


async def test_many_at_once_are_written_one_after_the_other(threaded: ThreadedSqlite, path: Path) -> None:
    written = await asyncio.gather(*(threaded.run(note(number)) for number in range(200)))

    assert written == [1] * 200
    assert numbers(path) == list(range(200))


async def test_one_who_is_cancelled_takes_nobody_along(
    threaded: ThreadedSqlite, path: Path, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    first, second = (asyncio.create_task(threaded.run(note(number))) for number in (1, 2))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.wait([first])
    other.execute("ROLLBACK")

    assert await second == 1

    assert first.cancelled()
    assert numbers(path) == [1, 2]  # it was in the middle of it


async def test_the_loop_goes_on_while_somebody_else_writes(
    threaded: ThreadedSqlite, path: Path, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(threaded.run(note(1)))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not writing.done()
    other.execute("ROLLBACK")

    await writing

    assert numbers(path) == [1]


async def test_the_wait_for_somebody_who_never_ends_has_an_end(path: Path, other: sqlite3.Connection) -> None:
    impatient = ThreadedSqlite(lambda: sqlite3.connect(path, isolation_level=None), patience_s=0.1)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await impatient.run(note(1))
    other.execute("ROLLBACK")

    await impatient.run(note(2))

    assert numbers(path) == [2]
    await impatient.close()


async def test_a_disk_that_is_full_in_the_middle_takes_back_the_whole_and_keeps_what_was_there(path: Path) -> None:
    def small() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA max_page_count=20")
        return connection

    threaded = ThreadedSqlite(small, patience_s=5)
    await threaded.run(note(1))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await threaded.run(note(*range(2, 100), text="x" * 2_000))
    await threaded.run(note(100))

    assert numbers(path) == [1, 100]
    await threaded.close()


async def test_a_file_that_cannot_be_opened_is_tried_again(path: Path) -> None:
    there = threading.Event()

    def connect() -> sqlite3.Connection:
        if not there.is_set():
            raise sqlite3.OperationalError("unable to open database file")
        return sqlite3.connect(path, isolation_level=None)

    threaded = ThreadedSqlite(connect, patience_s=5)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await threaded.run(note(1))
    there.set()

    await threaded.run(note(2))

    assert numbers(path) == [2]
    await threaded.close()


async def test_closing_waits_for_what_queues_and_used_again_it_opens_again(
    threaded: ThreadedSqlite, path: Path, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    before = [asyncio.create_task(threaded.run(note(number))) for number in range(5)]
    await asyncio.sleep(0.02)
    closing_it = asyncio.create_task(threaded.close())
    await asyncio.sleep(0.02)
    meanwhile = asyncio.create_task(threaded.run(note(5)))  # a connection of its own, in a thread of its own
    await asyncio.sleep(0.02)
    assert not closing_it.done()
    other.execute("ROLLBACK")
    await closing_it

    assert [task.done() for task in before] == [True] * 5
    await meanwhile
    await threaded.run(note(6))
    assert numbers(path) == list(range(7))


async def test_no_thread_is_left_after_closing(path: Path) -> None:
    threaded = ThreadedSqlite(lambda: sqlite3.connect(path, isolation_level=None), patience_s=5)
    await threaded.close()
    await threaded.run(note(1))
    writers = [thread for thread in threading.enumerate() if thread.name.startswith("write-together")]
    await threaded.close()

    for thread in writers:
        thread.join(timeout=5)
    assert [thread.is_alive() for thread in writers] == [False] * len(writers)
