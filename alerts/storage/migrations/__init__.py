"""Brings a database to this version's tables: numbered steps in ``versions/``, added to, never edited.

A step says ``keeps_older = True`` if nodes of the version before go on beside it: it only adds what they never look at.
Which step is the last that does not is a fact in the database, so that an older version can judge a newer schema.

Alembic runs them inside our own transaction, without an env.py or an alembic.ini. It is imported only when there
is something to do, as it costs a fifth of a second that most starts need not spend.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from alerts import __version__
from alerts.core.errors import DatabaseInUseError, DatabaseNewerError, StorageError
from alerts.storage.facts import USABLE_FROM, keep_fact, make_facts
from alerts.storage.schema import facts, metadata, workers
from alerts.storage.secrets import make_first_secret

FOLDER = Path(__file__).parent
VERSION_TABLE = "alembic_version"
LOCK = 0x416C65727473  # "Alerts": the advisory lock that one migrating process holds


def revisions() -> tuple[str, ...]:
    """Return the numbers of the steps that this version knows, oldest first."""
    return tuple(sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py")))


def is_current(connection: Connection, where: str) -> bool:
    """Return whether nothing is to be done; refuse a database that we do not understand.

    One that a newer version brought further is understood if each of its steps since keeps older versions going.
    """
    revision = _revision(connection, where)
    if revision is None or revision in revisions():
        return revision == revisions()[-1]
    usable_from = connection.scalar(select(facts.c.value).where(facts.c.name == USABLE_FROM))
    if usable_from in revisions():
        return True
    raise DatabaseNewerError(
        f"{where} was made by a newer version of News Alert (its schema is {revision}, this version {__version__} "
        f"knows up to {revisions()[-1]}); it was left as it is. Install the newer version, or restore an older backup."
    )


def upgrade(connection: Connection, where: str) -> None:
    """Run the missing steps in the caller's transaction; safe beside other processes that do the same.

    Raises DatabaseInUseError where nodes of an older version still work that a step would break.
    """
    if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is lock enough
        connection.execute(text("SET LOCAL lock_timeout = '5min'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if not is_current(connection, where):
        _run_missing_steps(connection, where)
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


def _run_missing_steps(connection: Connection, where: str) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - slow to import, see above
    from alembic.operations import Operations  # noqa: PLC0415 - likewise
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - likewise

    scripts = ScriptDirectory(str(FOLDER))
    context = MigrationContext.configure(connection)
    found = context.get_current_revision()
    steps = list(scripts.iterate_revisions("head", found or "base"))[::-1]
    breaking = [step.revision for step in steps if not getattr(step.module, "keeps_older", False)]
    if found is not None and breaking:
        _refuse_while_others_work(connection, where, found)
    for step in steps:
        step.module.upgrade(Operations(context))  # handed over: Alembic's own `op` is one for the whole process
        context.stamp(scripts, step.revision)
    if breaking:
        keep_fact(connection, USABLE_FROM, breaking[-1])


def _refuse_while_others_work(connection: Connection, where: str, found: str) -> None:
    """Leave a ledger alone that other nodes work with: they know nothing of what would become of it."""
    if connection.dialect.name != "postgresql":
        return  # there the lock of `alerts run` keeps a second main process out
    since = func.now() - text("interval '30 seconds'")
    living = connection.execute(
        select(workers.c.node, workers.c.version).where(workers.c.heartbeat_at > since).distinct()
    ).all()
    if living:
        names = ", ".join(sorted(f"{row.node.partition('/')[0]} (version {row.version})" for row in living))
        raise DatabaseInUseError(
            f"{where} has the schema {found} and must be brought to {revisions()[-1]}, which nodes that work with it "
            f"now would not understand: {names}. Stop them, then start this version {__version__}; a node that was "
            "killed counts as working for 30 s."
        )
