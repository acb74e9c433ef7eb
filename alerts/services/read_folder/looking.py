"""Look at a folder: what is there beside what is known of it, a piece at a time; opens no file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from alerts.core.folder_plan import FolderPlan, Piece, ReadingList, sooner
from alerts.core.looks import KnownFile
from alerts.core.model import Source
from alerts.services.read_folder.hold import Hold
from alerts.sources.folder import scan
from alerts.storage import files
from alerts.storage.engine import Database

PIECE = 1_000  # files known, decided about and noted at once; the event loop has its turns between two pieces


@dataclass(slots=True)
class Looked:
    """What is to be done after a look."""

    to_read: ReadingList = field(default_factory=ReadingList)
    look_again_at: datetime | None = None  # when the first file is ready for its second look


async def look_at_folder(db: Database, hold: Hold, source: Source, *, now: datetime, once: bool) -> Looked | None:
    """Look at every file; write down at once what is only noted, return what is to be read.

    None when the claim was lost: somebody else goes on. Raises FetchError with the reason when the folder cannot be
    read. Killed between two pieces, the files of the later ones are looked at again; nothing else is lost.
    """
    found = await asyncio.to_thread(scan, Path(source.location))
    plan = FolderPlan(found, is_first=source.polled_at is None, now=now, once=once)
    looked, after = Looked(), ""
    while known := await _known(db, source, after):
        after = known[-1].path
        if not await _settle(db, hold, source, await asyncio.to_thread(plan.take, known), looked):
            return None
    while piece := await asyncio.to_thread(plan.rest, PIECE):
        if not await _settle(db, hold, source, piece, looked):
            return None
    await asyncio.to_thread(looked.to_read.sort)
    return looked


async def _known(db: Database, source: Source, after: str) -> list[KnownFile]:
    async with db.reading() as tx:
        return await files.known_files(tx, source.id, after=after, limit=PIECE)


async def _settle(db: Database, hold: Hold, source: Source, piece: Piece, looked: Looked) -> bool:
    """Write what a piece notes and forgets, in one transaction, and remember the rest; False: the claim was lost."""
    looked.to_read.add(piece.to_read)
    looked.look_again_at = sooner(looked.look_again_at, piece.look_again_at)
    if not piece.keep and not piece.gone:
        return True
    async with db.transaction() as tx:
        if not await hold.extend(tx):
            return False
        await files.forget_files(tx, source.id, piece.gone)
        await files.keep_files(tx, source.id, piece.keep)
    return True
