from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.model import Content, FirstPoll, Source, SourceKind, SourceState
from alerts.storage import sources as rows
from alerts.storage.engine import Database

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
FEED = Source(
    id=0,
    name="news.example",
    kind=SourceKind.FEED,
    location="https://news.example/feed.xml",
    every=timedelta(minutes=5),
    first_poll=FirstPoll.SEEN,
    max_age=timedelta(hours=48),
    allow_private=False,
    state=SourceState.OK,
    reason=None,
    next_poll_at=NOON,
    polled_at=None,
)


async def added(db: Database, **changes: object) -> Source:
    async with db.transaction() as tx:
        wanted = replace(FEED, **changes)  # type: ignore[arg-type]  # the tests name real fields
        source = await rows.insert_source(tx, source=wanted, origin="cli", now=NOON)
    assert source is not None
    return source


async def claimed(db: Database, source: Source, claim: str = "mine", *, now: datetime = NOON) -> Source | None:
    async with db.transaction() as tx:
        return await rows.claim_source(tx, source.id, claim=claim, now=now, lease=LEASE)


async def worked(db: Database, source: Source, claim: str = "mine", *, now: datetime = NOON) -> bool:
    async with db.transaction() as tx:
        return await rows.record_success(
            tx, source.id, claim=claim, now=now, next_poll_at=now + source.every, etag='"1"', body_hash="abc"
        )


async def failed(
    db: Database, source: Source, claim: str = "mine", *, now: datetime = NOON, stopped: bool = False
) -> bool:
    async with db.transaction() as tx:
        return await rows.record_failure(
            tx, source.id, claim=claim, now=now, next_poll_at=now + LEASE, reason="it failed (500)", stopped=stopped
        )


async def stored(db: Database, source: Source) -> Source:
    async with db.reading() as tx:
        found = await rows.source_by_id(tx, source.id)
    assert found is not None
    return found


async def due(db: Database, *, now: datetime = NOON) -> list[str]:
    async with db.reading() as tx:
        return [one.name for one in await rows.due_sources(tx, now=now, limit=10)]


async def test_a_source_is_stored_whole(db: Database) -> None:
    source = await added(db)

    assert await stored(db, source) == replace(FEED, id=source.id)
    async with db.reading() as tx:
        assert await rows.source_by_location(tx, FEED.location) == source
        assert await rows.source_by_name(tx, FEED.name) == source
        assert await rows.source_by_name(tx, "nobody") is None
        assert await rows.source_by_id(tx, 999) is None


@pytest.mark.parametrize("taken", [{"name": "other"}, {"location": "https://other.example/"}])
async def test_a_name_and_a_location_are_there_once(db: Database, taken: dict[str, str]) -> None:
    await added(db)

    async with db.transaction() as tx:
        twin = replace(FEED, **taken)  # type: ignore[arg-type]  # real fields
        assert await rows.insert_source(tx, source=twin, origin="cli", now=NOON) is None


async def test_the_longest_overdue_comes_first_and_who_rests_is_not_due(db: Database) -> None:
    for name, minutes in (("late", -5), ("later", -10), ("early", 1)):
        await added(db, name=name, location=name, next_poll_at=NOON + timedelta(minutes=minutes))
    for state in (SourceState.PAUSED, SourceState.STOPPED, SourceState.REMOVED):
        await added(db, name=state.value, location=state.value, state=state)

    assert await due(db) == ["later", "late"]
    async with db.reading() as tx:
        assert await rows.due_sources(tx, now=NOON, limit=10, kind=SourceKind.FOLDER) == []


async def test_one_worker_takes_a_source(db: Database) -> None:
    source = await added(db)

    assert await claimed(db, source) == source
    assert await claimed(db, source, "theirs") is None
    assert await due(db) == []


async def test_a_lease_ends(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)

    assert await due(db, now=NOON + LEASE) == [source.name]
    assert await claimed(db, source, "theirs", now=NOON + LEASE) is not None
    assert not await worked(db, source, "mine", now=NOON + LEASE)
    assert await worked(db, source, "theirs", now=NOON + LEASE)


