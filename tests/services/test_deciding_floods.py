"""A source that brings far more than its habit: held, told of, and released or dropped, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from mail_rules import subject_of, texts_of, violations
from mailbag import waiting_mails
from sqlalchemy import func, select, text
from website import app_over, config_in

from alerts.core.errors import InputError
from alerts.core.leaving import MailClaims
from alerts.core.model import (
    DeliveryKind,
    FirstPoll,
    FloodDecision,
    FloodWatch,
    Item,
    Source,
    SourceKind,
    SourceState,
)
from alerts.services.decide_flood import Reach, decide_flood, go_on_deciding, held_sources, reach_of_flood
from alerts.services.explain import explain_article
from alerts.services.fan_out import fan_out, unfinished
from alerts.services.fan_out_digest import fan_out_digest, unfinished_digests
from alerts.services.match import ChannelCache, match_articles
from alerts.services.read_folder import read_folder
from alerts.services.unsubscribe import look_at_leaving, unsubscribe_by_mail
from alerts.storage import floods, schema, sources
from alerts.storage.articles import Stored, article_by_id, store_items
from alerts.storage.engine import Database

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass
class Paper:
    """A publisher's feed, as what it brings: three a day for a month, until something happens."""

    db: Database
    world: World
    source: Source
    now: datetime
    count: int = 0
    channels: dict[str, int] = field(default_factory=dict)

    async def bring(self, count: int, *, after: timedelta = MINUTE, about: str = "Xiaomi", upcoming: int = 0) -> Stored:
        """Store what a poll brings."""
        self.now += after
        items = self.items(count, about=about)
        async with self.db.transaction() as tx:
            return await store_items(tx, source=self.source, items=items, now=self.now, upcoming=upcoming)

    def items(self, count: int, *, about: str = "Xiaomi") -> list[Item]:
        """Give as many that were never there."""
        return [self._item(about) for _ in range(count)]

    def _item(self, about: str) -> Item:
        self.count += 1
        text = f"{about} news {self.count}: {'abcdefghij'[self.count % 10] * 5} {self.count * 7919}"
        return Item(item_id=f"id-{self.count}", title=text, url=f"https://paper.example/{self.count}", body=text)

    async def match(self) -> None:
        cache = ChannelCache()
        while (await match_articles(self.db, now=self.now, cache=cache)).more:
            pass

    async def fan_out(self) -> int:
        created = 0
        for article_id in await unfinished(self.db, limit=1000):
            while not (done := await fan_out(self.db, article_id, now=self.now)).finished:
                created += done.created
        for run_id in await unfinished_digests(self.db):
            while not (digested := await fan_out_digest(self.db, run_id, now=self.now, size=2)).finished:
                created += digested.created
        return created

    async def dispositions(self) -> dict[str, int]:
        kinds = select(schema.articles.c.disposition, func.count()).group_by(schema.articles.c.disposition)
        async with self.db.reading() as tx:
            return {row[0]: row[1] for row in (await tx.execute(kinds)).all()}

    async def owed(self, kind: DeliveryKind) -> list[int]:
        mine = select(schema.deliveries.c.subscriber_id).where(schema.deliveries.c.kind == kind)
        async with self.db.reading() as tx:
            return sorted((await tx.scalars(mine)).all())

    async def decide(self, decision: FloodDecision) -> int:
        self.now += MINUTE
        reach = await self.reach()
        return (await decide_flood(self.db, reach.flood.id, decision, now=self.now)).articles

    async def reach(self) -> Reach:
        return await reach_of_flood(self.db, self.source.name, now=self.now)


class KilledError(Exception):
    """The process ends here."""


def die(_done: int) -> None:
    """End in the midst of something."""
    raise KilledError


async def paper_of(db: Database, now: datetime, *, days: int = 40) -> Paper:
    declared = Source(
        id=0,
        name="paper",
        kind=SourceKind.FEED,
        location="https://paper.example/feed",
        every=5 * MINUTE,
        first_poll=FirstPoll.SEEN,
        max_age=None,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=now,
        polled_at=now,
    )
    async with db.transaction() as tx:
        source = await sources.insert_source(tx, source=declared, origin="config", now=now)
        assert source is not None
        history = [
            {
                "source_id": source.id,
                "item_id": f"old-{day}-{number}",
                "title": "Old",
                "summary": [],
                "body": "Old.",
                "tags": [],
                "tickers": [],
                "content_hash": f"{day}-{number}",
                "disposition": "alert",
                "first_seen_at": now - day * DAY - MINUTE,
                "matched_at": now,
            }
            for day in range(days, 0, -1)
            for number in range(3)
        ]
        if history:
            await tx.execute(schema.articles.insert(), history)
    return Paper(db, World(db, now), replace(source, polled_at=now), now)


