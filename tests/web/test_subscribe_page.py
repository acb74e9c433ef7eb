"""Subscribing by the site's form: what it takes, what it refuses, and that it tells nobody who is known here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import html5lib
import httpx2
import pytest
from cast import World
from forms import Form, form_of
from sqlalchemy import select
from website import Website, website

from alerts.core.addresses import normalise
from alerts.core.model import DeliveryKind, DeliveryState
from alerts.core.subscriptions import Event
from alerts.core.tokens import confirmation_token
from alerts.queue import Job
from alerts.services.confirm import confirm
from alerts.storage import schema, suppressions
from alerts.storage.engine import Database
from alerts.storage.subscribers import lock_subscribers

ALICE = "alice@reader.example"
LATER = timedelta(seconds=30)


@asynccontextmanager
async def site_over(db: Database, folder: Path, now: datetime, more: str = "") -> AsyncIterator[Website]:
    async with website(db, folder, now, more=more) as web:
        for slug in ("byd", "tesla", "xiaomi"):
            await World(db, now).channel(slug)
        yield web


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with site_over(sqlite_db, tmp_path, now) as web:
        yield web


@pytest.fixture
async def on_both(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    """Give the site over either database, for what the ledger decides."""
    async with site_over(db, tmp_path, now) as web:
        yield web


async def post(web: Website, email: str = ALICE, channel: str | list[str] = "xiaomi", **more: str) -> httpx2.Response:
    """Send the form as a page of somebody else's has it, or a script: without a stamp."""
    return await web.visitor.post("/subscribe", data={"email": email, "channel": channel, **more})


async def filled(web: Website, **typed: str | list[str]) -> Form:
    """Open the form, and fill it in as a person would: half a minute goes by."""
    form = form_of((await web.visitor.get("/subscribe")).text)
    form.fields |= {"email": [ALICE], "channel": ["xiaomi"]}
    form.fields |= {name: [value] if isinstance(value, str) else value for name, value in typed.items()}
    go_on(web, LATER)
    return form


def go_on(web: Website, by: timedelta) -> None:
    then = web.app.clock() + by
    web.app.clock = lambda: then


async def press(web: Website, form: Form) -> httpx2.Response:
    return await web.visitor.post(form.action, data=form.fields)


async def held(web: Website) -> list[tuple[str, str]]:
    """List who holds what: (address, state)."""
    rows = schema.subscribers.join(schema.subscriptions)
    async with web.app.db.reading() as tx:
        found = await tx.execute(
            select(schema.subscribers.c.email, schema.subscriptions.c.state)
            .select_from(rows)
            .order_by(schema.subscriptions.c.id)
        )
        return [(email, state) for email, state in found]


async def owed(web: Website, kind: DeliveryKind = DeliveryKind.CONFIRMATION) -> int:
    rows = schema.deliveries.c
    async with web.app.db.reading() as tx:
        found = await tx.scalars(select(rows.id).where(rows.kind == kind, rows.state != DeliveryState.CANCELLED))
        return len(found.all())


async def test_the_form_of_a_page_subscribes_and_asks_to_look_into_the_mailbox(on_both: Website) -> None:
    answer = await press(on_both, await filled(on_both, channel=["xiaomi", "byd"]))
    assert answer.status_code == 200
    assert "Look into your mailbox" in answer.text
    assert await held(on_both) == [(ALICE, "pending")] * 2
    assert await owed(on_both) == 1


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
async def test_a_plain_form_elsewhere_needs_nothing_but_an_address_and_a_channel(web: Website, encoding: str) -> None:
    if encoding == "urlencoded":
        answer = await post(web)
    else:
        files = {"email": (None, ALICE), "channel": (None, "xiaomi")}
        answer = await web.visitor.post("/subscribe", files=files)
    assert answer.status_code == 200
    assert await held(web) == [(ALICE, "pending")]