async def test_a_source_that_is_not_due_is_taken_only_on_demand(db: Database) -> None:
    source = await added(db, next_poll_at=NOON + LEASE)

    assert await claimed(db, source) is None
    async with db.transaction() as tx:
        assert await rows.claim_source(tx, source.id, claim="x", now=NOON, lease=LEASE, only_due=False) is not None


async def test_a_poll_that_worked_leaves_what_the_next_one_needs(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)

    assert await worked(db, source)

    after = await stored(db, source)
    assert (after.state, after.polled_at, after.next_poll_at) == (SourceState.OK, NOON, NOON + source.every)
    assert (after.etag, after.last_modified, after.body_hash) == ('"1"', None, "abc")
    assert not await worked(db, source)


async def test_polls_that_failed_are_counted_and_keep_what_the_last_one_that_worked_left(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)
    await worked(db, source)
    for minutes in (10, 20):
        now = NOON + timedelta(minutes=minutes)
        await claimed(db, source, now=now)
        assert await failed(db, source, now=now)

    after = await stored(db, source)
    assert (after.state, after.reason, after.failures) == (SourceState.FAILING, "it failed (500)", 2)
    assert after.failing_since_at == NOON + timedelta(minutes=10)
    assert (after.polled_at, after.etag, after.body_hash) == (NOON, '"1"', "abc")

    await claimed(db, source, now=NOON + timedelta(hours=1))
    await worked(db, source, now=NOON + timedelta(hours=1))
    after = await stored(db, source)
    assert (after.state, after.reason, after.failures, after.failing_since_at) == (SourceState.OK, None, 0, None)


async def test_a_source_that_is_gone_is_polled_no_more_until_it_is_resumed(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)
    await failed(db, source, stopped=True)

    assert (await stored(db, source)).state is SourceState.STOPPED
    assert await claimed(db, source, now=NOON + timedelta(days=9)) is None
    async with db.transaction() as tx:
        assert await rows.resume_source(tx, source.id, now=NOON)
        assert not await rows.resume_source(tx, source.id, now=NOON)
    assert await due(db) == [source.name]


async def test_pausing_takes_the_source_from_the_poll_under_way(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)

    async with db.transaction() as tx:
        assert await rows.rest_source(tx, source.id, state=SourceState.PAUSED)
        assert not await rows.rest_source(tx, source.id, state=SourceState.PAUSED)

    assert not await worked(db, source)
    assert not await failed(db, source)
    assert (await stored(db, source)).state is SourceState.PAUSED


async def test_a_poll_that_was_given_up_leaves_the_source_as_it_was(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)

    async with db.transaction() as tx:
        assert await rows.release_source(tx, source.id, claim="mine")

    assert await stored(db, source) == source
    assert await due(db) == [source.name]


async def test_a_source_that_comes_back_begins_anew(db: Database) -> None:
    source = await added(db)
    await claimed(db, source)
    await worked(db, source)
    async with db.transaction() as tx:
        await rows.rest_source(tx, source.id, state=SourceState.REMOVED)
        assert await rows.list_sources(tx) == []
        assert len(await rows.list_sources(tx, include_removed=True)) == 1
        await rows.revive_source(tx, source.id, now=NOON)

    assert await stored(db, source) == source


async def test_a_shorter_interval_counts_from_now_on(db: Database) -> None:
    source = await added(db, every=timedelta(days=1), next_poll_at=NOON + timedelta(days=1))
    changed = replace(source, every=timedelta(minutes=1), name="renamed", allow_private=True, max_age=None)
    changed = replace(changed, content=Content.PAGE)

    async with db.transaction() as tx:
        await rows.update_settings(tx, source=changed, origin="config", now=NOON)
        assert await rows.origins(tx) == {source.id: "config"}
        assert await rows.taken_names(tx) == ["renamed"]

    assert await stored(db, source) == replace(changed, next_poll_at=NOON + timedelta(minutes=1))


async def test_a_removed_source_gives_its_name_away(db: Database) -> None:
    source = await added(db, state=SourceState.REMOVED)

    async with db.transaction() as tx:
        await rows.free_name(tx, source.name, but_of=source)
        assert await rows.taken_names(tx) == [source.name]
        await rows.free_name(tx, source.name)
        assert await rows.taken_names(tx) == [f"{source.name} (removed {source.id})"]
