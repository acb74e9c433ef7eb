"""Two rows of one person became one: what the links in the mailbox that was given up still do, and what no more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from sqlalchemy import func, select
from website import Website, website

from alerts.core.asking import Asking
from alerts.core.tokens import Purpose, confirmation_token, sign
from alerts.core.undo import mark_of, moment_of_leaving
from alerts.services.change_address import ask_to_change, change_address
from alerts.services.unsubscribe import unsubscribe
from alerts.storage import schema
from alerts.storage.engine import Database

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
SLUGS = ("xiaomi", "tesla", "byd", "nio")
DAY = timedelta(days=1)


class Carol:
    """Followed xiaomi and byd by an address that she gave up, and tesla and byd, later, by the one that she kept."""

    def __init__(self, web: Website, world: World) -> None:
        self.web, self.world = web, world
        self.channels: dict[str, int] = {}
        self.source = self.former = self.kept = 0

    async def come(self) -> None:
        self.channels = {slug: await self.world.channel(slug) for slug in SLUGS}
        self.source = await self.world.source()
        (self.former,) = await self.world.readers(1, (self.channels["xiaomi"], self.channels["byd"]))

    async def come_again(self, number: int = 5) -> int:
        """Subscribe by another address, a day later."""
        self.world.now += DAY
        (self.kept,) = await self.world.readers(1, (self.channels["tesla"], self.channels["byd"]), start=number)
        return self.kept

    async def moves(self, person: int, number: int) -> None:
        """Change the address of one row to that of the other, by the button in the mail."""
        db, salt = self.web.app.db, bytes([number]) * 16
        asking = Asking(secrets=self.web.app.secrets, salt=salt, network="192.0.2.0/24", site_limit=99)
        address = f"reader{number}@example.org"
        now = self.world.now
        await ask_to_change(db, subscriber_id=person, address=address, now=now, asking=asking, enlist=nobody)
        async with db.reading() as tx:
            key = await tx.scalar(select(schema.confirmations.c.id).where(schema.confirmations.c.salt == salt))
        token = confirmation_token(self.web.app.secrets, int(key or 0), salt)
        assert await change_address(db, token=token, now=now) is not None

    async def alert(self, *slugs: str) -> int:
        return await self.world.article(
            self.source, title=f"About {slugs}", channels=tuple(self.channels[slug] for slug in slugs)
        )

    async def follows(self) -> set[str]:
        rows = schema.subscriptions.c
        statement = select(rows.channel_id).where(rows.subscriber_id == self.kept, rows.state == "active")
        async with self.web.app.db.reading() as tx:
            held = set(await tx.scalars(statement))
        return {slug for slug, key in self.channels.items() if key in held}


async def nobody(_tx: object, _job: object) -> None:
    """Ask nobody: no mail goes out here."""


@pytest.fixture
async def carol(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Carol]:
    async with website(db, tmp_path, now) as web:
        carol = Carol(web, World(db, now))
        await carol.come()
        web.app.clock = lambda: carol.world.now
        yield carol


async def test_a_one_click_ends_what_its_mail_named_whoever_holds_that_now(carol: Carol) -> None:
    article = await carol.alert("xiaomi", "tesla")
    both = await carol.alert("byd")
    await carol.come_again()
    await carol.moves(carol.former, 5)
    assert await carol.follows() == {"xiaomi", "tesla", "byd"}
    answer = await carol.web.visitor.post(carol.web.leave_link(carol.former, article), data=ONE_CLICK)
    assert (answer.status_code, await carol.follows()) == (200, {"tesla", "byd"})
    # Both rows followed byd, and the one that stays came to it only after this mail.
    await carol.web.visitor.post(carol.web.leave_link(carol.former, both), data=ONE_CLICK)
    assert await carol.follows() == {"tesla"}


async def test_its_page_names_what_the_mail_was_about_and_leads_to_nothing_else(carol: Carol) -> None:
    article = await carol.alert("xiaomi")
    await carol.come_again()
    await carol.moves(carol.former, 5)
    link = carol.web.leave_link(carol.former, article)
    page = (await carol.web.visitor.get(link)).text
    left = (await carol.web.visitor.post(link, data={"leave": "these"})).text
    again = (await carol.web.visitor.get(link)).text
    assert "Leave <bdi" in page
    assert "You have left <bdi" in left
    assert "You have left already" in again
    undone = (await carol.web.visitor.post(link, data={"undo": "x"})).text
    for one in (page, left, again, undone):
        assert "a former address of yours" in one
        assert "r•••@e…" in one
        assert "tesla" not in one.lower(), "what the kept address follows is not the former mailbox's business"
        assert "/m/" not in one
        assert 'name="undo"' not in one


async def test_it_ends_no_more_than_what_was_followed_there_whatever_is_sent(carol: Carol) -> None:
    article = await carol.alert("xiaomi")
    await carol.come_again()
    await carol.moves(carol.former, 5)
    link = carol.web.leave_link(carol.former, article)
    await carol.web.visitor.post(link, data={"leave": "channel:tesla"})
    assert await carol.follows() == {"xiaomi", "tesla", "byd"}
    await carol.web.visitor.post(link, data={"leave": "all"})
    assert await carol.follows() == {"tesla"}


async def test_a_mail_whose_article_is_gone_ends_what_was_followed_there(carol: Carol) -> None:
    await carol.come_again()
    await carol.moves(carol.former, 5)
    await carol.web.visitor.post(carol.web.leave_link(carol.former, 404), data=ONE_CLICK)
    assert await carol.follows() == {"tesla"}


async def test_it_takes_back_nothing_that_was_left_at_the_address_that_is_kept(carol: Carol) -> None:
    article = await carol.alert("xiaomi")
    await carol.come_again()
    await carol.moves(carol.former, 5)
    await unsubscribe(carol.web.app.db, subscriber_id=carol.kept, channel_ids=None, now=carol.world.now)
    link = carol.web.leave_link(carol.former, article)
    assert 'name="undo"' not in (await carol.web.visitor.get(link)).text
    mark = mark_of(moment_of_leaving(carol.world.now))
    for person in (carol.kept, carol.former):
        sealed = sign(Purpose.UNDO, person, mark, carol.web.app.secrets)
        await carol.web.visitor.post(link, data={"undo": sealed})
        assert await carol.follows() == set()


async def test_its_link_to_the_preferences_opens_nothing(carol: Carol) -> None:
    await carol.come_again()
    await carol.moves(carol.former, 5)
    for path in ("", "/data.json"):
        assert (await carol.web.visitor.get(carol.web.manage_link(carol.former) + path)).status_code == 404


async def test_the_links_of_a_row_that_was_merged_twice_lead_to_the_last(carol: Carol) -> None:
    article = await carol.alert("xiaomi")
    second = await carol.come_again(5)
    await carol.moves(carol.former, 5)
    later = await carol.alert("byd")
    await carol.come_again(6)
    await carol.moves(second, 6)
    await carol.web.visitor.post(carol.web.leave_link(carol.former, article), data=ONE_CLICK)
    assert await carol.follows() == {"tesla", "byd"}
    await carol.web.visitor.post(carol.web.leave_link(second, later), data=ONE_CLICK)
    assert await carol.follows() == {"tesla"}


async def test_who_is_forgotten_leaves_nothing_behind_and_the_link_answers_like_any_unknown(carol: Carol) -> None:
    article = await carol.alert("xiaomi")
    await carol.come_again()
    await carol.moves(carol.former, 5)
    data = json.loads((await carol.web.visitor.get(carol.web.manage_link(carol.kept) + "/data.json")).text)
    assert [one["channel"] for one in data["formerly"]] == ["xiaomi", "byd"]
    await carol.web.visitor.post(carol.web.manage_link(carol.kept), data={"do": "forget"})
    async with carol.web.app.db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(schema.merged_subscriptions)) == 0
    answer = await carol.web.visitor.post(carol.web.leave_link(carol.former, article), data=ONE_CLICK)
    assert answer.status_code == 200
    assert "We do not know this link" in answer.text
