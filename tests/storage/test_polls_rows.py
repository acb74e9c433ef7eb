from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts.core.model import FirstPoll, Source, SourceKind, SourceState
from alerts.storage import polls as rows
from alerts.storage import sources
from alerts.storage.engine import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)


async def added(
    db: Database, name: str, *, kind: SourceKind = SourceKind.FEED, state: SourceState = SourceState.OK, late: int = 0
) -> Source:
    wanted = Source(
        id=0,
        name=name,
        kind=kind,
        location=f"https://{name}.example/",
        every=LEASE,
        first_poll=FirstPoll.SEEN,
        max_age=None,
        allow_private=False,
        state=state,
        reason=None,
        next_poll_at=NOON - timedelta(minutes=late),
        polled_at=None,
    )
    async with db.transaction() as tx:
        source = await sources.insert_source(tx, source=wanted, origin="cli", now=NOON)
    assert source is not None
    return source


async def claimed(db: Database, source: Source, claim: str) -> Source | None:
    async with db.transaction() as tx:
        return await sources.claim_source(tx, source.id, claim=claim, now=NOON, lease=LEASE)


async def test_who_is_due_comes_with_the_place_it_is_asked_for_at(db: Database) -> None:
    moved, held = await added(db, "moved", late=1), await added(db, "held", late=2)
    folder = await added(db, "folder", kind=SourceKind.FOLDER, late=3)
    await added(db, "later", late=-1)
    await added(db, "paused", state=SourceState.PAUSED)
    await claimed(db, moved, "mine")
    async with db.transaction() as tx:
        await sources.record_success(
            tx, moved.id, claim="mine", now=NOON, next_poll_at=NOON, moved_to="https://new.example/"
        )
    await claimed(db, held, "mine")

    async with db.reading() as tx:
        due = await rows.due_places(tx, now=NOON, limit=9)
        first = await rows.due_places(tx, now=NOON, limit=1)
        polled = await rows.polled_places(tx, now=NOON)
        none = await rows.polled_places(tx, now=NOON + LEASE)

    assert due == [(folder.id, None), (moved.id, "https://new.example/")]
    assert first == due[:1]
    assert (polled, none) == ([held.location], [])


async def test_claims_of_workers_that_live_no_more_are_taken_back_and_no_others(db: Database) -> None:
    names = {"dead": "w/1", "living": "w/2", "nobody": None}
    for name, worker in names.items():
        await claimed(db, await added(db, name), rows.worker_claim("token", worker=worker))

    async with db.transaction() as tx:
        released = await rows.release_of_dead(tx, living={"w/2"})
    async with db.reading() as tx:
        polled = await rows.polled_places(tx, now=NOON)

    assert released == 1
    assert sorted(polled) == ["https://living.example/", "https://nobody.example/"]


async def test_sources_are_counted_by_state(db: Database) -> None:
    for name, state in (("a", SourceState.OK), ("b", SourceState.OK), ("c", SourceState.REMOVED)):
        await added(db, name, state=state)

    async with db.reading() as tx:
        counts = await rows.count_by_state(tx)

    assert counts == {SourceState.OK: 2, SourceState.FAILING: 0, SourceState.PAUSED: 0, SourceState.STOPPED: 0}
