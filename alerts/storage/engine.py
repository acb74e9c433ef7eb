"""The door to the database: opens it, brings it up to date, hands out transactions, and translates what goes wrong.

It asks no questions itself; those are the functions of the other modules here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import URL, Table, make_url, text
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from alerts.core.errors import StorageError
from alerts.storage import migrations, postgresql, sqlite
from alerts.storage.direct_postgresql import DirectPostgresql
from alerts.storage.faults import corrupt, translate
from alerts.storage.inline_sqlite import DirectConnection
from alerts.storage.prepared import Transaction
from alerts.storage.threaded_sqlite import ThreadedSqlite

QUICK_CHECK_BYTES = 16 << 20  # below this a whole check at each open costs a few hundredths of a second

T = TypeVar("T")
DialectInsert = sqlite_dialect.Insert | postgresql_dialect.Insert


def insert(tx: AsyncConnection, table: Table) -> DialectInsert:
    """Return the dialect's own INSERT, which has ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return sqlite_dialect.insert(table) if tx.dialect.name == "sqlite" else postgresql_dialect.insert(table)


_AFTER_COMMIT = "after_commit"


def after_commit(tx: AsyncConnection, call: Callable[[], None]) -> None:
    """Have something called once a transaction that may write is committed; never, if it is rolled back."""
    tx.info[_AFTER_COMMIT].append(call)


