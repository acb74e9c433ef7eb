"""The signing secrets are made once, rotate, and are never silently made anew."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from alerts.core.errors import DatabaseCorruptError, StorageError
from alerts.core.tokens import Purpose, read, sign
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets, rotate


async def test_a_new_database_has_one_secret_of_its_own(db: Database) -> None:
    async with db.reading() as tx:
        ((key_id, secret),) = await load_secrets(tx)
    assert key_id == 1
    assert len(secret) == 32


async def test_two_databases_have_different_secrets(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        db = await Database.open(f"sqlite:///{tmp_path / name}")
        async with db.reading() as tx:
            found.append(await load_secrets(tx))
        await db.close()
    assert found[0] != found[1]


async def test_opening_again_keeps_the_secret(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        db = await Database.open(f"sqlite:///{tmp_path / 'alerts.db'}")
        async with db.reading() as tx:
            found.append(await load_secrets(tx))
        await db.close()
    assert found[0] == found[1]


async def test_after_a_rotation_old_links_hold_and_new_ones_are_signed_anew(db: Database, now: datetime) -> None:
    async with db.transaction() as tx:
        before = await load_secrets(tx)
        old = sign(Purpose.MANAGE, 1, 0, before)
        assert await rotate(tx, now=now) == 2
        after = await load_secrets(tx)
    assert read(old, Purpose.MANAGE, after) is not None
    assert sign(Purpose.MANAGE, 1, 0, after) != old


async def test_lost_secrets_are_not_made_again(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(delete(schema.secrets))
        with pytest.raises(DatabaseCorruptError, match="restore a backup"):
            await load_secrets(tx)


async def test_a_token_has_room_for_255_secrets(db: Database, now: datetime) -> None:
    async with db.transaction() as tx:
        await tx.execute(insert(schema.secrets).values(id=255, secret=b"x" * 32, created_at=now))
        with pytest.raises(StorageError, match="no room"):
            await rotate(tx, now=now)
