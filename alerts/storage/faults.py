"""What a driver's exception means to us: corrupt, or unavailable for now; anything else is a bug and stays as it is."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alerts.core.errors import DatabaseCorruptError, DatabaseUnavailableError, StorageError

SQLITE_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_BUSY: "another process holds it",
    sqlite3.SQLITE_LOCKED: "another connection holds it",
    sqlite3.SQLITE_NOMEM: "no memory is left",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "another process holds its write-ahead log",
    sqlite3.SQLITE_NOLFS: "the file is too large for this system",
    sqlite3.SQLITE_AUTH: "access is denied",
}

# SQLSTATE classes and codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRESQL_CORRUPT = ("XX001", "XX002")
POSTGRESQL_UNAVAILABLE = ("08", "25006", "25P03", "28", "3D000", "40", "53", "55006", "55P03", "57", "58")


def translate(error: Exception, where: str) -> StorageError | None:
    """Return our error for theirs, with ``where`` naming the database; None when it is no fault of the database's."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError(f"{where}: all its connections are busy; try again")
    if isinstance(error, DBAPIError):
        return translate_driver_error(error.orig, where, lost=error.connection_invalidated)
    is_drivers = isinstance(error, sqlite3.Error) or hasattr(error, "sqlstate")  # psycopg's have one
    return translate_driver_error(error, where) if is_drivers else None


def translate_driver_error(cause: BaseException | None, where: str, *, lost: bool = False) -> StorageError | None:
    """Return our error for what sqlite3 or psycopg raised; ``lost`` when the connection went with it."""
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause, where)
    state = getattr(cause, "sqlstate", None)
    if state is None and not lost and not _is_operational(cause):
        return None
    return _postgresql(state, str(cause).strip(), where, lost=lost)


def corrupt(where: str, detail: str) -> DatabaseCorruptError:
    """Return the refusal of a database that is not sound."""
    return DatabaseCorruptError(
        f"{where} is not a sound database ({detail}); it was left as it is. "
        "Restore a backup, or name another file under `database:`."
    )


def _sqlite(cause: sqlite3.Error, where: str) -> StorageError | None:
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF  # the upper bytes hold the extended code
    if primary in SQLITE_CORRUPT:
        return corrupt(where, str(cause))
    if primary in SQLITE_UNAVAILABLE:
        return DatabaseUnavailableError(f"{where} is not available now: {SQLITE_UNAVAILABLE[primary]} ({cause})")
    return None


def _is_operational(cause: BaseException | None) -> bool:
    """Return whether psycopg calls it operational: no connection, no answer; psycopg itself may not be installed."""
    return any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)


def _postgresql(state: str | None, text: str, where: str, *, lost: bool) -> StorageError | None:
    if state is not None and state.startswith(POSTGRESQL_CORRUPT):
        return corrupt(where, text)
    if state is None or lost or state.startswith(POSTGRESQL_UNAVAILABLE):
        return DatabaseUnavailableError(f"{where} is not available now: {text}")
    return None
