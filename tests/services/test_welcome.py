"""The mail after somebody's first confirmation, from the button to the bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from mail_rules import texts_of, violations
from sqlalchemy import select
from website import app_over, config_in

from alerts.core.leaving import MailClaims, read_leaving
from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane
from alerts.core.tokens import confirmation_token
from alerts.queue import Job, Step
from alerts.services.compose import Composer
from alerts.services.confirm import confirm
from alerts.services.subscribe import subscribe
from alerts.services.unsubscribe import look_at_leaving, unsubscribe, unsubscribe_by_mail
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, load_letters
from alerts.storage.secrets import load_secrets

ALICE = "alice@reader.example"


async def join(db: Database, now: datetime, *slugs: str, salt: bytes = b"0123456789abcdef") -> list[Job]:
    """Let Alice ask for channels and press the button; return the jobs that this asked for."""
    await ask(db, now, *slugs, salt=salt)
    return await confirm_by(db, now, salt)


async def ask(db: Database, now: datetime, *slugs: str, salt: bytes) -> None:
    """Let Alice ask for channels."""
    async with db.reading() as tx:
        secrets = await load_secrets(tx)
    await subscribe(
        db, address=ALICE, slugs=slugs, frequency=None, confirmed=False, now=now, secrets=secrets, salt=salt
    )


async def confirm_by(db: Database, now: datetime, salt: bytes) -> list[Job]:
    """Let Alice press the button of one mail; return the jobs that this asked for."""
    jobs: list[Job] = []

    async def enlist(_tx: object, job: Job) -> None:
        jobs.append(job)

    async with db.reading() as tx:
        secrets = await load_secrets(tx)
        key = await tx.scalar(select(schema.confirmations.c.id).where(schema.confirmations.c.salt == salt))
    token = confirmation_token(secrets, int(key or 0), salt)
    await confirm(db, token=token, now=now, welcome=True, enlist=enlist)
    return jobs


async def welcomes(db: Database) -> list[Letter]:
    rows = schema.deliveries.c
    async with db.reading() as tx:
        found = await tx.execute(select(schema.deliveries).where(rows.kind == DeliveryKind.WELCOME))
        owed = [
            Delivery(
                row.id,
                DeliveryKind(row.kind),
                Lane(row.lane),
                row.subscriber_id,
                row.article_id,
                row.confirmation_id,
                row.digest_run_id,
                DeliveryState(row.state),
                row.due_at,
                row.dated_at,
            )
            for row in found
        ]
        return await load_letters(tx, owed)


@pytest.fixture
async def world(db: Database, now: datetime) -> World:
    world = World(db, now)
    for slug in ("xiaomi", "tesla", "byd"):
        await world.channel(slug)
    return world


async def test_it_shows_the_newest_three_articles_of_what_was_confirmed(
    db: Database, world: World, now: datetime, tmp_path: Path
) -> None:
    source = await world.source()
    for number, channels in enumerate([(1,), (2,), (1, 2), (1,), (3,)]):
        await world.article(source, title=f"Story {number}", channels=channels)
    jobs = await join(db, now, "xiaomi", "tesla")
    (letter,) = await welcomes(db)
    assert letter.wanted
    assert [one.item.title for one in letter.latest] == ["Story 3", "Story 2", "Story 1"]
    assert jobs == [Job(Step.DELIVER, Lane.CONFIRMATION)]

    app = await app_over(db, config_in(tmp_path), lambda: now)
    composer: Composer = app.composer()
    raw = composer(letter).message
    link = "https://daily.example/a"
    assert violations(raw, rcpt=ALICE, site_host="127.0.0.1", kind="welcome", link=link, dated_at=now) == []
    assert raw == composer(letter).message
    text, _ = texts_of(raw)
    assert text.count(link) == 3


async def test_its_links_lead_where_those_of_alerts_do(
    db: Database, world: World, now: datetime, tmp_path: Path
) -> None:
    key = await world.article(await world.source(), channels=(1,))
    await join(db, now, "xiaomi")
    (letter,) = await welcomes(db)
    app = await app_over(db, config_in(tmp_path, more="mail: {links: site}\n"), lambda: now)
    text, html = texts_of(app.composer()(letter).message)
    for part in (text, html):
        assert f"/a/{key}" in part
        assert "daily.example" not in part


async def claims_of(db: Database, now: datetime, tmp_path: Path) -> MailClaims:
    """Read the one-click of the welcome that is owed."""
    (letter,) = await welcomes(db)
    app = await app_over(db, config_in(tmp_path), lambda: now)
    text, _ = texts_of(app.composer()(letter).message)
    return read_leaving(text.partition("/u/")[2].split()[0], app.secrets)


async def follows(db: Database) -> list[str]:
    held = select(schema.channels.c.slug).join(schema.subscriptions).where(schema.subscriptions.c.state == "active")
    async with db.reading() as tx:
        return list(await tx.scalars(held.order_by(schema.channels.c.id)))


@pytest.mark.parametrize("kept", [True, False], ids=["request kept", "request purged"])
async def test_its_one_click_leaves_what_it_welcomes_to_and_nothing_that_came_later_u9(
    db: Database, world: World, now: datetime, tmp_path: Path, *, kept: bool
) -> None:
    await join(db, now, "xiaomi", "tesla")
    await join(db, now + timedelta(days=2), "byd", salt=b"fedcba9876543210")
    claims = await claims_of(db, now, tmp_path)
    if not kept:
        async with db.transaction() as tx:
            await tx.execute(schema.confirmations.delete())
    named = (await look_at_leaving(db, claims)).named
    assert [one.channel_slug for one in named] == ["xiaomi", "tesla"]
    for _ in range(2):
        await unsubscribe_by_mail(db, mail=claims, now=now + timedelta(days=3))
        assert await follows(db) == ["byd"]


async def test_its_one_click_leaves_alone_what_was_asked_for_before_but_in_another_request(
    db: Database, world: World, now: datetime, tmp_path: Path
) -> None:
    await ask(db, now, "byd", salt=b"fedcba9876543210")
    await join(db, now, "xiaomi")
    await confirm_by(db, now, b"fedcba9876543210")
    await unsubscribe_by_mail(db, mail=await claims_of(db, now, tmp_path), now=now)
    assert await follows(db) == ["byd"]


async def test_nobody_is_welcomed_twice(db: Database, world: World, now: datetime) -> None:
    await join(db, now, "xiaomi")
    assert await join(db, now + timedelta(days=2), "tesla", salt=b"fedcba9876543210") == []
    assert len(await welcomes(db)) == 1


async def test_a_channel_that_was_left_at_once_is_not_named_and_none_needs_no_mail(
    db: Database, world: World, now: datetime
) -> None:
    await join(db, now, "xiaomi", "tesla")
    (letter,) = await welcomes(db)
    person = letter.delivery.subscriber_id
    await unsubscribe(db, subscriber_id=person, channel_ids=[1], now=now)
    (letter,) = await welcomes(db)
    assert [one.slug for one in letter.channels] == ["tesla"]
    await unsubscribe(db, subscriber_id=person, channel_ids=[2], now=now)
    (letter,) = await welcomes(db)
    assert not letter.wanted
