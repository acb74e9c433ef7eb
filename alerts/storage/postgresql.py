"""PostgreSQL as a ledger: how we connect to it, and the tables of the work queue's engine. No queries of ours."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec

from sqlalchemy import URL, Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from alerts.core.errors import StorageError

# Every wait has a limit. Times in milliseconds; a lock is waited for as long as SQLite's busy timeout.
SETTINGS = "-c timezone=UTC -c lock_timeout=10000 -c idle_in_transaction_session_timeout={idle}"
# A process that freezes in a transaction holds its rows until the server ends that; nobody could rescue its claims.
IDLE_MS = 30_000
_LIGHT = "-c synchronous_commit=off"
SENDERS_IDLE_MS = 5_000  # less than the silence after which a worker is given up
CONNECT = {
    "connect_timeout": "10",
    "application_name": "news-alert",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def engine_for(url: URL, *, idle_ms: int = IDLE_MS) -> AsyncEngine:
    """Return an engine with a pool of tested connections; what the URL's own query says wins.

    ``idle_ms``: after so long without a word in the middle of a transaction the server ends it.
    """
    if find_spec("psycopg") is None or find_spec("procrastinate") is None:
        raise StorageError("a postgresql:// database needs the extra `cluster`: pip install 'news-alert[cluster]'")
    return create_async_engine(
        _complete(url, idle_ms).set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=10,
        pool_timeout=30,
        pool_recycle=1800,
        pool_pre_ping=True,  # a restarted server must not cost a transaction
    )


def conninfo(database: str | URL, *, idle_ms: int = IDLE_MS, light: bool = False) -> str:
    """Return what psycopg connects with, for the URL of a config; with our settings, those of the URL win.

    ``light``: its commits do not wait for the disk; a server that loses power may lose the last of them.
    """
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - an extra
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg  # noqa: PLC0415 - likewise

    dialect: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    complete = _complete(make_url(database), idle_ms)
    if light:
        complete = complete.update_query_dict({"options": f"{complete.query['options']} {_LIGHT}"})
    _, options = dialect.create_connect_args(complete)
    options.pop("context", None)  # SQLAlchemy's own
    return make_conninfo(**options)


def queue_schema() -> str:
    """Return the SQL that makes the tables of Procrastinate, which hands out work to nodes."""
    return (files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8")


def is_queue_table(name: str) -> bool:
    """Say whether a table is the engine's."""
    return name.startswith("procrastinate_")


def _complete(url: URL, idle_ms: int) -> URL:
    query = {**CONNECT, **url.query}
    query["options"] = f"{SETTINGS.format(idle=idle_ms)} {query.get('options', '')}".strip()
    return url.set(query=query)