class Database:
    """A ledger that is open and up to date; one serves all tasks of an event loop.

    ``Database.open`` makes one. On SQLite writers queue, readers do not wait; on PostgreSQL neither does.
    """

    def __init__(
        self,
        *,
        where: str,
        writing: AsyncEngine,
        reading: AsyncEngine,
        direct: DirectConnection | DirectPostgresql | None = None,
        light: ThreadedSqlite | DirectPostgresql | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.where = where  # its name in messages: a path, or a URL without its password
        self._writing = writing
        self._reading = reading
        self._direct = direct  # in a process that sends: for prepared statements, past SQLAlchemy
        self._light = light  # in any other: for what many tasks write together, and a power cut may take back
        self._check = check  # raises StorageError where this must not be used now
        self._inline = isinstance(direct, DirectConnection)
        self._leaving: set[asyncio.Task[None]] = set()  # give back connections that nobody waits for any more

    @classmethod
    async def open(cls, url: str, *, inline: bool = False, make: bool = True) -> Database:
        """Open the database that ``url`` names, make it if there is none, and run the missing migrations.

        ``make=False``: for who joins others, whose file was taken away if it is not there.

        ``inline``: for a process that does little else than send: prepared statements go straight to the driver, and
        SQLite's run in the event loop's own thread.
        Raises DatabaseNewerError, DatabaseInUseError and DatabaseCorruptError, all left as it is;
        DatabaseUnavailableError when it cannot be reached or written; StorageError for a URL that we cannot use.
        """
        if url.startswith("sqlite:"):
            return await _open_sqlite(sqlite.path_of(url), inline=inline, make=make)
        return await _open_postgresql(_parse(url), inline=inline)

    @classmethod
    def as_it_is(cls, url: str) -> Database:
        """Return a database to read in, whatever its version: nothing is made or upgraded, and nothing connected yet.

        Raises DatabaseUnavailableError when there is no such file, DatabaseCorruptError for a file that is none, and
        StorageError for a URL that we cannot use.
        """
        if not url.startswith("sqlite:"):
            return _postgresql_database(_parse(url))
        path = sqlite.path_of(url)
        sqlite.judge_file(path)
        return _sqlite_database(path)

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which of the two it is."""
        return "sqlite" if self._writing.dialect.name == "sqlite" else "postgresql"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that may write; commit it at the end, or roll it back if anything was raised.

        Never ask for one inside another: on SQLite the second would wait for the first.
        """
        calls: list[Callable[[], None]] = []
        self._check()
        with _Faults(self.where):
            async with self._connection(self._writing) as tx, tx.begin():
                tx.info[_AFTER_COMMIT] = calls
                yield tx
        for call in calls:
            call()

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Transaction]:
        """Give a transaction that may write, for prepared statements alone; a process that sends skips SQLAlchemy.

        That way through an empty transaction takes longer than a commit to disk, and senders commit all the time.
        """
        if self._direct is None:
            async with self.transaction() as tx:
                yield tx
        else:
            self._check()
            with _Faults(self.where):
                async with self._direct.transaction() as direct:
                    yield direct

    async def lightly(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run prepared statements, and nothing else, in a transaction that a power cut may take back.

        Returns what ``work`` does. For what would be done again without harm: nobody waits for a disk. A crash of the
        process alone takes nothing back, and nothing is kept that was committed after what is lost. It is rolled back
        if ``work`` raises. On SQLite ``work`` runs in a thread. A process that sends has no such connection, and waits.
        """
        self._check()
        if isinstance(self._light, ThreadedSqlite):
            with _Faults(self.where):
                return await self._light.run(work)
        if self._light is not None:
            with _Faults(self.where):
                async with self._light.transaction() as tx:
                    return await work(tx)
        async with self.prepared() as quick:
            return await work(quick)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give one unchanging view of the database that cannot write."""
        self._check()
        with _Faults(self.where):
            async with self._connection(self._reading) as tx:
                if self.dialect == "postgresql":
                    await tx.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with tx.begin():
                    yield tx

    async def close(self) -> None:
        """Let go of every connection; transactions must have ended."""
        with _Faults(self.where):
            await asyncio.gather(*self._leaving)
            await self._reading.dispose()
            await self._writing.dispose()
            if self._light is not None:
                await self._light.close()
            if isinstance(self._direct, DirectPostgresql):
                await self._direct.close()
            elif self._direct is not None:
                self._direct.close()

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Take a connection from the pool and give it back.

        A task that is cancelled while a connection opens would leave it half open, with a thread and a file; so it
        opens in a task of its own, and is given back when nobody waits for it any more. Where statements run inline
        nothing opens in a thread, and taking and giving back never wait half-way: there a task would only cost.
        """
        if self._inline:
            tx = await engine.connect()
            try:
                yield tx
            finally:
                await tx.close()
            return
        opening = asyncio.create_task(_connected(engine), name="open a database connection")
        try:
            tx = await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._given_back(opening)
            raise
        try:
            yield tx
        finally:
            await asyncio.shield(self._given_back(opening))

    def _given_back(self, opening: asyncio.Task[AsyncConnection]) -> asyncio.Task[None]:
        """Give a connection back in a task of its own, which ``close`` waits for."""
        leaving = asyncio.create_task(_give_back(opening), name="give back a database connection")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        return leaving


class _Faults:
    """Raises our error in place of the driver's."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception):
            return
        ours = translate(error, self.where)
        if ours is not None:
            raise ours from error


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _give_back(opening: asyncio.Task[AsyncConnection]) -> None:
    with suppress(Exception):  # it did not open: nothing to give back, and nobody to tell
        await (await opening).close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, SQLAlchemyError, ValueError) as error:
        raise StorageError(
            "the database URL cannot be read: write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if backend == "postgres":
        return parsed.set(drivername="postgresql")
    if backend != "postgresql":
        raise StorageError(f"a database of the kind {backend!r} is not known: write sqlite:///… or postgresql://…")
    return parsed


async def _open_sqlite(path: Path, *, inline: bool, make: bool) -> Database:
    if make:
        await sqlite.make_if_missing(path, _fill)
    size = sqlite.judge_file(path)
    db = _sqlite_database(path, inline=inline)
    async with _closed_on_error(db):
        if size < QUICK_CHECK_BYTES:
            await refuse_damage(db)
        await _bring_up_to_date(db)
    return db


async def _fill(path: Path) -> None:
    db = _sqlite_database(path)
    async with _closed_on_error(db):
        await _bring_up_to_date(db)
    await db.close()


def _sqlite_database(path: Path, *, inline: bool = False) -> Database:
    return Database(
        where=str(path),
        writing=sqlite.writing_engine(path, inline=inline),
        reading=sqlite.reading_engine(path, inline=inline),
        direct=sqlite.direct_connection(path) if inline else None,
        light=None if inline else sqlite.light_connection(path),
        check=sqlite.SameFile(path).check,
    )


async def _open_postgresql(url: URL, *, inline: bool) -> Database:
    db = _postgresql_database(url, inline=inline)
    async with _closed_on_error(db):
        await _bring_up_to_date(db)
    return db


def _postgresql_database(url: URL, *, inline: bool = False) -> Database:
    idle_ms = postgresql.SENDERS_IDLE_MS if inline else postgresql.IDLE_MS
    engine = postgresql.engine_for(url, idle_ms=idle_ms)
    direct = DirectPostgresql(postgresql.conninfo(url, idle_ms=idle_ms, light=not inline))
    return Database(
        where=url.render_as_string(hide_password=True),
        writing=engine,
        reading=engine,
        direct=direct if inline else None,
        light=None if inline else direct,
    )


async def _bring_up_to_date(db: Database) -> None:
    async with db.reading() as tx:
        if await tx.run_sync(migrations.is_current, db.where):
            return
    async with db.transaction() as tx:
        await tx.run_sync(migrations.upgrade, db.where)


async def refuse_damage(db: Database) -> None:
    """Read every page of an SQLite file and raise DatabaseCorruptError at the first that is not sound."""
    async with db.reading() as tx:
        verdict = await tx.scalar(text("PRAGMA quick_check(1)"))
    if verdict != "ok":
        raise corrupt(db.where, str(verdict).replace("\n", " "))


@asynccontextmanager
async def _closed_on_error(db: Database) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await db.close()
        raise
