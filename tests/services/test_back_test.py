"""A query is tried on the last 30 days before it is saved: gained, lost, and the mails a month."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from cast import World
from sqlalchemy import func, insert, select, update

from alerts.config import ChannelConfig
from alerts.config.model import AliasesConfig
from alerts.core.edits import Edit
from alerts.core.errors import QueryError
from alerts.services.aliases import reader_of, sync_aliases
from alerts.services.back_test import KEPT, PIECE, back_test
from alerts.services.channels import add_channel, mails_a_month
from alerts.services.try_channels import edits_of
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.history import articles_of_month


async def publish(
    db: Database, now: datetime, titles: list[str], *, disposition: str = "alert", age_days: float = 20
) -> None:
    world = World(db, now)
    async with db.reading() as tx:
        source = await tx.scalar(select(schema.sources.c.id))
    source = source or await world.source()
    seen_at = now - timedelta(days=age_days)
    rows: list[dict[str, object]] = [
        {
            "source_id": source,
            "item_id": f"{disposition}{age_days}{number}",
            "title": title,
            "summary": [],
            "body": "",
            "tags": [],
            "tickers": [],
            "content_hash": "x",
            "disposition": disposition,
            "first_seen_at": seen_at,
            "matched_at": seen_at,
        }
        for number, title in enumerate(titles)
    ]
    async with db.transaction() as tx:
        await tx.execute(insert(schema.articles), rows)


async def test_gained_and_lost_are_counted_and_the_newest_named(db: Database, now: datetime) -> None:
    await publish(db, now, ["NIO plant", "Tesla plant", "Tesla car", "NIO car"])
    (found,) = await back_test(db, [Edit(slug="x", old="NIO", new="plant")], now=now)
    assert (found.articles, found.before, found.after, found.gained, found.lost) == (4, 2, 2, 1, 1)
    assert [one.title for one in found.newest_gained] == ["Tesla plant"]
    assert [one.title for one in found.newest_lost] == ["NIO car"]
    assert (found.mails_before, found.mails_after) == (3, 3)


async def test_several_edits_are_tested_in_one_pass_of_pieces(db: Database, now: datetime) -> None:
    number = PIECE + 30
    await publish(db, now, [f"NIO {n}" for n in range(number)])
    steps: list[tuple[int, int]] = []
    edits = [
        Edit(slug="a", old=None, new="NIO"),
        Edit(slug="b", old="NIO OR (", new="nothing"),
        Edit(slug="c", old="NIO", new="x1"),
    ]
    new, unreadable, lost = await back_test(
        db, edits, now=now, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(PIECE, number), (number, number)]
    assert (new.gained, len(new.newest_gained)) == (number, KEPT)
    assert new.newest_gained[0].title == f"NIO {number - 1}"
    assert (unreadable.before, unreadable.gained) == (0, 0)
    assert (lost.lost, lost.mails_after) == (number, 0)


async def test_the_last_piece_of_a_month_costs_what_the_first_does(db: Database, now: datetime) -> None:
    await publish(db, now, [f"NIO {n}" for n in range(12_000)])

    async def took(after: int) -> float:
        async with db.reading() as tx:
            before = time.perf_counter()
            assert len(await articles_of_month(tx, now=now, after=after, limit=PIECE)) == PIECE
            return time.perf_counter() - before

    async with db.reading() as tx:
        last = (await tx.scalar(select(func.max(schema.articles.c.id)))) - PIECE
    first = min([await took(0) for _ in range(5)])
    assert min([await took(last) for _ in range(5)]) < 3 * first


async def test_changed_aliases_change_the_queries_that_write_them(db: Database, now: datetime) -> None:
    await publish(db, now, ["Xiaomi plant", "小米 plant", "Tesla plant"])
    world = World(db, now)
    await world.channel("xiaomi", "Xiaomi")
    await world.channel("tesla", "Tesla")
    declared = [ChannelConfig(slug="xiaomi", name="X", query="Xiaomi")]
    assert await edits_of(db, declared) == []
    new = [AliasesConfig(name="Xiaomi", others=("小米",))]
    edits = await edits_of(db, declared, new)
    assert edits == [Edit(slug="xiaomi", old="Xiaomi", new="Xiaomi")]
    (found,) = await back_test(db, edits, now=now, read=reader_of(new))
    assert (found.before, found.after, [one.title for one in found.newest_gained]) == (1, 2, ["小米 plant"])
    await sync_aliases(db, new)
    assert await edits_of(db, declared, new) == []
    await add_channel(db, slug="mi", name="Mi", query='"Xiaomi" plant', now=now)
    (back,) = await back_test(db, await edits_of(db, []), now=now)
    assert (back.edit.slug, back.before, back.after, back.lost) == ("mi", 2, 1, 1)


async def test_what_is_older_or_was_only_seen_is_no_mail(db: Database, now: datetime) -> None:
    await publish(db, now, ["NIO old"], age_days=31)
    await publish(db, now, ["NIO seen"], disposition="seen", age_days=1)
    (found,) = await back_test(db, [Edit(slug=None, old=None, new="NIO")], now=now)
    assert (found.articles, found.mails_after) == (0, None)


async def test_a_young_ledger_says_nothing_of_a_month(db: Database, now: datetime) -> None:
    await publish(db, now, ["NIO"], age_days=2)
    (found,) = await back_test(db, [Edit(slug=None, old=None, new="NIO")], now=now)
    assert (found.after, found.mails_after) == (1, None)


async def test_a_new_query_that_cannot_be_read_is_refused(db: Database, now: datetime) -> None:
    assert await back_test(db, [], now=now) == []
    with pytest.raises(QueryError):
        await back_test(db, [Edit(slug="x", old="NIO", new="NIO OR")], now=now)


async def test_a_channel_s_mails_a_month_are_those_of_its_matches(db: Database, now: datetime) -> None:
    world = World(db, now)
    busy, quiet, young = await world.channel("busy"), await world.channel("quiet"), await world.channel("young")
    async with db.transaction() as tx:
        await tx.execute(
            update(schema.channels)
            .where(schema.channels.c.slug != "young")
            .values(created_at=now - timedelta(days=300))
        )
    await publish(db, now, ["a", "b", "c"])
    await publish(db, now, ["d"], age_days=40)
    async with db.transaction() as tx:
        for key in (await tx.scalars(select(schema.articles.c.id))).all():
            values = {"article_id": key, "channel_id": busy, "score": 1000, "hits": [], "matched_at": now}
            await tx.execute(insert(schema.matches).values(values))
    assert await mails_a_month(db, now=now) == {busy: 3, quiet: 0, young: None}
