"""One poll of a folder: look, then read and store what is ready, a step at a time, each a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from uuid import uuid4

from alerts.core.errors import FetchError
from alerts.core.folder_plan import ReadingList, ToRead, sooner
from alerts.core.looks import LOOKS_APART
from alerts.core.model import Source
from alerts.queue import Enlist, Job, Step
from alerts.services.read_folder.hold import Hold
from alerts.services.read_folder.looking import look_at_folder
from alerts.services.read_folder.reading import ReadFile, read
from alerts.storage import files, floods
from alerts.storage.articles import count_alerting, store_items
from alerts.storage.engine import Database
from alerts.storage.floods import Holding
from alerts.storage.polls import worker_claim

FILES_A_STEP = 100  # read and stored in one transaction
BYTES_A_STEP = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPoll:
    """What a poll of a folder did; ``look_again_at`` is when files that just changed are ready to be read."""

    worked: bool
    reason: str | None = None  # why it did not work
    read: int = 0
    new: int = 0
    changed: int = 0
    seen: int = 0
    look_again_at: datetime | None = None
    held: int = 0  # of the new ones, as part of a flood
    holding: Holding | None = None  # the flood


async def read_folder(
    db: Database,
    source: Source,
    *,
    now: datetime,
    site_time_zone: tzinfo,
    once: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    enlist: Enlist | None = None,
    worker: str | None = None,
) -> FolderPoll:
    """Look at every file of the folder and store what is ready; a folder that cannot be read changes nothing but that.

    ``once`` reads at once what has not changed for a second. ``on_progress`` hears how many files of how many are read.
    ``enlist`` asks for the matching of what is new, in the transaction that stores it.
    ``worker`` is who reads, as the ledger knows it.
    Running it again, anywhere, at any time, stores nothing twice.
    """
    # 1. Take it, unless somebody reads it just now.
    hold = Hold(db, source.id, worker_claim(uuid4().hex, worker=worker), now)
    claimed = await hold.take()
    if claimed is None:
        return FolderPoll(worked=True, look_again_at=now + LOOKS_APART if await hold.is_polled() else None)
    # 2. Look.
    try:
        looked = await look_at_folder(db, hold, claimed, now=now, once=once)
    except FetchError as error:
        await hold.record_failure(str(error), next_poll_at=now + claimed.every)
        return FolderPoll(worked=False, reason=str(error))
    if looked is None:
        return FolderPoll(worked=True)  # somebody else goes on
    # 3. Read and store, a step at a time.
    poll = FolderPoll(worked=True, look_again_at=looked.look_again_at)
    upcoming = await _upcoming(db, hold, claimed, looked.to_read, now=now, time_zone=site_time_zone)
    for step in _steps(looked.to_read):
        results = [await asyncio.to_thread(read, one, now, site_time_zone) for one in step]
        stored = await _store(db, hold, claimed, results, poll, upcoming=upcoming, now=now, enlist=enlist)
        if stored is None:
            return poll
        poll = stored
        on_progress(poll.read, len(looked.to_read))
    # 4. Say when to come back.
    await hold.record_success(next_poll_at=min(filter(None, (now + claimed.every, poll.look_again_at))))
    return poll


def _steps(to_read: ReadingList) -> Iterator[list[ToRead]]:
    return to_read.steps(files=FILES_A_STEP, size=BYTES_A_STEP)


async def _upcoming(
    db: Database, hold: Hold, source: Source, to_read: ReadingList, *, now: datetime, time_zone: tzinfo
) -> int:
    """Count what a poll of many steps brings, if it is a flood: else its first steps would be mailed. 0: it is none.

    Files are read for it once more only where there are more than may be mailed, and only until as many are found.
    """
    fresh = to_read.without_those_that_were_there()
    if len(next(_steps(fresh), [])) == len(fresh):
        return 0  # what is stored at once is judged at once
    async with db.reading() as tx:
        room = await floods.room(tx, source, now=now)
    if room is None or len(fresh) <= room:
        return 0
    found = 0
    for step in _steps(fresh):
        items = [item for one in step for item in (await asyncio.to_thread(read, one, now, time_zone)).items]
        async with db.transaction() as tx:
            await hold.extend(tx)  # it may take long; whether the claim was lost is for the steps that store
        async with db.reading() as tx:
            found += await count_alerting(tx, source=source, items=items, now=now)
        if found > room:
            return found
    return 0


async def _store(
    db: Database,
    hold: Hold,
    source: Source,
    results: Sequence[ReadFile],
    poll: FolderPoll,
    *,
    upcoming: int,
    now: datetime,
    enlist: Enlist | None,
) -> FolderPoll | None:
    """Store the articles of some files and what was seen of the files, in one transaction; None: the claim is lost."""
    before = poll.new
    async with db.transaction() as tx:
        if not await hold.extend(tx):
            return None
        hashes = [(one.row.path, digest) for one in results for digest in one.hashes]
        copies = await files.copies(tx, source.id, hashes)
        for first_poll in (True, False):
            fresh = [one for one in results if one.was_there is first_poll]
            items = [item for one in fresh for item in one.items if item.item_id not in copies]
            stored = await store_items(
                tx, source=source, items=items, now=now, first_poll=first_poll, upcoming=upcoming
            )
            poll = replace(
                poll,
                new=poll.new + stored.new,
                changed=poll.changed + stored.changed,
                seen=poll.seen + stored.seen,
                held=poll.held + stored.held,
                holding=poll.holding or stored.holding,
            )
        await files.keep_files(tx, source.id, [one.row for one in results])
        if poll.new > before and enlist is not None:
            await enlist(tx, Job(Step.MATCH))
    again = sooner(poll.look_again_at, now) if any(one.changed_meanwhile for one in results) else poll.look_again_at
    return replace(poll, read=poll.read + len(results), seen=poll.seen + len(copies), look_again_at=again)
