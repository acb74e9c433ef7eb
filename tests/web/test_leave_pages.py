"""Leaving by the link of a mail: RFC 8058's one-click and the page with the buttons, rules U1 to U9."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from sqlalchemy import select
from website import Website, website

from alerts.core.errors import DatabaseUnavailableError
from alerts.core.tokens import Purpose, sign
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.storage.secrets import load_secrets, rotate

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


class Bob:
    """Follows three channels; an article matched two of them, and he got its mail."""

    def __init__(self, web: Website, person: int, article: int, channels: dict[str, int]) -> None:
        self.web = web
        self.person = person
        self.article = article
        self.channels = channels
        self.link = web.leave_link(person, article)

    async def follows(self) -> set[str]:
        statement = select(schema.subscriptions.c.channel_id).where(
            schema.subscriptions.c.subscriber_id == self.person, schema.subscriptions.c.state == "active"
        )
        async with self.web.app.db.reading() as tx:
            held = set((await tx.scalars(statement)).all())
        return {slug for slug, key in self.channels.items() if key in held}


@pytest.fixture
async def bob(web: Website, db: Database, now: datetime) -> Bob:
    world = World(db, now)
    channels = {slug: await world.channel(slug) for slug in ("xiaomi", "tesla", "byd")}
    article = await world.article(await world.source(), channels=(channels["xiaomi"], channels["tesla"]))
    (person,) = await world.readers(1, tuple(channels.values()))
    return Bob(web, person, article, channels)


async def test_the_one_click_of_a_digest_leaves_the_channels_that_its_flood_matched(
    web: Website, db: Database, bob: Bob, now: datetime
) -> None:
    async with db.transaction() as tx:
        flood = {"source_id": 1, "began_at": now, "most": 20, "decision": "digest", "decided_at": now}
        await tx.execute(schema.floods.insert().values(id=7, **flood))
        await tx.execute(schema.articles.update().values(flood_id=7, disposition="digest"))
        window = {"frequency": "immediate", "time_zone": "UTC", "window_start_at": now, "window_end_at": now}
        await tx.execute(schema.digest_runs.insert().values(id=3, flood_id=7, created_at=now, **window))
    link = "/u/" + sign(Purpose.UNSUBSCRIBE_DIGEST, bob.person, 3, web.app.secrets)

    page = await web.visitor.get(link)
    assert (page.status_code, await bob.follows()) == (200, {"xiaomi", "tesla", "byd"})
    answer = await web.visitor.post(link, data=ONE_CLICK)

    assert answer.status_code == 200
    assert await bob.follows() == {"byd"}


async def rows(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the whole ledger."""
    async with db.reading() as tx:
        return {
            table.name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }


async def test_one_click_ends_what_the_mail_named_and_no_other_u9(bob: Bob) -> None:
    answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    assert answer.status_code == 200
    assert await bob.follows() == {"byd"}


async def test_one_click_works_as_multipart_too_u1(bob: Bob) -> None:
    answer = await bob.web.visitor.post(bob.link, files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    assert await bob.follows() == {"byd"}


async def test_one_click_needs_no_cookie_origin_or_referer_and_is_answered_within_a_second_u1(bob: Bob) -> None:
    times = []
    for headers in ({}, {"Origin": "https://mail.example", "Referer": "https://mail.example/x", "Cookie": "a=b"}):
        started = time.perf_counter()
        answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK, headers=headers)
        times.append(time.perf_counter() - started)
        assert 200 <= answer.status_code < 300
    assert min(times) < 1
    assert await bob.follows() == {"byd"}


async def test_the_link_works_over_a_rotation_and_a_rename_and_years_u5(bob: Bob, db: Database, now: datetime) -> None:
    async with db.transaction() as tx:
        await rotate(tx, now=now)
        bob.web.app.secrets = await load_secrets(tx)
        await tx.execute(schema.channels.update().values(name="Renamed"))
    assert bob.web.leave_link(bob.person, bob.article) != bob.link  # a new secret signs
    bob.web.app.clock = lambda: now + timedelta(days=2_000)
    await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    assert await bob.follows() == {"byd"}


BODIES = [
    (None, b""),
    (None, b"List-Unsubscribe=One-Click"),
    ("text/plain", b"List-Unsubscribe=One-Click"),
    ("application/x-www-form-urlencoded", b"%ff&&&=\x00"),
    ("application/x-www-form-urlencoded; charset=klingon", b"List-Unsubscribe=One-Click"),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=x", b"--y broken"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n.\r\n--x--',
    ),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--x--\r\n"),
    ("\xff/;;", b"?"),
]