async def with_channels(paper: Paper) -> Paper:
    paper.channels = {slug: await paper.world.channel(slug, slug) for slug in ("xiaomi", "tesla")}
    return paper


@pytest.fixture
async def paper(db: Database, now: datetime) -> Paper:
    return await with_channels(await paper_of(db, now, days=9))


@pytest.fixture
async def lite(sqlite_db: Database, now: datetime) -> Paper:
    """Give the same on SQLite only, where the database has no part in what is tested."""
    return await with_channels(await paper_of(sqlite_db, now, days=9))


@pytest.fixture
async def small(paper: Paper) -> Paper:
    """Give the same, held from the sixth article on: fewer will do."""
    paper.source = replace(paper.source, flood=5)
    return paper


@pytest.fixture
async def small_lite(lite: Paper) -> Paper:
    """Give the same on SQLite only."""
    lite.source = replace(lite.source, flood=5)
    return lite


class TestHolding:
    async def test_an_archive_is_held_as_a_whole_and_reaches_nobody(self, paper: Paper) -> None:
        await paper.world.readers(2, (paper.channels["xiaomi"],))

        stored = await paper.bring(200)
        await paper.match()

        assert (stored.new, stored.held) == (200, 200)
        assert stored.holding is not None
        assert (stored.holding.began, stored.holding.most) == (True, 20)
        assert await paper.dispositions() == {"alert": 27, "held": 200}
        assert await paper.fan_out() == 0
        assert [flood.articles for flood in (await held_sources(paper.db)).values()] == [200]

    async def test_a_busy_day_is_mailed(self, lite: Paper) -> None:
        await lite.bring(12)
        await lite.bring(8)
        assert await lite.dispositions() == {"alert": 47}

    async def test_what_trickles_is_held_from_where_it_is_too_much(self, lite: Paper) -> None:
        polls = [await lite.bring(15, after=5 * MINUTE) for _ in range(6)]

        assert [poll.held for poll in polls] == [0, 15, 15, 15, 15, 15]
        assert [poll.holding.began for poll in polls if poll.holding] == [True, False, False, False, False]
        assert len(await held_sources(lite.db)) == 1

    async def test_a_calm_source_is_mailed_again_while_its_flood_waits(self, lite: Paper) -> None:
        await lite.bring(200)
        assert (await lite.bring(1, after=23 * DAY / 24)).held == 1
        assert (await lite.bring(1, after=DAY)).held == 0
        assert [flood.articles for flood in (await held_sources(lite.db)).values()] == [201]

    @pytest.mark.parametrize(("watch", "held"), [(FloodWatch.OFF, 0), (100, 0), (30, 60)])
    async def test_the_sources_own_limit_counts(self, lite: Paper, watch: FloodWatch | int, held: int) -> None:
        async with lite.db.transaction() as tx:
            wanted = replace(lite.source, flood=watch)
            await sources.update_settings(tx, source=wanted, origin="config", now=lite.now)
            found = await sources.source_by_id(tx, lite.source.id)
        assert found is not None
        assert found.flood == watch
        lite.source = replace(found, polled_at=lite.now)
        assert (await lite.bring(60)).held == held

    async def test_a_first_poll_that_is_to_alert_is_no_flood_nor_the_beginning_of_one(
        self, sqlite_db: Database, now: datetime
    ) -> None:
        paper = await paper_of(sqlite_db, now, days=0)
        paper.source = replace(paper.source, first_poll=FirstPoll.ALERT, polled_at=None)
        assert (await paper.bring(80)).held == 0
        paper.source = replace(paper.source, polled_at=paper.now)
        assert (await paper.bring(3)).held == 0
        assert await paper.dispositions() == {"alert": 83}

    async def test_files_copied_into_a_folder_are_judged_as_one_batch_whatever_the_steps(
        self, lite: Paper, tmp_path: Path
    ) -> None:
        for number in range(250):
            (tmp_path / f"{number}.txt").write_text(f"Xiaomi story {number}\n\nIt has {number * 7919} parts.")
        async with lite.db.transaction() as tx:
            statement = schema.sources.update().where(schema.sources.c.id == lite.source.id)
            folder = {"kind": "folder", "location": str(tmp_path), "flood": "120", "polled_at": lite.now}
            await tx.execute(statement.values(**folder))
            source = await sources.source_by_id(tx, lite.source.id)
        assert source is not None

        poll = await read_folder(lite.db, source, now=datetime.now(UTC) + MINUTE, site_time_zone=UTC, once=True)

        assert (poll.new, poll.held) == (250, 250)
        assert poll.holding is not None
        assert poll.holding.began


