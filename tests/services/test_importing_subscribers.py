"""Importing an operator's file: any encoding, any size, as often as one likes."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from cast import World
from sqlalchemy import Engine, event, func, select

from alerts.core.errors import DatabaseUnavailableError, InputError, NotFoundError
from alerts.core.people import Request
from alerts.core.subscriber_list import Problem, Remark
from alerts.core.subscriptions import Listed
from alerts.services.import_subscribers import Imported, import_subscribers
from alerts.services.preferences import person_by_address
from alerts.services.subscribe import subscribe_listed
from alerts.services.unsubscribe import unsubscribe
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets

ZONES = frozenset({"UTC"})


class Bob:
    """The operator with a file at hand; what he is told is kept."""

    def __init__(self, db: Database, now: datetime, folder: Path) -> None:
        self.db = db
        self.now = now
        self.file = folder / "people.csv"
        self.told: list[Problem | Remark] = []
        self.seen: list[tuple[int, int]] = []

    async def imports(self, *, confirmed: bool = True, slug: str = "xiaomi") -> Imported:
        async with self.db.reading() as tx:
            secrets = await load_secrets(tx)
        write = partial(
            subscribe_listed,
            self.db,
            slugs=[slug],
            confirmed=confirmed,
            now=self.now,
            secrets=secrets,
            new_salt=partial(os.urandom, 16),
        )
        return await import_subscribers(
            self.file,
            write=write,
            known_zones=ZONES,
            report=self.told.append,
            progress=lambda done, size: self.seen.append((done, size)),
        )

    async def count(self, table: str) -> int:
        async with self.db.reading() as tx:
            return await tx.scalar(select(func.count()).select_from(schema.metadata.tables[table])) or 0

    def writes(self, count: int) -> None:
        with self.file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["email", "name"])
            writer.writerows([f"reader{number}@example.com", f"Reader {number}"] for number in range(count))


@pytest.fixture
async def bob(db: Database, now: datetime, tmp_path: Path) -> Bob:
    await World(db, now).channel("xiaomi")
    return Bob(db, now, tmp_path)


async def test_good_rows_are_in_and_bad_ones_are_reported(bob: Bob) -> None:
    bob.file.write_text(
        "email,name,frequency\nalice@example.com,Alice,daily\nnobody,,\n"
        "ALICE@example.com,Alice Liu,weekly\nbob@example.com,,\n"
    )
    done = await bob.imports()
    assert done == Imported(rows=4, subscribed=2, unchanged=1, bad=1)
    assert [one.line for one in bob.told if isinstance(one, Problem)] == [3]
    alice, (held,) = (await person_by_address(bob.db, "alice@example.com")) or pytest.fail("not there")
    assert (alice.name, held.frequency.value) == ("Alice Liu", "weekly")


async def test_importing_again_changes_nothing_and_asks_nobody_again(bob: Bob) -> None:
    bob.writes(3)
    first, second = await bob.imports(confirmed=False), await bob.imports(confirmed=False)
    assert (first.asked, second.asked, second.unchanged) == (3, 0, 3)
    assert await bob.count("deliveries") == 3


async def test_who_left_is_reported_and_stays_away(bob: Bob) -> None:
    bob.writes(2)
    await bob.imports()
    person, _ = (await person_by_address(bob.db, "reader1@example.com")) or pytest.fail("not there")
    await unsubscribe(bob.db, subscriber_id=person.id, channel_ids=None, now=bob.now)
    done = await bob.imports()
    assert (done.refused, done.unchanged) == (1, 1)
    (told,) = bob.told
    assert isinstance(told, Problem)
    assert (told.line, "unsubscribed" in told.reason) == (3, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_a_file_is_read_in_the_encoding_that_it_has(bob: Bob, encoding: str) -> None:
    bob.file.write_bytes("email;name\r\nalice@example.com;Zoë “Z”\r\n".encode(encoding))
    assert (await bob.imports()).subscribed == 1
    alice, _ = (await person_by_address(bob.db, "alice@example.com")) or pytest.fail("not there")
    assert alice.name == "Zoë “Z”"
    assert bool(bob.told) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"name\nAlice\n", "no column `email`"),
        (b"\xff\xfe", "empty"),
        (bytes(range(256)) * 50, "no column `email`"),
    ],
)
async def test_what_is_no_list_is_refused_whole(bob: Bob, octets: bytes, reason: str) -> None:
    bob.file.write_bytes(octets)
    with pytest.raises(InputError, match=reason):
        await bob.imports()
    assert await bob.count("subscribers") == 0


async def test_a_file_that_cannot_be_opened_is_named(bob: Bob, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"people\.csv cannot be read: No such file"):
        await bob.imports()
    bob.file = tmp_path
    with pytest.raises(InputError, match="cannot be read"):
        await bob.imports()


async def test_an_unknown_channel_is_said_before_the_file_is_read(bob: Bob) -> None:
    with pytest.raises(NotFoundError, match="“xiomi”"):
        await bob.imports(slug="xiomi")


async def test_a_pipe_is_read_too(bob: Bob) -> None:
    os.mkfifo(bob.file)
    writer = threading.Thread(target=bob.file.write_text, args=["email\nalice@example.com\n"])
    writer.start()
    done = await bob.imports()
    writer.join()
    assert done.subscribed == 1


async def test_a_database_that_goes_away_is_not_called_an_unreadable_file(tmp_path: Path) -> None:
    async def write(requests: Sequence[Request]) -> Listed:
        if requests:
            raise DatabaseUnavailableError("gone")
        return Listed(subscribed=frozenset(), asked=frozenset(), unchanged=frozenset(), refused={})

    path = tmp_path / "people.csv"
    path.write_text("email\nalice@example.com\n")
    with pytest.raises(DatabaseUnavailableError):
        await import_subscribers(
            path, write=write, known_zones=ZONES, report=lambda _: None, progress=lambda _, __: None
        )


async def test_many_are_imported_in_batches_with_progress(bob: Bob) -> None:
    bob.writes(2_500)
    done = await bob.imports(confirmed=False)
    assert done == Imported(rows=2_500, asked=2_500)
    assert await bob.count("confirmations") == await bob.count("deliveries") == 2_500
    assert bob.seen == sorted(bob.seen)
    assert len(bob.seen) == 3
    assert bob.seen[-1][0] == bob.file.stat().st_size


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_batch_costs_a_handful_of_statements_however_many_are_in_it(bob: Bob, *, confirmed: bool) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    bob.writes(900)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        await bob.imports(confirmed=confirmed)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(statements) < 30
