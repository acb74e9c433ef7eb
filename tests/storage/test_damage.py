"""A database that is not sound is refused with a clear text and left as it is; one that is away may come back."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from postgresql_server import PostgresqlServer
from sqlalchemy import func, select, text

from alerts.core.errors import DatabaseCorruptError, DatabaseUnavailableError, StorageError
from alerts.storage import postgresql, sqlite
from alerts.storage.engine import Database, insert
from alerts.storage.facts import ledger_id
from alerts.storage.prepared import Transaction
from alerts.storage.schema import facts

OWN_FACTS = 3  # that a ledger has from its first open: ledger_id, created_by, usable_from


@pytest.fixture
async def closed(tmp_path: Path) -> Path:
    """Give the file of a ledger with some rows that is not open."""
    path = tmp_path / "alerts.db"
    db = await Database.open(f"sqlite:///{path}")
    async with db.transaction() as tx:
        await tx.execute(insert(tx, facts), [{"name": f"n{n}", "value": "v" * 500} for n in range(500)])
    await db.close()
    return path


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def scribbled(content: bytes) -> bytes:
    return content[:8192] + b"\xa5" * 20000 + content[28192:]


DAMAGES: list[Callable[[bytes], bytes]] = [
    halved,
    scribbled,
    lambda _content: b"",
    lambda _content: b"hello, this is a text\n" * 500,
    lambda content: content[:50],
    lambda content: b"\0" * len(content),
    lambda content: content[:16] + b"\xff" * 84 + content[100:],
]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_refused_and_left_as_it_is(closed: Path, damage: Callable[[bytes], bytes]) -> None:
    damaged = damage(closed.read_bytes())
    closed.write_bytes(damaged)
    with pytest.raises(DatabaseCorruptError, match=r"alerts\.db is not a sound database .* left as it is"):
        await Database.open(f"sqlite:///{closed}")
    assert closed.read_bytes() == damaged


async def test_damage_that_shows_later_is_told_for_what_it_is(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.storage.engine.QUICK_CHECK_BYTES", 0)
    with closing(sqlite3.connect(closed)) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'facts'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    content = closed.read_bytes()
    closed.write_bytes(content[: (page - 1) * size] + b"\xa5" * size + content[page * size :])
    db = await Database.open(f"sqlite:///{closed}")
    with pytest.raises(DatabaseCorruptError):
        async with db.reading() as tx:
            await tx.execute(select(facts))
    await db.close()


async def test_a_ledger_without_its_name_is_damaged(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(facts.delete())
        with pytest.raises(DatabaseCorruptError):
            await ledger_id(tx)


@pytest.mark.parametrize("name", ["folder", "file/alerts.db", "folder/../file/x/alerts.db"])
async def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailableError, match=str(tmp_path)):
        await Database.open(f"sqlite:///{tmp_path / name}")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


async def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """Not even root can write to this one, and where there is none, none can be made."""
    with pytest.raises(DatabaseUnavailableError, match="/proc"):
        await Database.open("sqlite:////proc/self/alerts.db")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:alerts.db", "mysql://x/y", "alerts.db", "", "http://[", "x" * 9999],
)
async def test_a_url_that_names_no_ledger_is_refused(url: str) -> None:
    with pytest.raises(StorageError):
        await Database.open(url)


async def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a?b=c#d %20 é" / "x?mode=ro.db"
    db = await Database.open(f"sqlite:///{path}")
    await db.close()
    assert path.is_file()


async def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    await (await Database.open(f"sqlite:///{path}")).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_missing_file_behind_a_link_is_made_where_the_link_points(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").symlink_to(tmp_path / "disk" / "real.db")
    db = await Database.open(f"sqlite:///{tmp_path / 'alerts.db'}")
    await db.close()
    assert (tmp_path / "disk" / "real.db").is_file()


async def test_sqlite_is_set_to_lose_nothing(sqlite_db: Database) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    for opened in (sqlite_db.transaction, sqlite_db.reading):
        async with opened() as tx:
            found = {name: await tx.scalar(text(f"PRAGMA {name}")) for name in wanted}
        assert found == wanted


async def test_a_database_that_another_process_holds_is_unavailable(
    sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    impatient = await Database.open(f"sqlite:///{sqlite_db.where}")
    with closing(sqlite3.connect(sqlite_db.where, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailableError, match="another process holds it"):
            async with impatient.transaction():
                pass
        async with impatient.reading() as tx:
            assert await ledger_id(tx)
    async with impatient.transaction():
        pass
    await impatient.close()


async def test_a_full_disk_is_unavailable_and_nothing_is_half_done(sqlite_db: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="full"):
        async with sqlite_db.transaction() as tx:
            pages = await tx.scalar(text("PRAGMA page_count"))
            await tx.execute(text(f"PRAGMA max_page_count = {pages}"))
            await tx.execute(insert(tx, facts), [{"name": f"n{n}", "value": "v" * 5000} for n in range(100)])
    async with sqlite_db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(facts)) == OWN_FACTS


async def test_many_tasks_write_and_read_at_once(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as tx:
            count = await tx.scalar(select(func.count()).select_from(facts))
            await tx.execute(insert(tx, facts).values(name=f"n{number}", value=str(count)))

    async def read() -> None:
        async with db.reading() as tx:
            first = await tx.scalar(select(func.count()).select_from(facts))
            await asyncio.sleep(0)
            assert await tx.scalar(select(func.count()).select_from(facts)) == first

    await asyncio.gather(*(write(number) for number in range(40)), *(read() for _ in range(40)))
    async with db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(facts)) == OWN_FACTS + 40


async def test_tasks_that_are_cancelled_in_a_transaction_leave_the_database_usable(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.transaction() as tx:
            await tx.execute(insert(tx, facts).values(name=f"n{number}", value="x"))
            await asyncio.sleep(60)

    async with db.reading() as tx:
        before = await tx.scalar(select(func.count()).select_from(facts))
    for number in range(30):
        task = asyncio.create_task(write(number))
        await asyncio.sleep(0.001 * (number % 7))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5), db.transaction() as tx:
        assert await tx.scalar(select(func.count()).select_from(facts)) == before


async def test_a_server_that_restarts_costs_at_most_the_transaction_in_flight(
    postgresql_server: PostgresqlServer, postgresql_ledger_url: str
) -> None:
    db = await Database.open(postgresql_ledger_url)
    name = postgresql_ledger_url.rpartition("/")[2]
    with pytest.raises(DatabaseUnavailableError):
        async with db.transaction() as tx:
            postgresql_server.admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            await tx.execute(insert(tx, facts).values(name="colour", value="green"))
    async with db.transaction() as tx:
        assert await tx.scalar(select(func.count()).select_from(facts)) == OWN_FACTS
    await db.close()


async def test_a_server_that_is_not_there_is_unavailable_and_its_password_unsaid() -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1:1/x") as caught:
        await Database.open("postgresql://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


async def test_a_database_that_the_server_does_not_have_is_unavailable(postgresql_server: PostgresqlServer) -> None:
    with pytest.raises(DatabaseUnavailableError, match="does not exist"):
        await Database.open(postgresql_server.url("nowhere"))


async def test_without_its_driver_postgresql_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "find_spec", lambda _name: None)
    with pytest.raises(StorageError, match=r"news-alert\[cluster\]"):
        await Database.open("postgresql://me@127.0.0.1:1/x")


async def test_a_bug_in_a_query_stays_a_bug(db: Database) -> None:
    with pytest.raises(Exception, match="nonsense") as caught:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT * FROM nonsense"))
    assert not isinstance(caught.value, StorageError)


@pytest.mark.parametrize("put", ["nothing", "another file"])
async def test_a_file_that_is_taken_away_while_it_is_open_is_neither_read_nor_written_until_it_is_back(
    closed: Path, tmp_path: Path, put: str
) -> None:
    """SQLite would go on with the file that has no name any more: all of it would be lost with the process."""
    url = f"sqlite:///{closed}"
    copy, away = tmp_path / "copy.db", tmp_path / "away.db"
    copy.write_bytes(closed.read_bytes())
    main, sender = await Database.open(url), await Database.open(url, inline=True)
    closed.rename(away)
    if put == "another file":
        copy.rename(closed)
    said = "moved away or deleted" if put == "nothing" else "replaced by another file"
    for db in (main, sender):
        for use in (db.transaction(), db.reading(), db.prepared()):
            with pytest.raises(DatabaseUnavailableError, match=said):
                async with use:
                    pass

    async def work(_tx: Transaction) -> int:
        return 0

    with pytest.raises(DatabaseUnavailableError, match=said):
        await main.lightly(work)
    if put == "nothing":
        with pytest.raises(DatabaseUnavailableError):
            await Database.open(url, inline=True, make=False)
        assert not closed.exists()
    away.rename(closed)
    for db in (main, sender):
        async with db.reading() as tx:
            assert await tx.scalar(select(func.count()).select_from(facts)) == 500 + OWN_FACTS
        await db.close()