class TestDeciding:
    async def test_release_mails_each_article_to_those_who_were_there_before_and_still_are(self, small: Paper) -> None:
        xiaomi = small.channels["xiaomi"]
        alice, carol, dave = await small.world.readers(3, (xiaomi,))
        await small.bring(8)
        await small.match()
        small.world.now = small.now + MINUTE
        await small.world.readers(1, (xiaomi,), start=50)  # comes after it was held
        async with small.db.transaction() as tx:
            gone = schema.subscriptions.c.subscriber_id == carol
            await tx.execute(schema.subscriptions.update().where(gone).values(state="ended"))
            pauses = {"paused_until_at": small.now + DAY}
            await tx.execute(schema.subscribers.update().where(schema.subscribers.c.id == dave).values(pauses))

        reach = await small.reach()
        assert (reach.channels, reach.mails, reach.digests) == ((("xiaomi", 8),), 8, 1)
        assert await small.decide(FloodDecision.RELEASED) == 8
        await small.fan_out()

        assert await small.owed(DeliveryKind.ALERT) == [alice] * 8
        assert (await small.dispositions()).get("held") is None
        assert await held_sources(small.db) == {}

    async def test_what_waits_to_be_matched_is_released_all_the_same(self, small_lite: Paper) -> None:
        await small_lite.world.readers(1, (small_lite.channels["xiaomi"],))
        await small_lite.bring(8)
        await small_lite.decide(FloodDecision.RELEASED)
        await small_lite.match()
        assert await small_lite.fan_out() == 8

    async def test_dropped_is_never_mailed_and_the_source_goes_on(self, small_lite: Paper) -> None:
        await small_lite.world.readers(1, (small_lite.channels["xiaomi"],))
        await small_lite.bring(8)
        await small_lite.match()
        assert await small_lite.decide(FloodDecision.DROPPED) == 8
        assert await small_lite.fan_out() == 0
        assert (await small_lite.bring(1)).held == 0
        await small_lite.match()
        assert await small_lite.fan_out() == 1

    @pytest.mark.parametrize(
        ("decision", "mails"), [(FloodDecision.RELEASED, 8), (FloodDecision.DIGEST, 1), (FloodDecision.DROPPED, 0)]
    )
    async def test_a_decision_that_was_killed_in_its_midst_is_gone_on_with(
        self, small: Paper, decision: FloodDecision, mails: int
    ) -> None:
        await small.world.readers(1, (small.channels["xiaomi"],))
        await small.bring(8)
        await small.match()
        flood_id = (await small.reach()).flood.id

        with pytest.raises(KilledError):
            await decide_flood(small.db, flood_id, decision, now=small.now, size=3, on_progress=die)
        half = await small.dispositions()
        early = await small.fan_out()

        assert half["held"] == 5
        assert early == (3 if decision is FloodDecision.RELEASED else 0)  # a digest waits for the whole of it
        assert (await held_sources(small.db), (await small.bring(1)).held) == ({}, 0)
        assert await asyncio.gather(*(go_on_deciding(small.db, now=small.now) for _ in "ab")) in ([5, 0], [0, 5])
        assert await go_on_deciding(small.db, now=small.now) == 0
        assert early + await small.fan_out() == mails
        assert (await small.dispositions()).get("held") is None

    async def test_of_two_operators_the_first_decides_and_the_other_is_told(self, small: Paper) -> None:
        await small.bring(8)
        flood_id = (await small.reach()).flood.id
        wishes = [FloodDecision.DROPPED, FloodDecision.RELEASED] * 3

        done = await asyncio.gather(
            *(decide_flood(small.db, flood_id, one, now=small.now) for one in wishes), return_exceptions=True
        )

        won = [one for one in done if not isinstance(one, BaseException)]
        assert sorted(one.articles for one in won) == [0, 0, 8]
        assert len({one.decision for one in won}) == 1
        lost = [one for one in done if isinstance(one, InputError)]
        assert len(lost) == 3
        assert f"decided otherwise: {won[0].decision.value}" in str(lost[0])
        with pytest.raises(InputError, match=r"nothing of paper is held; its last flood \(8 articles"):
            await small.reach()

    async def test_what_a_poll_brings_while_it_is_decided_is_not_left_behind(self, small: Paper) -> None:
        await small.bring(8)
        flood_id = (await small.reach()).flood.id
        await asyncio.gather(
            small.bring(7), decide_flood(small.db, flood_id, FloodDecision.DROPPED, now=small.now + MINUTE)
        )
        async with small.db.reading() as tx:
            decided = schema.floods.c.decided_at.is_not(None)
            left = select(func.count()).select_from(schema.articles.join(schema.floods, decided))
            mine = (schema.articles.c.flood_id == schema.floods.c.id, schema.articles.c.disposition == "held")
            assert await tx.scalar(left.where(*mine)) == 0

    async def test_a_poll_that_holds_the_flood_stores_while_its_decision_waits(
        self, postgresql_ledger_url: str, now: datetime
    ) -> None:
        db = await Database.open(postgresql_ledger_url)
        small = await with_channels(await paper_of(db, now, days=9))
        small.source = replace(small.source, flood=5)
        await small.bring(8)
        flood_id = (await small.reach()).flood.id
        async with db.transaction() as tx:
            assert await floods.hold_flood(tx, small.source, coming=7, now=small.now)
            deciding = asyncio.create_task(decide_flood(db, flood_id, FloodDecision.DROPPED, now=small.now))
            async with asyncio.timeout(20):
                while not await tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
            stored = await store_items(tx, source=small.source, items=small.items(7), now=small.now)
        assert stored.held == 7
        assert (await deciding).articles == 15
        await db.close()

    async def test_a_released_flood_is_part_of_the_habit_and_a_dropped_one_is_not(self, lite: Paper) -> None:
        await lite.bring(30)
        await lite.decide(FloodDecision.RELEASED)
        assert (await lite.bring(60, after=3 * DAY)).held == 0
        await lite.bring(200, after=3 * DAY)
        await lite.decide(FloodDecision.DROPPED)
        assert (await lite.bring(181, after=3 * DAY)).held == 181


