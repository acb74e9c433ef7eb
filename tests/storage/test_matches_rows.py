"""The rows of matches, on both databases: an article is matched once, with everything that follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from alerts.core.model import Article, Disposition, Hit
from alerts.storage import schema
from alerts.storage.channels import Origin, declare_channel
from alerts.storage.engine import Database
from alerts.storage.matches import Match, matches_of, record_fault, record_matches, unmatched
from alerts.storage.traces import progress_of, trace_of

AT_FIRST_SIGHT = (Disposition.ALERT, Disposition.SEEN, Disposition.STALE)
HIT = Hit(term="小米", zone="title", count=2)


@pytest.fixture
async def ids(db: Database, now: datetime) -> dict[str, int]:
    """Give a source, two channels, and one article of each disposition."""
    async with db.transaction() as tx:
        await tx.execute(
            insert(schema.sources).values(
                id=1,
                name="seeds",
                kind="folder",
                location="/seeds",
                origin="config",
                every_s=60,
                first_poll="seen",
                state="ok",
                next_poll_at=now,
                created_at=now,
            )
        )
        for number, disposition in enumerate(AT_FIRST_SIGHT, start=1):
            await tx.execute(
                insert(schema.articles).values(
                    id=number,
                    source_id=1,
                    item_id=disposition.value,
                    title=f"Article {number}",
                    summary=[],
                    body="",
                    tags=[],
                    tickers=[],
                    content_hash="x",
                    disposition=disposition.value,
                    first_seen_at=now,
                )
            )
        for slug in ("xiaomi", "nio"):
            await declare_channel(tx, slug=slug, name=slug, query=slug, origin=Origin.CONFIG, position=0, now=now)
        return {row.slug: row.id for row in await tx.execute(select(schema.channels))}


def match(channel_id: int, score: float = 0.5) -> Match:
    return Match(channel_id=channel_id, score=score, hits=(HIT,))


async def waiting(db: Database) -> list[Article]:
    async with db.reading() as tx:
        return await unmatched(tx, limit=10)


async def fan_outs(db: Database) -> list[int]:
    async with db.reading() as tx:
        return list((await tx.scalars(select(schema.fan_outs.c.article_id))).all())


async def test_new_articles_wait_the_oldest_first(db: Database, ids: dict[str, int]) -> None:
    assert [(it.id, it.source_name) for it in await waiting(db)] == [(1, "seeds"), (2, "seeds"), (3, "seeds")]
    async with db.reading() as tx:
        assert [it.id for it in await unmatched(tx, limit=1)] == [1]


async def test_matches_are_written_with_their_reason_and_the_fan_out(
    db: Database, ids: dict[str, int], now: datetime
) -> None:
    found = [match(ids["nio"], 0.123), match(ids["xiaomi"], 1.0)]
    async with db.transaction() as tx:
        assert await record_matches(tx, 1, found=found, now=now)
    assert [it.id for it in await waiting(db)] == [2, 3]
    assert await fan_outs(db) == [1]
    async with db.reading() as tx:
        assert await matches_of(tx, 1) == [found[1], found[0]]
        progress = await progress_of(tx, 1)
    assert progress is not None
    assert (progress.matched_at, progress.owes, progress.set_aside, progress.fanned_out_at) == (now, True, None, None)


async def test_a_second_match_of_an_article_changes_nothing(db: Database, ids: dict[str, int], now: datetime) -> None:
    async with db.transaction() as tx:
        assert await record_matches(tx, 1, found=[match(ids["nio"])], now=now)
        later = now + timedelta(minutes=1)
        assert not await record_matches(tx, 1, found=[match(ids["xiaomi"])], now=later)
        assert [it.channel_id for it in await matches_of(tx, 1)] == [ids["nio"]]


async def test_nobody_is_alerted_of_what_was_there_before_or_answers_nothing(
    db: Database, ids: dict[str, int], now: datetime
) -> None:
    async with db.transaction() as tx:
        assert await record_matches(tx, 1, found=[], now=now)
        assert await record_matches(tx, 2, found=[match(ids["nio"])], now=now)
        assert await record_matches(tx, 3, found=[match(ids["nio"])], now=now)
        assert len(await matches_of(tx, 2)) == 1
    assert await fan_outs(db) == []
    assert await waiting(db) == []


async def test_an_article_that_fails_is_set_aside_at_the_last_try(
    db: Database, ids: dict[str, int], now: datetime
) -> None:
    async with db.transaction() as tx:
        assert [await record_fault(tx, 1, reason="boom", most=3) for _ in range(4)] == [False, False, True, False]
        assert not await record_matches(tx, 1, found=[match(ids["nio"])], now=now)
        progress = await progress_of(tx, 1)
    assert [it.id for it in await waiting(db)] == [2, 3]
    assert progress is not None
    assert progress.set_aside == "boom"


async def test_more_matches_than_one_statement_takes_are_all_written(
    db: Database, ids: dict[str, int], now: datetime
) -> None:
    async with db.transaction() as tx:
        for number in range(600):
            await declare_channel(tx, slug=f"c{number}", name="c", query="c", origin=Origin.CLI, position=0, now=now)
        keys = (await tx.scalars(select(schema.channels.c.id))).all()
        assert await record_matches(tx, 1, found=[match(key) for key in keys], now=now)
        assert len(await matches_of(tx, 1)) == 602


async def test_there_is_no_trace_of_what_never_was(db: Database) -> None:
    async with db.reading() as tx:
        assert await progress_of(tx, 1) is None
        assert await trace_of(tx, article_id=1, subscriber_id=1) is None