async def test_the_mail_is_asked_for_in_the_transaction_that_owes_it(
    web: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Job] = []

    async def enlist(_tx: object, job: Job, *, unless_waiting: bool = False) -> None:
        assert not unless_waiting
        asked.append(job)

    monkeypatch.setattr(web.app.queue, "enlist", enlist)
    await post(web)
    await post(web, channel="nobody")
    assert [job.step.value for job in asked] == ["deliver"]


async def test_the_answer_shows_nothing_of_what_was_typed_and_is_kept_by_nobody(web: Website) -> None:
    answer = await post(web, email="bob+hidden@reader.example")
    assert "bob" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_the_language_of_the_page_becomes_the_persons(web: Website) -> None:
    await web.visitor.post("/subscribe", data={"email": ALICE, "channel": "xiaomi"}, headers={"accept-language": "zh"})
    async with web.app.db.reading() as tx:
        assert await tx.scalar(select(schema.subscribers.c.language)) == "zh"


async def test_a_confirmation_mail_holds_nothing_that_was_typed(web: Website, now: datetime) -> None:
    await post(web, name="Buy pills at evil.example", frequency="weekly", subject="Hello")
    async with web.app.db.reading() as tx:
        row = (
            await tx.execute(
                select(schema.subscribers.c.name, schema.subscriptions.c.frequency).select_from(
                    schema.subscribers.join(schema.subscriptions)
                )
            )
        ).one()
    assert tuple(row) == (None, "immediate")


WRONG = [
    ({}, "Type the address"),
    ({"email": "", "channel": "xiaomi"}, "Type the address"),
    ({"email": "alice", "channel": "xiaomi"}, "does not look like an email address"),
    ({"email": 'a"><script>alert(1)</script>@x.example', "channel": "xiaomi"}, "does not look like"),
    ({"email": "a@x.example\r\nBcc: b@x.example", "channel": "xiaomi"}, "does not look like"),
    ({"email": "a" * 5_000 + "@x.example", "channel": "xiaomi"}, "does not look like"),
    ({"email": "a\x00@x.example", "channel": "xiaomi"}, "does not look like"),
    ({"email": ALICE}, "Tick at least one channel"),
    ({"email": ALICE, "channel": "nobody"}, "not there any more"),
    ({"email": ALICE, "channel": ["xiaomi", "\x00", "'; drop", "\ufffd", "小米"]}, "not there any more"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "said"), WRONG)
async def test_what_cannot_be_meant_is_said_with_the_form_again(
    web: Website, data: dict[str, str | list[str]], said: str
) -> None:
    answer = await web.visitor.post("/subscribe", data=data)
    assert answer.status_code == 422
    assert said in answer.text
    assert "<script>alert" not in answer.text
    html5lib.HTMLParser(strict=True).parse(answer.text)
    assert form_of(answer.text).action == "/subscribe"
    assert await held(web) == []


async def test_the_field_that_is_wrong_is_marked_and_no_other(web: Website) -> None:
    for data in ({}, {"email": "alice", "channel": "xiaomi"}):
        assert 'aria-invalid="true"' in (await web.visitor.post("/subscribe", data=data)).text
    for data in ({"email": ALICE}, {"email": ALICE, "channel": "nobody"}):
        assert "aria-invalid" not in (await web.visitor.post("/subscribe", data=data)).text
    assert "aria-invalid" not in (await web.visitor.get("/subscribe")).text