class TestDigest:
    async def test_each_subscriber_gets_one_mail_of_what_their_channels_match(
        self, small: Paper, tmp_path: Path
    ) -> None:
        xiaomi, tesla = small.channels.values()
        (alice,) = await small.world.readers(1, (xiaomi,))
        (bob,) = await small.world.readers(1, (xiaomi, tesla), start=10)
        (tom,) = await small.world.readers(1, (tesla,), start=20)
        await small.world.readers(1, (tesla,), start=30, frequency="daily")
        await small.bring(30, about="Xiaomi")
        await small.match()
        await small.bring(4, about="Tesla", after=2 * MINUTE)
        await small.match()
        small.world.now = small.now + MINUTE
        await small.world.readers(1, (xiaomi,), start=40)  # comes too late

        assert await small.decide(FloodDecision.DIGEST) == 34
        assert await small.fan_out() == 3
        assert await small.fan_out() == 0  # finished
        assert await small.owed(DeliveryKind.DIGEST) == [alice, bob, tom]

        app = await app_over(small.db, config_in(tmp_path), lambda: small.now)
        mails = {mail.recipient: mail.message for mail in await waiting_mails(app)}
        assert {who: subject_of(raw) for who, raw in mails.items()} == {
            "reader1@example.org": "Xiaomi News Alert: 30 articles",
            "reader10@example.org": "Xiaomi and Tesla News Alert: 34 articles",
            "reader20@example.org": "Tesla News Alert: 4 articles",
        }
        for who, raw in mails.items():
            assert violations(raw, rcpt=who, site_host="127.0.0.1", kind="digest", dated_at=small.now) == []
        text = texts_of(mails["reader10@example.org"])[0]
        assert text.count("• ") == 20
        assert "And 14 more:" in text
        assert "/c/tesla" in text

    async def test_its_unsubscribe_link_leaves_the_channels_that_it_names_and_no_other(self, small_lite: Paper) -> None:
        xiaomi, tesla = small_lite.channels.values()
        (bob,) = await small_lite.world.readers(1, (xiaomi, tesla))
        await small_lite.bring(8)
        await small_lite.match()
        await small_lite.decide(FloodDecision.DIGEST)
        await small_lite.fan_out()
        (run_id,) = await all_of(small_lite.db, schema.digest_runs.c.id)

        mail = MailClaims(subscriber_id=bob, digest_run_id=run_id)
        named = (await look_at_leaving(small_lite.db, mail)).named
        assert [one.channel_slug for one in named] == ["xiaomi"]
        left = await unsubscribe_by_mail(small_lite.db, mail=mail, now=small_lite.now)
        assert left.ended == 1
        still = select(schema.subscriptions.c.channel_id).where(schema.subscriptions.c.state == "active")
        async with small_lite.db.reading() as tx:
            assert list(await tx.scalars(still)) == [tesla]

    async def test_a_digest_that_nobody_wants_any_more_is_not_sent(self, small_lite: Paper, tmp_path: Path) -> None:
        people = await small_lite.world.readers(3, (small_lite.channels["xiaomi"],))
        await small_lite.bring(8)
        await small_lite.match()
        await small_lite.decide(FloodDecision.DIGEST)
        await small_lite.fan_out()
        table = schema.subscribers
        async with small_lite.db.transaction() as tx:
            gone = schema.subscriptions.c.subscriber_id == people[0]
            await tx.execute(schema.subscriptions.update().where(gone).values(state="ended"))
            await tx.execute(table.update().where(table.c.id == people[1]).values(state="suppressed"))
            await tx.execute(table.update().where(table.c.id == people[2]).values(paused_until_at=small_lite.now + DAY))

        app = await app_over(small_lite.db, config_in(tmp_path), lambda: small_lite.now)
        assert await waiting_mails(app) == []

    async def test_it_waits_until_all_of_it_is_matched_and_goes_on_where_it_was_broken_off(self, small: Paper) -> None:
        readers = await small.world.readers(5, (small.channels["xiaomi"],))
        await small.bring(8)
        await small.decide(FloodDecision.DIGEST)
        assert await small.fan_out() == 0
        await small.match()
        (run_id,) = await unfinished_digests(small.db)
        assert (await fan_out_digest(small.db, run_id, now=small.now, size=2)).created == 2
        async with small.db.transaction() as tx:  # as if the cursor had never been written
            await tx.execute(schema.digest_runs.update().values(cursor=0))
        assert await small.fan_out() == 3
        assert await small.owed(DeliveryKind.DIGEST) == readers

    async def test_who_came_while_the_flood_did_sees_what_came_after(self, small_lite: Paper, tmp_path: Path) -> None:
        await small_lite.bring(8)
        await small_lite.match()
        small_lite.world.now = small_lite.now + MINUTE
        await small_lite.world.readers(1, (small_lite.channels["xiaomi"],))
        await small_lite.bring(6, after=2 * MINUTE)
        await small_lite.match()
        await small_lite.decide(FloodDecision.DIGEST)
        assert await small_lite.fan_out() == 1
        app = await app_over(small_lite.db, config_in(tmp_path), lambda: small_lite.now)
        (mail,) = await waiting_mails(app)
        assert subject_of(mail.message) == "Xiaomi News Alert: 6 articles"


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (None, "no mail: its source brought far more than its habit: it is held"),
        (FloodDecision.DROPPED, "no mail: it was held as part of a flood, which the operator dropped"),
        (FloodDecision.RELEASED, "delivery 1 is pending"),
        (FloodDecision.DIGEST, "the digest that has it, delivery 1 is pending"),
    ],
)
async def test_an_explanation_says_what_became_of_it(
    small_lite: Paper, decision: FloodDecision | None, why: str
) -> None:
    await small_lite.world.readers(1, (small_lite.channels["xiaomi"],))
    (article_id, *_) = (await small_lite.bring(8)).article_ids
    await small_lite.match()
    if decision is not None:
        await small_lite.decide(decision)
        await small_lite.fan_out()
    async with small_lite.db.reading() as tx:
        article = await article_by_id(tx, article_id)
    assert article is not None
    found = await explain_article(small_lite.db, article, email="reader1@example.org")
    assert found.person is not None
    assert found.person.why.startswith(why)


async def all_of(db: Database, column: object) -> list[int]:
    async with db.reading() as tx:
        return list((await tx.scalars(select(column))).all())  # type: ignore[call-overload]
