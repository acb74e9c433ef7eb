"""The mail after somebody's first confirmation, from the button to the bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from mail_rules import texts_of, violations
from sqlalchemy import select
from website import app_over, config_in

from alerts.core.model import Delivery, DeliveryKind, DeliveryState, Lane
from alerts.core.tokens import Purpose, confirmation_token, read
from alerts.queue import Job, Step
from alerts.services.compose import Composer
from alerts.services.confirm import confirm
from alerts.services.subscribe import subscribe
from alerts.services.unsubscribe import unsubscribe, unsubscribe_by_mail
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.letters import Letter, load_letters
from alerts.storage.secrets import load_secrets

ALICE = "alice@reader.example"


async def join(db: Database, now: datetime, *slugs: str, salt: bytes = b"0123456789abcdef") -> list[Job]:
    """Let Alice ask for channels and press the button; return the jobs that this asked for."""
    jobs: list[Job] = []

    async def enlist(_tx: object, job: Job) -> None:
        jobs.append(job)

    async with db.reading() as tx:
        secrets = await load_secrets(tx)
    await subscribe(
        db, address=ALICE, slugs=slugs, frequency=None, confirmed=False, now=now, secrets=secrets, salt=salt
    )
    async with db.reading() as tx:
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
    token = text.partition("/u/")[2].split()[0]
    claims = read(token, Purpose.UNSUBSCRIBE, app.secrets)
    assert claims is not None
    assert (claims.subscriber_id, claims.article_id) == (letter.delivery.subscriber_id, 0)
    await unsubscribe_by_mail(db, subscriber_id=claims.subscriber_id, article_id=0, now=now)
    async with db.reading() as tx:
        assert set(await tx.scalars(select(schema.subscriptions.c.state))) == {"ended"}


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