async def test_an_address_in_bytes_that_are_no_utf_8_is_none(web: Website) -> None:
    answer = await web.visitor.post(
        "/subscribe",
        content=b"email=%C3%28@x.example&channel=xiaomi",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 422
    assert "does not look like" in answer.text


async def test_what_was_typed_stays_in_the_form(web: Website) -> None:
    form = form_of((await post(web, email="alice@", channel=["tesla", "nobody"])).text)
    assert form.fields["email"] == ["alice@"]
    assert form.fields["channel"] == ["tesla"]
    assert form.choices["channel"] == ["tesla", "byd", "xiaomi"]


async def test_a_channel_that_is_retired_can_no_longer_be_had(web: Website) -> None:
    async with web.app.db.transaction() as tx:
        await tx.execute(schema.channels.update().where(schema.channels.c.slug == "byd").values(state="retired"))
    answer = await post(web, channel="byd")
    assert answer.status_code == 422
    assert "byd" not in form_of(answer.text).choices["channel"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"email=a%40b.example&" * 300, b"--x\r\nbroken"])
async def test_a_body_that_is_no_form_is_answered(web: Website, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""):
        answer = await web.visitor.post("/subscribe", content=body, headers={"content-type": kind})
        assert answer.status_code == 422


async def test_opening_the_page_by_hand_helps_and_changes_nothing(web: Website) -> None:
    page = await web.visitor.get("/subscribe?channel=tesla&channel=nobody&email=mallory@x.example")
    form = form_of(page.text)
    assert page.status_code == 200
    assert form.fields["channel"] == ["tesla"]
    assert form.fields["email"] == [""]
    assert await held(web) == []


async def test_in_a_frame_on_a_foreign_page_the_answer_is_a_bare_one(web: Website) -> None:
    for data in ({"email": ALICE, "channel": "xiaomi"}, {"channel": "xiaomi"}):
        answer = await web.visitor.post("/subscribe", data={**data, "from": "embed"})
        assert "frame-ancestors *" in answer.headers["content-security-policy"]
        assert "script-src 'self';" in answer.headers["content-security-policy"]  # it tells the page how high it is
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "masthead" not in answer.text
    assert form_of(answer.text).fields["from"] == ["embed"]
    page = await post(web)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]


# ---- what is known of an address shows nowhere (C2, C5, C6)


async def confirmed(web: Website, email: str) -> None:
    await post(web, email=email)
    async with web.app.db.reading() as tx:
        key, salt = (
            await tx.execute(
                select(schema.confirmations.c.id, schema.confirmations.c.salt)
                .order_by(schema.confirmations.c.id.desc())
                .limit(1)
            )
        ).one()
    token = confirmation_token(web.app.secrets, key, bytes(salt))
    await confirm(web.app.db, token=token, now=web.app.clock())


async def suppressed(web: Website, email: str) -> None:
    await confirmed(web, email)
    async with web.app.db.transaction() as tx:
        people = list((await lock_subscribers(tx, [normalise(email).key])).values())
        await suppressions.suppress(tx, people, Event.COMPLAINED, secrets=web.app.secrets, now=web.app.clock())


async def test_the_answer_is_the_same_to_the_byte_whatever_we_know_of_an_address(on_both: Website) -> None:
    await post(on_both, email="pending@reader.example")
    await confirmed(on_both, "confirmed@reader.example")
    await suppressed(on_both, "suppressed@reader.example")
    for _ in range(3):
        await post(on_both, email="spent@reader.example")
    answers = []
    for name in ("new", "pending", "confirmed", "suppressed", "spent"):
        answer = await post(on_both, email=f"{name}@reader.example")
        answers.append((answer.status_code, answer.content, sorted(answer.headers.items())))
    answers.append(
        (
            (bot := await post(on_both, website="x")).status_code,
            bot.content,
            sorted(bot.headers.items()),
        )
    )
    assert answers == [answers[0]] * 6


async def test_a_confirmed_address_that_asks_again_stays_confirmed_and_gets_no_mail(on_both: Website) -> None:
    await confirmed(on_both, ALICE)
    before = await owed(on_both)
    await post(on_both)
    assert await held(on_both) == [(ALICE, "active")]
    assert await owed(on_both) == before


