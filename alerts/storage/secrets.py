"""The signing secrets: one made with the tables, more by rotation, none ever removed, since old links must hold (U5).

What is done with them is ``alerts.core.tokens``.
"""

from __future__ import annotations

import secrets as random_source
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.errors import DatabaseCorruptError, StorageError
from alerts.core.tokens import LAST_KEY_ID, SECRET_SIZE, Secrets
from alerts.storage.schema import secrets


async def load_secrets(tx: AsyncConnection) -> Secrets:
    """Load every secret; raise DatabaseCorruptError when they are gone: new ones would break every link we mailed."""
    rows = (await tx.execute(select(secrets.c.id, secrets.c.secret).order_by(secrets.c.id))).all()
    found = tuple((key_id, bytes(secret)) for key_id, secret in rows)
    if not found:
        raise DatabaseCorruptError("the database has lost its signing secrets; restore a backup")
    return Secrets(found)


async def rotate(tx: AsyncConnection, *, now: datetime) -> int:
    """Add a secret that signs from now on; return its id. Links made with the others stay valid."""
    newest: int = await tx.scalar(select(func.coalesce(func.max(secrets.c.id), 0))) or 0
    if newest >= LAST_KEY_ID:
        raise StorageError(f"the signing secrets were rotated {LAST_KEY_ID - 1} times; a token has no room for more")
    await tx.execute(insert(secrets).values(id=newest + 1, secret=_fresh(), created_at=now))
    return newest + 1


def make_first_secret(connection: Connection) -> None:
    """Write the first secret of a new database; called under the lock that migrations hold."""
    if connection.scalar(select(func.count()).select_from(secrets)) == 0:
        connection.execute(insert(secrets).values(id=1, secret=_fresh(), created_at=datetime.now(UTC)))


def _fresh() -> bytes:
    return random_source.token_bytes(SECRET_SIZE)
