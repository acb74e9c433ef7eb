"""A copy of a ledger in use is whole, new, and opens."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from alerts.core.errors import DatabaseCorruptError, DatabaseUnavailableError, InputError
from alerts.storage.backup import back_up, problems_of
from alerts.storage.engine import Database, insert
from alerts.storage.facts import ledger_id
from alerts.storage.new_file import unfinished
from alerts.storage.schema import facts


async def test_a_copy_holds_what_is_committed_and_opens_as_the_same_ledger(sqlite_db: Database, tmp_path: Path) -> None:
    async with sqlite_db.transaction() as tx:
        await tx.execute(insert(tx, facts).values(name="colour", value="green"))
    async with sqlite_db.transaction() as tx:
        await tx.execute(insert(tx, facts).values(name="mood", value="not committed"))
        size = back_up(f"sqlite:///{sqlite_db.where}", tmp_path / "copy.db")
    assert size == (tmp_path / "copy.db").stat().st_size
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        names = {name for (name,) in copy.execute("SELECT name FROM facts")}
    assert names == {"ledger_id", "created_by", "usable_from", "colour"}
    opened = await Database.open(f"sqlite:///{tmp_path / 'copy.db'}")
    async with opened.reading() as mine, sqlite_db.reading() as theirs:
        assert await ledger_id(mine) == await ledger_id(theirs)
    await opened.close()


async def test_a_file_that_is_there_is_never_overwritten(sqlite_db: Database, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(InputError, match="is there already"):
        back_up(f"sqlite:///{sqlite_db.where}", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


async def test_a_copy_that_fails_leaves_nothing(sqlite_db: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be written"):
        back_up(f"sqlite:///{sqlite_db.where}", tmp_path / "nowhere" / "copy.db")
    (tmp_path / "bad.db").write_text("no database")
    with pytest.raises(DatabaseCorruptError):
        back_up(f"sqlite:///{tmp_path / 'bad.db'}", tmp_path / "copy.db")
    with pytest.raises(DatabaseUnavailableError):
        back_up(f"sqlite:///{tmp_path / 'missing.db'}", tmp_path / "copy.db")
    assert not [entry.name for entry in tmp_path.iterdir() if "copy" in entry.name]


def test_postgresql_is_copied_by_its_own_tool(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pg_dump"):
        back_up("postgresql://me@host/x", tmp_path / "copy.db")


async def test_a_sound_ledger_has_no_problems(sqlite_db: Database) -> None:
    assert problems_of(Path(sqlite_db.where)) == []


async def test_a_reference_to_nothing_is_a_problem(sqlite_db: Database) -> None:
    with closing(sqlite3.connect(sqlite_db.where)) as raw:
        raw.execute("INSERT INTO matches (article_id, channel_id, score, hits, matched_at) VALUES (1, 1, 1, '[]', '')")
        raw.commit()
    assert any("matches points to a row of articles" in problem for problem in problems_of(Path(sqlite_db.where)))


async def test_a_damaged_page_is_a_problem(sqlite_db: Database) -> None:
    path = Path(sqlite_db.where)
    await sqlite_db.close()
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xa5" * 4096 + content[12288:])
    assert problems_of(path)


async def test_what_a_kill_left_of_a_copy_is_cleared_by_the_next_and_what_is_still_written_is_not(
    sqlite_db: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    abandoned, held, young = (folder / f".monday.db.{digit * 16}.new" for digit in "abc")
    journal = folder / f"{abandoned.name}-journal"
    others = [folder / ".monday.db.new", folder / f"monday.db.{'d' * 16}.new"]
    for one in (abandoned, held, young, journal, *others):
        one.write_text("half a copy")
        os.utime(one, None if one == young else (0, 0))
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        back_up(f"sqlite:///{sqlite_db.where}", folder / "tuesday.db")
    assert set(folder.iterdir()) == {held, young, *others, folder / "tuesday.db"}


async def test_a_copy_that_is_being_written_is_held(tmp_path: Path) -> None:
    with unfinished(tmp_path / "copy.db") as new:
        os.utime(new, (0, 0))
        with unfinished(tmp_path / "other.db") as other:
            assert {new, other} <= set(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