async def test_a_suppressed_address_comes_back_by_its_own_confirmation(on_both: Website) -> None:
    await suppressed(on_both, ALICE)
    await confirmed(on_both, ALICE)
    assert await held(on_both) == [(ALICE, "active")]
    async with on_both.app.db.reading() as tx:
        assert await tx.scalar(select(schema.suppressions.c.email_hash)) is None


# ---- bots


async def test_what_fills_in_the_hidden_field_gets_the_answer_and_nothing_else(web: Website) -> None:
    answer = await press(web, await filled(web, website="https://pills.example"))
    assert "Look into your mailbox" in answer.text
    assert await held(web) == []


async def test_the_hidden_field_is_hidden_from_everybody_but_bots(web: Website) -> None:
    page = html5lib.parse((await web.visitor.get("/subscribe")).text, namespaceHTMLElements=False)
    (decoy,) = page.findall(".//div[@class='decoy']")
    (field,) = decoy.findall(".//input")
    assert decoy.get("aria-hidden") == "true"
    assert (field.get("tabindex"), field.get("autocomplete"), field.get("type")) == ("-1", "off", "text")
    assert ".decoy { display: none; }" in (await web.visitor.get("/static/site.css")).text


@pytest.mark.parametrize("after", [timedelta(0), timedelta(seconds=1.4), timedelta(hours=24, seconds=1), -LATER])
async def test_a_form_too_soon_or_too_late_has_to_be_pressed_once_more(web: Website, after: timedelta) -> None:
    form = await filled(web)
    go_on(web, after - LATER)
    again = await press(web, form)
    assert again.status_code == 200
    assert "press the button once more" in again.text
    assert await held(web) == []
    go_on(web, LATER)
    assert "Look into your mailbox" in (await press(web, form_of(again.text))).text
    assert await held(web) == [(ALICE, "pending")]


@pytest.mark.parametrize("forged", ["", "x", "A" * 44, "\u0000", "manage"])
async def test_a_stamp_that_is_not_ours_is_none(web: Website, forged: str) -> None:
    stamp = web.manage_link(1).removeprefix("/m/") if forged == "manage" else forged
    answer = await press(web, await filled(web, stamp=stamp))
    assert "press the button once more" in answer.text
    assert await held(web) == []


# ---- what comes after the button of the mail


async def test_a_page_that_is_no_longer_in_time_offers_to_ask_again(web: Website) -> None:
    await post(web, channel=["xiaomi", "byd"])
    async with web.app.db.reading() as tx:
        key, salt = (await tx.execute(select(schema.confirmations.c.id, schema.confirmations.c.salt))).one()
    link = "/confirm/" + confirmation_token(web.app.secrets, key, bytes(salt))
    go_on(web, timedelta(hours=49))
    page = await web.visitor.get(link)
    form = form_of(page.text)
    assert page.status_code == 410
    assert ALICE not in page.text
    assert form.fields["channel"] == ["byd", "xiaomi"]
    form.fields["email"] = [ALICE]
    go_on(web, LATER)
    assert "Look into your mailbox" in (await press(web, form)).text
    assert await owed(web) == 2


@pytest.mark.parametrize("welcome", [True, False])
async def test_the_first_confirmation_is_welcomed_once_where_the_site_wants_it(
    db: Database, tmp_path: Path, now: datetime, *, welcome: bool
) -> None:
    more = f"subscribe: {{welcome: {str(welcome).lower()}}}\n"
    async with site_over(db, tmp_path, now, more) as web:
        for channel in ("xiaomi", "tesla"):
            await post(web, channel=channel)
            async with db.reading() as tx:
                rows = schema.confirmations.c
                found = await tx.execute(select(rows.id, rows.salt).order_by(rows.id.desc()).limit(1))
                key, salt = found.one()
            link = "/confirm/" + confirmation_token(web.app.secrets, key, bytes(salt))
            for _ in range(2):
                assert (await web.visitor.post(link)).status_code == 200
        assert await owed(web, DeliveryKind.WELCOME) == int(welcome)
