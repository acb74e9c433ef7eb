"""Read a folder: look at its files, read those that are ready, store their articles, keep what was seen of each.

Where the looks stand is kept in rows, not in memory: any process can take the second look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from time import monotonic
from uuid import uuid4

import structlog

from alerts.core.articles import content_hash
from alerts.core.errors import ArticleError, FetchError
from alerts.core.items import Parsed
from alerts.core.looks import LOOKS_APART, Decision, Known, Look, decide
from alerts.core.model import Item, Source, SourceState
from alerts.core.publication import Publication, decide_publication
from alerts.core.publication import Step as PublicationStep
from alerts.queue import Enlist, Job, Step
from alerts.sources.folder import FileGoneError, FoundFile, Refused, Scan, read_file, scan
from alerts.sources.formats import read_items
from alerts.storage import files, floods, sources
from alerts.storage.articles import count_alerting, store_items
from alerts.storage.engine import Database
from alerts.storage.files import FileRow
from alerts.storage.floods import Holding
from alerts.storage.polls import worker_claim

_log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
FILES_A_STEP = 100  # read and stored in one transaction
BYTES_A_STEP = 16 << 20

_UNSEEN = Look(size=0, mtime_ns=0, inode=0)  # of what was set aside without a look


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPoll:
    """What a poll of a folder did; ``look_again_at`` is when files that just changed are ready to be read."""

    worked: bool
    reason: str | None = None  # why it did not work
    read: int = 0
    new: int = 0
    changed: int = 0
    seen: int = 0
    article_ids: tuple[int, ...] = ()  # of the new ones
    look_again_at: datetime | None = None
    held: int = 0  # of the new ones, as part of a flood
    holding: Holding | None = None  # the flood


@dataclass(slots=True)
class _Plan:
    """What the looks say: rows to write now, files to read."""

    rows: list[FileRow] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    to_read: list[tuple[FoundFile, Known]] = field(default_factory=list)
    look_again_at: datetime | None = None  # when the first file is ready for its second look


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadFile:
    """What reading one file gave: the items to store and the row to keep."""

    row: FileRow
    items: tuple[Item, ...] = ()
    was_there: bool = False
    changed_meanwhile: bool = False


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
    hold = _Hold(db, source.id, worker_claim(uuid4().hex, worker=worker), now)
    claimed = await hold.take()
    if claimed is None:
        return FolderPoll(worked=True, look_again_at=now + LOOKS_APART if await hold.is_polled() else None)
    # 2. Look.
    try:
        found = await asyncio.to_thread(scan, Path(claimed.location))
    except FetchError as error:
        await hold.record_failure(str(error), next_poll_at=now + claimed.every)
        return FolderPoll(worked=False, reason=str(error))
    async with db.reading() as tx:
        known = await files.known_files(tx, claimed.id)
    plan = _plan(found, known, claimed, now=now, once=once)
    async with db.transaction() as tx:
        await files.forget_files(tx, claimed.id, plan.gone)
        await files.keep_files(tx, claimed.id, plan.rows)
    # 3. Read and store, a step at a time.
    poll = FolderPoll(worked=True, look_again_at=plan.look_again_at)
    upcoming = await _upcoming(db, claimed, plan.to_read, now=now, time_zone=site_time_zone)
    for step in _steps(plan.to_read):
        results = [await asyncio.to_thread(_read, file, seen, now, site_time_zone) for file, seen in step]
        if not await hold.extend():
            return poll  # somebody else goes on
        poll = await _store(db, claimed, results, poll, upcoming=upcoming, now=now, enlist=enlist)
        on_progress(poll.read, len(plan.to_read))
    # 4. Say when to come back.
    await hold.record_success(next_poll_at=min(filter(None, (now + claimed.every, poll.look_again_at))))
    return poll


class _Hold:
    """Our claim on the source, for as long as the poll lasts."""

    def __init__(self, db: Database, source_id: int, claim: str, now: datetime) -> None:
        self._db = db
        self._source_id = source_id
        self._claim = claim
        self._now = now  # when the poll began
        self._began = monotonic()

    async def take(self) -> Source | None:
        """Claim the source and return it as it is now; None when it is claimed, or polled no more."""
        async with self._db.transaction() as tx:
            return await sources.claim_source(
                tx, self._source_id, claim=self._claim, now=self._now, lease=LEASE, only_due=False
            )

    async def is_polled(self) -> bool:
        """Say whether the source is polled at all: then somebody else holds it."""
        async with self._db.reading() as tx:
            source = await sources.source_by_id(tx, self._source_id)
        return source is not None and source.state in {SourceState.OK, SourceState.FAILING}

    async def extend(self) -> bool:
        """Hold it longer; False when it was lost."""
        now = self._now + timedelta(seconds=monotonic() - self._began)
        async with self._db.transaction() as tx:
            return await sources.extend_lease(tx, self._source_id, claim=self._claim, now=now, lease=LEASE)

    async def record_success(self, *, next_poll_at: datetime) -> None:
        """Record that the poll worked, and let go."""
        async with self._db.transaction() as tx:
            await sources.record_success(
                tx, self._source_id, claim=self._claim, now=self._now, next_poll_at=next_poll_at
            )

    async def record_failure(self, reason: str, *, next_poll_at: datetime) -> None:
        """Record why it did not work, and let go."""
        async with self._db.transaction() as tx:
            await sources.record_failure(
                tx, self._source_id, claim=self._claim, now=self._now, next_poll_at=next_poll_at, reason=reason
            )


def _plan(found: Scan, known: Mapping[str, FileRow], source: Source, *, now: datetime, once: bool) -> _Plan:
    plan = _Plan()
    for file in sorted(found.files, key=lambda one: (one.look.mtime_ns, one.path)):
        _plan_file(plan, file, known.get(file.path), is_first=source.polled_at is None, now=now, once=once)
    plan.rows += [row for one in found.refused if (row := _refused(one, known.get(one.path), now=now))]
    plan.gone = _gone(found, known)
    return plan


def _plan_file(plan: _Plan, file: FoundFile, row: FileRow | None, *, is_first: bool, now: datetime, once: bool) -> None:
    """Decide about one file by its looks."""
    known = row.known if row else None
    was_there = is_first or (known is not None and known.was_there)
    decision = decide(known, file.look, now=now, once=once)
    if decision is Decision.READ:
        plan.to_read.append((file, replace(known, was_there=was_there) if known else _look(file, now, was_there)))
        return
    if decision is Decision.LEAVE:
        return
    if decision is Decision.LOOK_AGAIN:
        looked_at = known.looked_at if known and known.look == file.look else now
        plan.look_again_at = _sooner(plan.look_again_at, looked_at + LOOKS_APART)
    if known is None or known.look != file.look:
        is_busy = known is not None and known.read_at is None and known.look != _UNSEEN
        reason = "is still being written" if is_busy else None
        plan.rows.append(FileRow(path=file.path, known=_look(file, now, was_there), reason=reason))


def _sooner(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def _look(file: FoundFile, now: datetime, was_there: bool) -> Known:  # noqa: FBT001 - private, and named so at each call
    return Known(look=file.look, looked_at=now, was_there=was_there)


def _refused(refused: Refused, row: FileRow | None, *, now: datetime) -> FileRow | None:
    """Return the row of what is set aside, or None when it says so already."""
    if row is not None and row.reason == refused.reason and row.known.look == _UNSEEN:
        return None
    return FileRow(path=refused.path, known=Known(look=_UNSEEN, looked_at=now), reason=refused.reason)


def _gone(found: Scan, known: Mapping[str, FileRow]) -> list[str]:
    """Return the paths that are not there any more, but for those below a folder that could not be read."""
    there = {file.path for file in found.files} | {one.path for one in found.refused}
    unseen = tuple(f"{one.path}/" for one in found.refused if one.is_folder)
    return [path for path in known if path not in there and not path.startswith(unseen)]


def _steps(to_read: Sequence[tuple[FoundFile, Known]]) -> Iterator[list[tuple[FoundFile, Known]]]:
    """Part the files into steps that are neither long nor large."""
    step: list[tuple[FoundFile, Known]] = []
    size = 0
    for one in to_read:
        if step and (len(step) == FILES_A_STEP or size + one[0].look.size > BYTES_A_STEP):
            yield step
            step, size = [], 0
        step.append(one)
        size += one[0].look.size
    if step:
        yield step


async def _upcoming(
    db: Database, source: Source, to_read: Sequence[tuple[FoundFile, Known]], *, now: datetime, time_zone: tzinfo
) -> int:
    """Count what a poll of many steps brings, if it is a flood: else its first steps would be mailed. 0: it is none.

    Files are read for it once more only where there are more than may be mailed, and only until as many are found.
    """
    found, steps = 0, list(_steps([one for one in to_read if not one[1].was_there]))
    async with db.reading() as tx:
        room = await floods.room(tx, source, now=now) if len(steps) > 1 else None
    if room is None or sum(map(len, steps)) <= room:
        return 0
    for step in steps:
        items = [item for one in step for item in (await asyncio.to_thread(_read, *one, now, time_zone)).items]
        async with db.reading() as tx:
            found += await count_alerting(tx, source=source, items=items, now=now)
        if found > room:
            return found
    return 0


async def _store(
    db: Database,
    source: Source,
    results: Sequence[_ReadFile],
    poll: FolderPoll,
    *,
    upcoming: int,
    now: datetime,
    enlist: Enlist | None,
) -> FolderPoll:
    """Store the articles of some files and what was seen of the files, in one transaction."""
    before = poll.new
    async with db.transaction() as tx:
        copies = await files.copies(tx, source.id, _hashes(results))
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
                article_ids=poll.article_ids + stored.article_ids,
                held=poll.held + stored.held,
                holding=poll.holding or stored.holding,
            )
        await files.keep_files(tx, source.id, [one.row for one in results])
        if poll.new > before and enlist is not None:
            await enlist(tx, Job(Step.MATCH))
    again = _sooner(poll.look_again_at, now) if any(one.changed_meanwhile for one in results) else poll.look_again_at
    return replace(poll, read=poll.read + len(results), seen=poll.seen + len(copies), look_again_at=again)


def _hashes(results: Sequence[_ReadFile]) -> list[tuple[str, str]]:
    """Return the path and the content of every item that has no id but its file's path."""
    return [(one.row.path, content_hash(item)) for one in results for item in one.items if item.item_id == one.row.path]


