"""What a config would change of the queries in force, for `alerts config check`; a database away is no error."""

from __future__ import annotations

import asyncio

from alerts.app import utc_now
from alerts.cli.edits import tell_progress
from alerts.cli.output import note
from alerts.config import Config
from alerts.core.errors import AlertsError
from alerts.services.aliases import reader_of
from alerts.services.back_test import BackTest, back_test
from alerts.services.try_channels import edits_of
from alerts.storage.engine import Database

MOST_COMPARED = 50  # queries in one pass
_ANSWER_S = 10.0


async def changes_of(config: Config) -> list[BackTest]:
    """Back-test every query that the config changes; say on stderr why, where that cannot be."""
    try:
        db = Database.as_it_is(config.database)
    except AlertsError:
        return []  # there is none yet: nothing is in force
    try:
        return await _compared(db, config)
    except (AlertsError, TimeoutError) as error:
        note(f"changes are not shown: the database did not answer: {error or 'in time'}")
        return []
    finally:
        await db.close()


async def _compared(db: Database, config: Config) -> list[BackTest]:
    async with asyncio.timeout(_ANSWER_S):
        edits = [edit for edit in await edits_of(db, config.channels, config.aliases) if edit.old is not None]
    if len(edits) > MOST_COMPARED:
        note(f"{len(edits)} queries differ; the first {MOST_COMPARED} are compared")
    return await back_test(
        db, edits[:MOST_COMPARED], now=utc_now(), progress=tell_progress, read=reader_of(config.aliases)
    )