async def test_a_body_that_cannot_be_read_still_means_what_its_link_says_u1(bob: Bob, db: Database) -> None:
    for content_type, body in BODIES:
        async with db.transaction() as tx:
            await tx.execute(schema.subscriptions.update().values(state="active"))
        headers = {b"Content-Type": content_type.encode("latin-1")} if content_type else {}
        answer = await bob.web.visitor.post(bob.link, content=body, headers=headers)
        assert (answer.status_code, await bob.follows()) == (200, {"byd"}), (content_type, body)


async def test_the_answer_sets_no_cookie_and_sends_nobody_elsewhere_u1(bob: Bob) -> None:
    answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


async def test_a_second_time_changes_nothing_u4(bob: Bob, db: Database) -> None:
    await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    before = await rows(db)
    answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    assert answer.status_code == 200
    assert await rows(db) == before


async def test_a_mail_that_waits_to_be_sent_is_dropped_u3(bob: Bob, db: Database, now: datetime) -> None:
    async with db.transaction() as tx:
        values = {"kind": "alert", "lane": 1, "state": "pending", "due_at": now, "dated_at": now}
        await tx.execute(schema.deliveries.insert().values(subscriber_id=bob.person, article_id=bob.article, **values))
    await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    async with db.reading() as tx:
        assert await tx.scalar(select(schema.deliveries.c.state)) == "cancelled"


