"""The ledgers that benches work on: a PostgreSQL as durable as in earnest, and a way into either kind from outside."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psycopg

# Who imports this module finds the tests' servers too.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "servers"))

import postgresql_server
from postgresql_server import PostgresqlServer, PostgresqlUnavailableError


@contextlib.contextmanager
def postgresql() -> Iterator[PostgresqlServer | None]:
    """Run the tests' PostgreSQL, durable and with its autovacuum on; say so and give None where there is none."""
    kept = tuple(setting for setting in postgresql_server.DURABLE if setting[0] != "autovacuum")
    setattr(postgresql_server, "DURABLE", kept)  # noqa: B010 - its type counts the settings
    with contextlib.ExitStack() as stack:
        server = None
        try:
            server = stack.enter_context(PostgresqlServer.start(durable=True))
        except PostgresqlUnavailableError as error:
            print(f"no PostgreSQL: {error}")
        yield server


def server_pid(server: PostgresqlServer) -> int:
    """Name the process above all of a server's."""
    (folder,) = server.admin.execute("SHOW data_directory").fetchone() or ("",)
    return int((Path(folder) / "postmaster.pid").read_text(encoding="ascii").split()[0])


class Ledger:
    """A connection of the bench's own, beside those who work with the ledger; each statement is a transaction."""

    def __init__(self, url: str) -> None:
        self.pid: int | None = None  # the process that serves it, if another does
        self._db: sqlite3.Connection | psycopg.Connection[Any]
        self.is_sqlite = url.startswith("sqlite:")
        if self.is_sqlite:
            path = url.removeprefix("sqlite:///")
            self._db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
        else:
            # A look must not cost what is measured: on an index always, planned for the table as it is now.
            options = "-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off"
            self._db = psycopg.connect(url, autocommit=True, prepare_threshold=None, options=options)
            self.pid = self._db.info.backend_pid

    def row(self, question: str, *values: object) -> tuple[Any, ...] | None:
        """Ask a question, with a ? for each value; return the first row of the answer."""
        found: tuple[Any, ...] | None
        if isinstance(self._db, sqlite3.Connection):
            found = self._db.execute(question, _for_sqlite(values)).fetchone()
        else:
            found = self._db.execute(_for_psycopg(question), values).fetchone()
        return found

    def do(self, statement: str, *values: object) -> None:
        """Change something, with a ? for each value."""
        if isinstance(self._db, sqlite3.Connection):
            self._db.execute(statement, _for_sqlite(values))
        else:
            self._db.execute(_for_psycopg(statement), values)

    def rest(self, *tables: str) -> None:
        """Leave tables as PostgreSQL's autovacuum does in a quiet hour: its statistics know nothing of what comes."""
        if not self.is_sqlite:
            self.do(f"VACUUM ANALYZE {', '.join(tables)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._db.close()


def time_of(value: str | datetime) -> datetime:
    """Read a time as either database gives it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _for_sqlite(values: Sequence[object]) -> list[Any]:
    return [f"{one:%Y-%m-%d %H:%M:%S.%f}" if isinstance(one, datetime) else one for one in values]


def _for_psycopg(statement: str) -> bytes:
    return statement.replace("%", "%%").replace("?", "%s").encode()