def _read(file: FoundFile, known: Known, now: datetime, time_zone: tzinfo) -> _ReadFile:
    """Read one file; whatever is wrong with it becomes a reason, never an exception."""
    row = FileRow(path=file.path, known=Known(look=file.look, looked_at=known.looked_at, read_at=now))
    try:
        data = read_file(file)
    except FileGoneError:
        look_again = replace(known, look=_UNSEEN, looked_at=now, read_at=None)
        return _ReadFile(row=FileRow(path=file.path, known=look_again), changed_meanwhile=True)
    except ArticleError as error:  # may be mended without a change to the file: a permission, a disk
        unread = replace(row.known, read_at=None, was_there=known.was_there)
        return _ReadFile(row=FileRow(path=file.path, known=unread, reason=str(error)))
    try:
        parsed = read_items(file.path, data, time_zone=time_zone)
    except ArticleError as error:
        return _ReadFile(row=replace(row, reason=str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the other files from being read
        _log.error("file_not_read", path=file.path, error=type(error).__name__, exc_info=error)
        return _ReadFile(row=replace(row, reason=f"cannot be read ({type(error).__name__}, a fault of News Alert)"))
    if parsed.notes:
        _log.info("file_read_with_notes", path=file.path, notes=list(parsed.notes))
    return _sort_out(row, parsed, now=now, was_there=known.was_there)


def _sort_out(row: FileRow, parsed: Parsed, *, now: datetime, was_there: bool) -> _ReadFile:
    """Part the items that may be seen now from those that wait or are left out."""
    decided = [(one.item, decide_publication(one, now=now)) for one in parsed.items]
    items = tuple(item for item, publication in decided if publication.step is PublicationStep.PUBLISH)
    held = [publication for _, publication in decided if publication.step is not PublicationStep.PUBLISH]
    wait_until_at = min((one.until_at for one in held if one.until_at), default=None)
    known = replace(row.known, wait_until_at=wait_until_at)
    return _ReadFile(
        row=replace(row, known=known, reason=_reason(held, total=len(decided))), items=items, was_there=was_there
    )


def _reason(held: Sequence[Publication], *, total: int) -> str | None:
    if not held:
        return None
    return held[0].reason if total == 1 else f"{len(held)} of {total} articles left out; the first {held[0].reason}"
