"""Confirming and managing: the pages that only the person with the link sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from sqlalchemy import select
from website import Website, website

from alerts.core.tokens import confirmation_token
from alerts.services.subscribe import subscribe
from alerts.storage import schema
from alerts.storage.engine import Database

SALT = b"0123456789abcdef"


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


async def asked(web: Website, now: datetime) -> str:
    """Let Alice ask for a channel; return the link of her mail."""
    await World(web.app.db, now).channel()
    await subscribe(
        web.app.db, address="alice@reader.example", slugs=["xiaomi"], frequency=None, confirmed=False, now=now,
        secrets=web.app.secrets, salt=SALT,
    )  # fmt: skip
    async with web.app.db.reading() as tx:
        key = await tx.scalar(select(schema.confirmations.c.id))
    return "/confirm/" + confirmation_token(web.app.secrets, int(key or 0), SALT)


async def state(web: Website) -> str | None:
    async with web.app.db.reading() as tx:
        found: str | None = await tx.scalar(select(schema.subscriptions.c.state))
    return found


async def test_the_page_shows_a_button_and_only_the_button_confirms(web: Website, now: datetime) -> None:
    link = await asked(web, now)
    page = await web.visitor.get(link)
    assert "<button" in page.text
    assert await state(web) == "pending"
    done = await web.visitor.post(link)
    assert done.status_code == 200
    assert "You are in" in done.text
    assert await state(web) == "active"


async def test_pressing_it_again_is_a_friendly_success(web: Website, now: datetime) -> None:
    link = await asked(web, now)
    await web.visitor.post(link)
    for method in ("GET", "POST"):
        again = await web.visitor.request(method, link)
        assert again.status_code == 200
        assert "already" in again.text


async def test_a_link_that_is_too_old_says_so_and_starts_nothing(web: Website, now: datetime) -> None:
    link = await asked(web, now)
    web.app.clock = lambda: now + timedelta(hours=49)
    for method in ("GET", "POST"):
        late = await web.visitor.request(method, link)
        assert late.status_code == 410
        assert "too old" in late.text
    assert await state(web) == "pending"


async def test_a_forged_link_is_404_with_a_page_that_helps(web: Website) -> None:
    for token in ("x", "A" * 32, "%00", "%ff", "a/b", "", "x" * 5_000):
        for method in ("GET", "POST"):
            answer = await web.visitor.request(method, f"/confirm/{token}")
            assert answer.status_code == 404
            assert "We do not know this link" in answer.text


@pytest.fixture
async def carol(web: Website, now: datetime) -> str:
    """Return the preferences link of Carol, who follows two channels."""
    world = World(web.app.db, now)
    channels = (await world.channel(), await world.channel("tesla"))
    (person,) = await world.readers(1, channels)
    return web.manage_link(person)


async def test_the_preferences_show_what_one_gets_and_mask_the_address(web: Website, carol: str) -> None:
    page = await web.visitor.get(carol)
    assert "Xiaomi" in page.text
    assert "Tesla" in page.text
    assert "r•••@e…" in page.text
    assert "reader1" not in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_one_channel_can_be_left_then_all(web: Website, carol: str) -> None:
    page = (await web.visitor.post(carol, data={"do": "leave:tesla"})).text
    assert "You have left <bdi>Tesla</bdi>" in page
    assert 'value="leave:tesla"' not in page
    assert 'value="leave:xiaomi"' in page
    assert "You follow no channel" in (await web.visitor.post(carol, data={"do": "leave-all"})).text


async def test_an_unknown_wish_changes_nothing(web: Website, carol: str) -> None:
    for wish in ("", "leave:", "leave:nobody", "FORGET", "leave:\x00"):
        page = await web.visitor.post(carol, data={"do": wish})
        assert page.status_code == 200
        assert page.text.count('value="leave:') == 2


async def test_who_asks_to_be_forgotten_is(web: Website, carol: str) -> None:
    page = await web.visitor.post(carol, data={"do": "forget"})
    assert "You are forgotten" in page.text
    async with web.app.db.reading() as tx:
        assert await tx.scalar(select(schema.subscribers.c.id)) is None
    forgotten, garbled = await web.visitor.get(carol), await web.visitor.get("/m/garbled")
    assert forgotten.status_code == garbled.status_code == 404
    assert forgotten.text == garbled.text
