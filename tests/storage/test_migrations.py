"""The numbered steps make the tables of the schema, on both databases, once, whoever else tries."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from alerts.core.errors import DatabaseInUseError, DatabaseNewerError, StorageError
from alerts.storage import migrations
from alerts.storage.engine import Database
from alerts.storage.facts import USABLE_FROM, keep_fact, ledger_id, make_facts
from alerts.storage.postgresql import is_queue_table
from alerts.storage.schema import metadata
from alerts.storage.secrets import make_first_secret

REPOSITORY = Path(__file__).parents[2]

OPEN = """
import asyncio, sys
from alerts.storage.engine import Database
from alerts.storage.facts import ledger_id

async def main():
    db = await Database.open(sys.argv[1])
    async with db.reading() as tx:
        print(await ledger_id(tx))
    await db.close()

asyncio.run(main())
"""


def differences(connection: Connection) -> list[object]:
    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
        return kind != "table" or not is_queue_table(name or "")

    options = {"compare_type": True, "compare_server_default": True, "include_object": ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def test_the_steps_make_the_tables_of_the_schema(db: Database) -> None:
    async with db.reading() as tx:
        assert await tx.run_sync(differences) == []


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert list(migrations.revisions()) == [f"{number:04}" for number in range(1, len(migrations.revisions()) + 1)]


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alerts.db'}"
    names = []
    for _ in range(2):
        db = await Database.open(url)
        async with db.reading() as tx:
            names.append(await ledger_id(tx))
        await db.close()
    assert names[0] == names[1]


async def test_a_newer_database_is_refused_and_left_as_it_is(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await tx.run_sync(keep_fact, USABLE_FROM, "9998")
        await tx.execute(text("DROP TABLE confirmations"))
    with pytest.raises(DatabaseNewerError, match=r"newer version .*9999.* up to"):
        await Database.open(url_of(db))
    async with db.reading() as tx:
        assert await tx.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


async def test_a_newer_database_whose_steps_keep_older_versions_going_is_used_and_left_as_it_is(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await (await Database.open(url_of(db))).close()
    async with db.reading() as tx:
        assert await tx.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


OLD_WORKER = """
INSERT INTO workers (id, node, pid, version, started_at, heartbeat_at)
VALUES ('w1', 'morning/1/2', 1, '0.0.9', now(), now())
"""


async def test_a_step_that_breaks_older_nodes_waits_until_none_works(postgresql_url: str) -> None:
    db = await Database.open(postgresql_url)
    async with db.transaction() as tx:
        await tx.run_sync(back_to, "0002")
        await tx.execute(text(OLD_WORKER))
    await db.close()
    with pytest.raises(DatabaseInUseError, match=r"schema 0002 .* brought to \d{4}.*morning \(version 0\.0\.9\)"):
        await Database.open(postgresql_url)
    engine = create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0002"
        connection.execute(text("UPDATE workers SET heartbeat_at = heartbeat_at - interval '31 seconds'"))
    engine.dispose()
    db = await Database.open(postgresql_url)
    async with db.reading() as tx:
        assert await tx.run_sync(differences) == []
    await db.close()


def url_of(db: Database) -> str:
    return f"sqlite:///{db.where}" if db.dialect == "sqlite" else db.where


async def test_somebody_elses_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StorageError, match="invoices"):
        await Database.open(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as theirs:
        assert [name for (name,) in theirs.execute("SELECT name FROM sqlite_master")] == ["invoices"]


async def test_a_step_that_fails_leaves_nothing_half_done(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_connection: Connection) -> None:
        raise LookupError("the power went")

    monkeypatch.setattr(migrations, "make_facts", fail)
    with pytest.raises(LookupError):
        await Database.open(postgresql_url)
    monkeypatch.undo()
    db = await Database.open(postgresql_url)
    async with db.reading() as tx:
        assert await tx.run_sync(differences) == []
    await db.close()


async def test_a_first_open_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_connection: Connection) -> None:
        raise LookupError("the power went")

    monkeypatch.setattr(migrations, "make_facts", fail)
    with pytest.raises(LookupError):
        await Database.open(f"sqlite:///{tmp_path / 'alerts.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database that nobody opened yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'alerts.db'}"
    return str(request.getfixturevalue("postgresql_url"))


async def test_tasks_that_open_it_first_at_once_agree(fresh_url: str) -> None:
    databases = await asyncio.gather(*(Database.open(fresh_url) for _ in range(4)))
    names = set()
    for db in databases:
        async with db.reading() as tx:
            names.add(await ledger_id(tx))
        await db.close()
    assert len(names) == 1


def test_processes_that_open_it_first_at_once_agree(fresh_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, fresh_url], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(said) == 1


FILLED = """
INSERT INTO deliveries (id, kind, lane, subscriber_id, article_id, confirmation_id, state, due_at, dated_at, reply)
VALUES (3, 'alert', 1, 7, 8, NULL, 'sent', '2026-01-05 12:00:00', '2026-01-05 12:00:00', '250 ok'),
       (9, 'confirmation', 0, 7, NULL, 4, 'pending', '2026-01-05 12:00:00', '2026-01-05 12:00:00', NULL)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_second_step_keeps_every_delivery_and_gives_no_key_out_again(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Message-IDs bear the keys of deliveries, also of those that retention has removed."""
    url = f"sqlite:///{tmp_path / 'alerts.db'}" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    db = await Database.open(url)
    async with db.transaction() as tx:
        await tx.run_sync(back_to_the_first_step)
    await db.close()
    db = await Database.open(url)
    async with db.transaction() as tx:
        assert await tx.run_sync(differences) == []
        rows = (await tx.execute(text("SELECT id, state, reply FROM deliveries ORDER BY id"))).all()
        assert [tuple(row) for row in rows] == [(3, "sent", "250 ok"), (9, "pending", None)]
        key = await tx.scalar(
            text(
                "INSERT INTO deliveries (kind, lane, subscriber_id, state, due_at, dated_at) VALUES"
                " ('test', 0, 1, 'pending', '2026-01-05 12:00:00', '2026-01-05 12:00:00') RETURNING id"
            )
        )
        assert key == 11
    await db.close()


def back_to_the_first_step(connection: Connection) -> None:
    """Make the tables as the first step did, with rows, the last of which is gone."""
    back_to(connection, "0001")
    connection.execute(text(FILLED))
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval('deliveries_id_seq', 9)"))
    again = (
        "INSERT INTO deliveries (kind, lane, subscriber_id, state, due_at, dated_at) SELECT kind, lane, subscriber_id,"
    )
    connection.execute(text(f"{again} state, due_at, dated_at FROM deliveries WHERE id = 3"))
    connection.execute(text("DELETE FROM deliveries WHERE id = 10"))


def back_to(connection: Connection, step: str) -> None:
    """Make an empty ledger as a version did that knew no later step."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    else:
        for table in (*reversed(metadata.sorted_tables), migrations.VERSION_TABLE):
            connection.execute(text(f"DROP TABLE {table}"))
    context = MigrationContext.configure(connection)
    scripts = ScriptDirectory(str(migrations.FOLDER))
    for one in [*scripts.iterate_revisions(step, "base")][::-1]:
        one.module.upgrade(Operations(context))
        context.stamp(scripts, one.revision)
    make_facts(connection)
    make_first_secret(connection)
