"""Looking at a mail, and sending a test."""

from __future__ import annotations

from datetime import datetime

import pytest
from cast import World
from mail_rules import violations
from mails import SITE, article, shipped

from alerts.core.errors import AddressError, InputError, NotFoundError
from alerts.core.model import DeliveryKind, DeliveryState, SubscriberState
from alerts.core.tokens import Secrets
from alerts.services.preview import preview
from alerts.services.send_test import send_test
from alerts.storage import deliveries, subscribers
from alerts.storage.engine import Database

SECRETS = Secrets(((1, bytes(32)),))


async def test_a_preview_is_the_mail_that_a_reader_would_get(sqlite_db: Database, now: datetime) -> None:
    await World(sqlite_db, now).channel()

    seen = await preview(sqlite_db, article=article(), slug="xiaomi", site=SITE, templates=shipped(), now=now)

    assert violations(seen.raw, rcpt="reader@example.com", site_host="news.example", dated_at=now) == []
    assert seen.subject == f"Xiaomi News Alert: {article().item.title}"
    assert article().item.title in seen.text
    assert "<h1" in seen.html


async def test_a_preview_for_no_channel_says_so(sqlite_db: Database, now: datetime) -> None:
    with pytest.raises(NotFoundError, match="no channel 'xiaomi'"):
        await preview(sqlite_db, article=article(), slug="xiaomi", site=SITE, templates=shipped(), now=now)


async def test_a_test_mail_is_owed_to_whoever_is_named_each_time_anew(db: Database, now: datetime) -> None:
    first = await send_test(db, address="bob@example.com", secrets=SECRETS, now=now)
    second = await send_test(db, address="BOB@example.com", secrets=SECRETS, now=now)

    async with db.reading() as tx:
        owed = [await deliveries.delivery_by_id(tx, one) for one in (first, second)]
        bob = await subscribers.subscriber_by_key(tx, "bob@example.com")
    assert bob is not None
    assert bob.state is SubscriberState.PENDING
    for one in owed:
        assert one is not None
        assert (one.kind, one.state, one.due_at) == (DeliveryKind.TEST, DeliveryState.PENDING, now)
        assert one.subscriber_id == bob.id


async def test_no_test_mail_goes_to_a_suppressed_address(sqlite_db: Database, now: datetime) -> None:
    await send_test(sqlite_db, address="bob@example.com", secrets=SECRETS, now=now)
    async with sqlite_db.transaction() as tx:
        bob = await subscribers.subscriber_by_key(tx, "bob@example.com")
        assert bob is not None
        await subscribers.mark_suppressed(tx, [bob.id])

    with pytest.raises(InputError, match="suppressed"):
        await send_test(sqlite_db, address="bob@example.com", secrets=SECRETS, now=now)


async def test_a_test_mail_to_nobody_is_refused(sqlite_db: Database, now: datetime) -> None:
    with pytest.raises(AddressError):
        await send_test(sqlite_db, address="bob", secrets=SECRETS, now=now)
