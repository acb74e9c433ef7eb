"""Claims and outcomes, many in one statement: each row is judged by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.core.feed_pace import Pace
from alerts.core.model import FirstPoll, Source, SourceKind, SourceState
from alerts.core.websub import TRUSTED_FOR, HubLinks
from alerts.storage import sources, websub
from alerts.storage.claims import (
    Ask,
    Claimed,
    Failed,
    Worked,
    claim_sources,
    record_failed,
    record_worked,
)
from alerts.storage.engine import Database
from alerts.storage.prepared import Transaction

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
LATER = NOON + timedelta(minutes=7, microseconds=123_456)


async def added(db: Database, name: str, **changes: Any) -> Source:
    wanted = Source(
        id=0,
        name=name,
        kind=SourceKind.FEED,
        location=f"https://{name}.example/",
        every=LEASE,
        first_poll=FirstPoll.SEEN,
        max_age=None,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=NOON,
        polled_at=None,
    )
    async with db.transaction() as tx:
        source = await sources.insert_source(tx, source=replace(wanted, **changes), origin="cli", now=NOON)
    assert source is not None
    return source


async def several(db: Database, count: int) -> list[Source]:
    return [await added(db, f"news-{number}") for number in range(count)]


async def together(
    db: Database, work: Callable[[Transaction, Sequence[Any]], Awaitable[list[Any]]], rows: Sequence[Any]
) -> list[Any]:
    """Do it as polls do: past SQLAlchemy, in a transaction that waits for no disk."""
    return await db.lightly(lambda tx: work(tx, rows))


async def claimed(db: Database, *claims: tuple[Source, str]) -> list[Claimed | None]:
    return await together(db, claim_sources, [Ask(source.id, claim, NOON, LEASE) for source, claim in claims])


async def stored(db: Database, source: Source) -> Source:
    async with db.reading() as tx:
        found = await sources.source_by_id(tx, source.id)
    assert found is not None
    return found


async def test_each_ask_has_its_own_answer_in_the_order_of_the_asks(db: Database) -> None:
    free, held, early, paused = [await added(db, name) for name in ("free", "held", "early", "paused")]
    folder = await added(db, "folder", kind=SourceKind.FOLDER)
    await claimed(db, (held, "theirs"))
    async with db.transaction() as tx:
        await sources.rest_source(tx, paused.id, state=SourceState.PAUSED)
    asks = [
        Ask(paused.id, "a", NOON, LEASE),
        Ask(held.id, "b", NOON, LEASE),
        Ask(folder.id, "c", NOON, LEASE, kind=SourceKind.FEED),
        Ask(free.id, "d", NOON, LEASE, kind=SourceKind.FEED),
        Ask(early.id, "e", NOON - LEASE, LEASE),
        Ask(999_999, "f", NOON, LEASE),
    ]

    answers = await together(db, claim_sources, asks)
    on_demand = await together(db, claim_sources, [Ask(early.id, "g", NOON - LEASE, LEASE, only_due=False)])
    of_any_kind = await together(db, claim_sources, [Ask(folder.id, "h", NOON, LEASE)])

    assert answers == [None, None, None, Claimed(free, is_live=False), None, None]
    assert on_demand == [Claimed(early, is_live=False)]
    assert of_any_kind == [Claimed(folder, is_live=False)]


async def test_of_two_who_ask_for_one_source_in_one_group_one_gets_it(db: Database) -> None:
    (source,) = await several(db, 1)

    answers = await claimed(db, (source, "mine"), (source, "yours"))

    assert sorted(answer is None for answer in answers) == [False, True]
    winner = ("mine", "yours")[answers[1] is not None]
    outcomes = [Worked(source.id, claim, NOON, LATER) for claim in ("mine", "yours")]
    assert await together(db, record_worked, outcomes) == [winner == "mine", winner == "yours"]


async def test_many_who_ask_side_by_side_in_any_order_get_each_source_once(db: Database) -> None:
    """Locks that are taken in different orders would end in a deadlock."""
    added_ones = await several(db, 60)
    groups = []
    for worker in range(6):
        mixed = random.Random(worker).sample(added_ones, len(added_ones))  # noqa: S311 - an order
        groups.append([Ask(one.id, f"{worker}-{one.id}", NOON, LEASE) for one in mixed])

    answers = await asyncio.gather(*(together(db, claim_sources, group) for group in groups))

    got = [one.source.id for group in answers for one in group if one is not None]
    assert sorted(got) == sorted(one.id for one in added_ones)


async def test_who_lost_its_claim_writes_nothing_and_takes_nothing_from_the_others(db: Database) -> None:
    first, lost, last = await several(db, 3)
    await claimed(db, (first, "a"), (lost, "theirs"), (last, "c"))
    before = await stored(db, lost)
    pace = Pace(gap=timedelta(seconds=90), news_at=NOON)

    held = await together(
        db,
        record_worked,
        [
            Worked(last.id, "c", NOON, LATER, etag='W/"\\1"', last_modified="gestern", body_hash="x", pace=pace),
            Worked(lost.id, "b", NOON, LATER, etag='"mine"'),
            Worked(first.id, "a", NOON, LATER, reason="zog um nach 北京", moved_to="https://new.example/"),
        ],
    )

    assert held == [True, False, True]
    assert await stored(db, lost) == before
    assert await stored(db, last) == replace(
        last,
        next_poll_at=LATER,
        polled_at=NOON,
        etag='W/"\\1"',
        last_modified="gestern",
        body_hash="x",
        gap=pace.gap,
        news_at=NOON,
    )
    told = await stored(db, first)
    assert (told.reason, told.moved_to, told.etag) == ("zog um nach 北京", "https://new.example/", None)


async def test_two_outcomes_of_one_source_are_told_apart(db: Database) -> None:
    source, other = await several(db, 2)
    await claimed(db, (source, "mine"), (other, "other"))

    held = await together(
        db,
        record_failed,
        [
            Failed(source.id, "lost", NOON, LATER, "not mine"),
            Failed(other.id, "other", NOON, LATER, "it failed"),
            Failed(source.id, "mine", NOON, LATER, "it failed"),
        ],
    )

    assert held == [False, True, True]
    assert [(await stored(db, one)).failures for one in (source, other)] == [1, 1]


async def test_failures_side_by_side_leave_what_each_is_worth(db: Database) -> None:
    blip, told, gone, back = await several(db, 4)
    claims = [(blip, "a"), (told, "b"), (gone, "c"), (back, "d")]
    await claimed(db, *claims)
    first = [
        Worked(one.id, claim, NOON, NOON, '"1"', "today", "x", moved_to="https://n.example/") for one, claim in claims
    ]
    await together(db, record_worked, first)
    await claimed(db, *claims)

    await together(
        db,
        record_failed,
        [
            Failed(blip.id, "a", NOON, LATER, "a blip"),
            Failed(told.id, "b", NOON, LATER, "for long", warned=True),
            Failed(gone.id, "c", NOON, LATER, "gone (410)", stopped=True, warned=True),
            Failed(back.id, "d", NOON, LATER, "elsewhere", moved_back=True),
        ],
    )

    states = [await stored(db, one) for one, _ in claims]
    assert [one.state for one in states] == [SourceState.FAILING] * 2 + [SourceState.STOPPED, SourceState.FAILING]
    assert [one.warned_at for one in states] == [None, NOON, NOON, None]
    assert [one.moved_to for one in states] == ["https://n.example/"] * 3 + [None]
    assert [(one.etag, one.last_modified, one.body_hash) for one in states] == [
        *[('"1"', "today", "x")] * 3,
        (None, None, "x"),
    ]
    assert {(one.failures, one.failing_since_at, one.next_poll_at) for one in states} == {(1, NOON, LATER)}


async def test_a_claim_says_whether_a_hub_tells_us_of_the_source(db: Database) -> None:
    pushed, quiet, plain = await several(db, 3)
    for source in (pushed, quiet):
        links = HubLinks(hub="https://hub.example/", topic=source.location)
        async with db.transaction() as tx:
            await websub.offer(tx, source.id, links, token=source.name, secret="s", now=NOON)
            held = await websub.subscription_of(tx, source.id)
            assert held is not None
            await websub.activate(tx, held.id, lease_until=NOON + LEASE, renew_at=NOON + LEASE)
            long_ago = NOON - TRUSTED_FOR - LEASE
            await websub.record_push(tx, held.id, now=NOON if source == pushed else long_ago)

    answers = await claimed(db, (plain, "a"), (quiet, "b"), (pushed, "c"))

    assert [one and one.is_live for one in answers] == [False, False, True]
