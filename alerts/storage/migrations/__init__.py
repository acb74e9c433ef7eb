"""Brings a database to this version's tables: numbered steps in ``versions/``, added to, never edited.

Alembic runs them inside our own transaction, without an env.py or an alembic.ini. It is imported only when there
is something to do, as it costs a fifth of a second that most starts need not spend.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from alerts.core.errors import DatabaseNewerError, StorageError
from alerts.storage.facts import make_facts
from alerts.storage.schema import metadata
from alerts.storage.secrets import make_first_secret

FOLDER = Path(__file__).parent
VERSION_TABLE = "alembic_version"
LOCK = 0x416C65727473  # "Alerts": the advisory lock that one migrating process holds


def revisions() -> tuple[str, ...]:
    """Return the numbers of the steps that this version knows, oldest first."""
    return tuple(sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py")))


def is_current(connection: Connection, where: str) -> bool:
    """Return whether nothing is to be done; refuse a database that we do not understand."""
    revision = _revision(connection, where)
    if revision is not None and revision not in revisions():
        raise DatabaseNewerError(
            f"{where} was made by a newer version of News Alert (its revision is {revision}, this version knows up to "
            f"{revisions()[-1]}); it was left as it is. Install the newer version, or restore an older backup."
        )
    return revision == revisions()[-1]


def upgrade(connection: Connection, where: str) -> None:
    """Run the missing steps in the caller's transaction; safe beside other processes that do the same."""
    if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is lock enough
        connection.execute(text("SET LOCAL lock_timeout = '5min'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if not is_current(connection, where):
        _run_missing_steps(connection)
        make_facts(connection)
        make_first_secret(connection)


def _revision(connection: Connection, where: str) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
        if found is not None:
            return found
    foreign = tables if connection.dialect.name == "sqlite" else tables & set(metadata.tables)
    if foreign - {VERSION_TABLE}:
        raise StorageError(
            f"{where} holds tables that are not News Alert's ({', '.join(sorted(foreign)[:3])} …); "
            "it was left as it is. Name a database of its own under `database:`."
        )
    return None


def _run_missing_steps(connection: Connection) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - slow to import, see above
    from alembic.operations import Operations  # noqa: PLC0415 - likewise
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - likewise

    scripts = ScriptDirectory(str(FOLDER))
    context = MigrationContext.configure(connection)
    steps = list(scripts.iterate_revisions("head", context.get_current_revision() or "base"))
    for step in reversed(steps):
        step.module.upgrade(Operations(context))  # handed over: Alembic's own `op` is one for the whole process
        context.stamp(scripts, step.revision)