QUERIES = [
    "",
    "?List-Unsubscribe=One-Click",
    "?_method=POST&leave=all",
    "?leave=all&do=forget&undo=1&email=a@b.example",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_nothing_but_a_post_changes_a_row_u6(bob: Bob, db: Database, method: str) -> None:
    before = await rows(db)
    overrides = {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST", "X-Method-Override": "POST"}
    manage = bob.web.manage_link(bob.person)
    links = [bob.link, manage, f"{manage}/data.json", "/manage", "/confirm/abc", "/", "/c/xiaomi", f"/a/{bob.article}"]
    for link in (link + query for link in links for query in QUERIES):
        answer = await bob.web.visitor.request(method, link, headers=overrides)
        assert answer.status_code in {200, 404, 405}
    assert await rows(db) == before


async def test_the_page_masks_the_address_and_offers_buttons_that_wait_u8(bob: Bob) -> None:
    page = (await bob.web.visitor.get(bob.link)).text
    assert "r•••@e…" in page
    assert "reader1" not in page
    assert 'method="post"' in page
    assert "<script" not in page
    assert page.count("<button") == 4  # these two, each of them, everything


async def test_in_chinese_foreign_names_stand_apart_and_chinese_ones_do_not(bob: Bob, db: Database) -> None:
    async def heading() -> str:
        page = (await bob.web.visitor.get(bob.link, headers={"Accept-Language": "zh-CN"})).text
        return re.sub(r"<[^>]+>", "", page.partition("<h1>")[2].partition("</h1>")[0])

    first = await heading()
    async with db.transaction() as tx:
        await tx.execute(schema.channels.update().where(schema.channels.c.slug == "xiaomi").values(name="小米"))
    second = await heading()
    assert (first, second) == ("退订 Xiaomi 和 Tesla？", "退订小米和 Tesla？")


async def test_one_channel_of_the_mail_can_be_left_alone_u9(bob: Bob) -> None:
    answer = await bob.web.visitor.post(bob.link, data={"leave": "channel:tesla"})
    assert await bob.follows() == {"xiaomi", "byd"}
    assert "You still follow" in answer.text


async def test_everything_can_be_left_u9(bob: Bob) -> None:
    await bob.web.visitor.post(bob.link, data={"leave": "all"})
    assert await bob.follows() == set()
    assert "no channel" in (await bob.web.visitor.get(bob.link)).text


async def test_who_left_by_one_mail_can_still_leave_the_rest_from_its_page(bob: Bob) -> None:
    await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    page = (await bob.web.visitor.get(bob.link)).text
    assert "You have left already" in page
    assert 'value="all"' in page


async def test_a_choice_of_a_channel_that_is_none_ends_none(bob: Bob) -> None:
    for choice in ("channel:", "channel:nobody", "channel:\x00'\"", "channel:" + "x" * 3_000):
        answer = await bob.web.visitor.post(bob.link, data={"leave": choice})
        assert answer.status_code == 200
    assert await bob.follows() == {"xiaomi", "tesla", "byd"}


TOKENS = [
    "x",
    "A" * 44,
    "%00",
    "%ff%fe",
    "..%2f..",
    "",
    "x" * 5_000,
    "a%0A",
    "a%0D%0Ab",
    "<script>alert(1)</script>",
    "ü",
    "{{ 7 }}",
]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_that_is_none_gets_the_status_of_a_used_one_u7(bob: Bob, db: Database, method: str) -> None:
    before = await rows(db)
    for token in TOKENS:
        answer = await bob.web.visitor.request(method, f"/u/{token}")
        assert answer.status_code == 200
        assert "alert(1)" not in answer.text
    assert await rows(db) == before


async def test_a_token_for_another_purpose_is_none(bob: Bob) -> None:
    manage = sign(Purpose.MANAGE, bob.person, 0, bob.web.app.secrets)
    await bob.web.visitor.post(f"/u/{manage}", data=ONE_CLICK)
    assert await bob.follows() == {"xiaomi", "tesla", "byd"}


async def test_the_link_of_somebody_forgotten_answers_like_any_other(bob: Bob) -> None:
    await bob.web.visitor.post(bob.web.manage_link(bob.person), data={"do": "forget"})
    answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    assert answer.status_code == 200


async def test_an_unknown_token_takes_the_time_of_a_used_one_u7(bob: Bob) -> None:
    async def best(link: str) -> float:
        times = []
        for _ in range(15):
            started = time.perf_counter()
            await bob.web.visitor.post(link, data=ONE_CLICK)
            times.append(time.perf_counter() - started)
        return min(times)

    used, unknown = await best(bob.link), await best("/u/" + "A" * 44)
    assert used < 1
    assert unknown / used > 0.3  # the same statements run; a token that went nowhere would cost a tenth


async def test_a_database_that_is_down_gives_503_and_never_200_u2(bob: Bob, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: Database) -> object:
        raise DatabaseUnavailableError("/var/lib/alerts.db is locked")

    monkeypatch.setattr(Database, "transaction", down)
    answer = await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    monkeypatch.setattr(Database, "reading", down)
    unknown = await bob.web.visitor.post("/u/x", data=ONE_CLICK)
    for one in (answer, unknown):
        assert one.status_code == 503
        assert int(one.headers["retry-after"]) > 0
        assert "/var/lib" not in one.text


async def test_many_mailboxes_at_once_are_all_answered_u1(bob: Bob) -> None:
    answers = await asyncio.gather(*(bob.web.visitor.post(bob.link, data=ONE_CLICK) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


def sealed_in(page: str) -> str:
    return page.split('name="undo" value="')[1].split('"', maxsplit=1)[0]


async def test_who_left_by_a_slip_takes_it_back_within_a_minute(bob: Bob, db: Database, now: datetime) -> None:
    before = await rows(db)
    page = (await bob.web.visitor.post(bob.link, data={"leave": "all"})).text
    bob.web.app.clock = lambda: now + timedelta(seconds=60)
    again = await bob.web.visitor.post(bob.link, data={"undo": sealed_in(page)})
    assert "Taken back" in again.text
    assert await bob.follows() == {"xiaomi", "tesla", "byd"}
    assert await rows(db) == before


async def test_a_second_undo_is_a_friendly_success(bob: Bob, db: Database) -> None:
    page = (await bob.web.visitor.post(bob.link, data={"leave": "channel:tesla"})).text
    await bob.web.visitor.post(bob.link, data={"undo": sealed_in(page)})
    before = await rows(db)
    answer = await bob.web.visitor.post(bob.link, data={"undo": sealed_in(page)})
    assert answer.status_code == 200
    assert "all is as it was" in answer.text
    assert await rows(db) == before


async def test_who_opens_the_page_after_a_one_click_can_take_it_back_there(bob: Bob) -> None:
    await bob.web.visitor.post(bob.link, data=ONE_CLICK)
    page = (await bob.web.visitor.get(bob.link)).text
    await bob.web.visitor.post(bob.link, data={"undo": sealed_in(page)})
    assert await bob.follows() == {"xiaomi", "tesla", "byd"}


async def test_after_a_minute_it_is_too_late_and_the_page_says_where_the_channels_are(
    bob: Bob, db: Database, now: datetime
) -> None:
    page = (await bob.web.visitor.post(bob.link, data=ONE_CLICK)).text
    before = await rows(db)
    bob.web.app.clock = lambda: now + timedelta(seconds=61)
    answer = await bob.web.visitor.post(bob.link, data={"undo": sealed_in(page)})
    assert "Too late to undo" in answer.text
    assert 'href="/m/' in answer.text
    assert "Undo" not in (await bob.web.visitor.get(bob.link)).text
    assert await rows(db) == before


async def test_a_field_called_undo_is_never_taken_for_a_one_click(bob: Bob, db: Database) -> None:
    before = await rows(db)
    for sealed in ("", "x", "A" * 44, bob.link.rpartition("/")[2], "<script>alert(1)</script>"):
        for link in (bob.link, "/u/x"):
            answer = await bob.web.visitor.post(link, data={"undo": sealed, **ONE_CLICK})
            assert answer.status_code == 200
            assert "alert(1)" not in answer.text
    assert await rows(db) == before
