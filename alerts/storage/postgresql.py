"""PostgreSQL as a ledger: how we connect to it. No queries of ours."""

from __future__ import annotations

from importlib.util import find_spec

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from alerts.core.errors import StorageError

# Every wait has a limit. Times in milliseconds; a lock is waited for as long as SQLite's busy timeout.
SETTINGS = "-c timezone=UTC -c lock_timeout=10000 -c idle_in_transaction_session_timeout=120000"
CONNECT = {
    "connect_timeout": "10",
    "application_name": "news-alert",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def engine_for(url: URL) -> AsyncEngine:
    """Return an engine with a pool of tested connections; what the URL's own query says wins."""
    if find_spec("psycopg") is None:
        raise StorageError(
            "a postgresql:// database needs the extra `postgresql`: pip install 'news-alert[postgresql]'"
        )
    query = {**CONNECT, **url.query}
    query["options"] = f"{SETTINGS} {query.get('options', '')}".strip()
    return create_async_engine(
        url.set(drivername="postgresql+psycopg", query=query),
        pool_size=10,
        max_overflow=10,
        pool_timeout=30,
        pool_recycle=1800,
        pool_pre_ping=True,  # a restarted server must not cost a transaction
    )
