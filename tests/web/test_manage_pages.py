"""One's own page, by the link in every mail: adding, pausing, moving, taking back, and what it says to whom."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import World
from sqlalchemy import func, select, update
from website import Website, website

from alerts.core.subscriptions import Event
from alerts.core.tokens import Purpose, confirmation_token, read, sign
from alerts.core.undo import mark_of
from alerts.services.fan_out import fan_out
from alerts.storage import schema, suppressions
from alerts.storage.deliveries import claim_due
from alerts.storage.engine import Database
from alerts.storage.letters import load_letters
from alerts.storage.subscribers import lock_subscribers

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
HOSTILE = "\"><script>alert(1)</script>\u202egpj.exe'&lt; 小米 javascript:alert(2)"


class Carol:
    """Follows two channels of three; knows her own link."""

    def __init__(self, web: Website, world: World, channels: dict[str, int], person: int) -> None:
        self.web, self.world, self.channels, self.person = web, world, channels, person
        self.link = web.manage_link(person)

    async def page(self, query: str = "") -> str:
        return (await self.web.visitor.get(self.link + query)).text

    async def does(self, wish: str, **more: str) -> str:
        return (await self.web.visitor.post(self.link, data={"do": wish, **more})).text

    async def row(self, table: str = "subscribers", **where: object) -> Any:
        rows = schema.metadata.tables[table]
        statement = select(rows).order_by(*rows.primary_key.columns)
        for name, value in where.items():
            statement = statement.where(rows.c[name] == value)
        async with self.web.app.db.reading() as tx:
            return (await tx.execute(statement)).first()

    async def follows(self, person: int | None = None) -> set[str]:
        rows = schema.subscriptions.c
        statement = select(rows.channel_id).where(rows.subscriber_id == (person or self.person), rows.state == "active")
        async with self.web.app.db.reading() as tx:
            held = set((await tx.scalars(statement)).all())
        return {slug for slug, key in self.channels.items() if key in held}

    async def mailed(self) -> list[str]:
        async with self.web.app.db.reading() as tx:
            return list((await tx.scalars(select(schema.deliveries.c.kind).order_by(schema.deliveries.c.id))).all())

    async def suppressed(self) -> None:
        async with self.web.app.db.transaction() as tx:
            people = list((await lock_subscribers(tx, ["reader1@example.org"])).values())
            await suppressions.suppress(tx, people, Event.COMPLAINED, secrets=self.web.app.secrets, now=self.world.now)

    async def alert(self, *slugs: str, title: str = "Xiaomi opens a plant") -> int:
        """Publish an article of these channels and fan it out."""
        source = await self.world.source(title)
        article = await self.world.article(source, title=title, channels=tuple(self.channels[it] for it in slugs))
        while not (await fan_out(self.web.app.db, article, now=self.web.app.clock())).finished:
            pass
        return article

    async def states(self) -> list[str]:
        async with self.web.app.db.reading() as tx:
            return list((await tx.scalars(select(schema.deliveries.c.state).order_by(schema.deliveries.c.id))).all())

    def at(self, moment: datetime) -> None:
        self.web.app.clock = lambda: moment


@pytest.fixture
async def carol(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Carol]:
    async with website(db, tmp_path, now) as web:
        world = World(db, now)
        channels = {slug: await world.channel(slug) for slug in ("xiaomi", "tesla", "byd")}
        (person,) = await world.readers(1, (channels["xiaomi"], channels["tesla"]))
        yield Carol(web, world, channels, person)


async def test_a_channel_is_added_at_once_since_the_link_came_by_mail(carol: Carol) -> None:
    assert 'value="follow:byd"' in await carol.page()
    page = await carol.does("follow:byd")
    assert "You follow <bdi>Byd</bdi> now." in page
    assert await carol.follows() == {"xiaomi", "tesla", "byd"}
    assert await carol.mailed() == []


async def test_who_is_suppressed_is_asked_by_mail_first_c5(carol: Carol, now: datetime) -> None:
    await carol.suppressed()
    assert "press the button in the mail" in await carol.page()
    page = await carol.does("follow:xiaomi")
    assert "We have sent you a mail" in page
    assert await carol.follows() == set()
    assert await carol.mailed() == ["confirmation"]
    asked = await carol.row("confirmations")
    token = confirmation_token(carol.web.app.secrets, asked.id, bytes(asked.salt))
    await carol.web.visitor.post(f"/confirm/{token}")
    assert await carol.follows() == {"xiaomi"}
    assert (await carol.row()).state == "active"


async def test_who_is_suppressed_cannot_cause_more_than_three_mails_a_day_c3(carol: Carol) -> None:
    await carol.suppressed()
    for _ in range(6):
        page = await carol.does("follow:xiaomi")
    assert "several mails of this kind" in page
    assert await carol.mailed() == ["confirmation"] * 3


async def test_a_channel_that_is_none_is_not_followed(carol: Carol, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.slug == "byd").values(state="retired"))
    for slug in ("byd", "nobody", "", "\x00", "x" * 3_000):
        await carol.does(f"follow:{slug}")
    assert await carol.follows() == {"xiaomi", "tesla"}


async def test_many_channels_are_paged_and_filtered(carol: Carol) -> None:
    for number in range(70):
        await carol.world.channel(f"maker-{number:02}")
    page = await carol.page()
    assert page.count('value="follow:') == 30
    assert "Page 1 of 3" in page
    last = await carol.page("?more=3")
    assert last.count('value="follow:') == 11
    assert last.count('value="leave:') == 2
    assert (await carol.page("?more=99")).count('value="follow:') == 11
    found = await carol.page("?q=MAKER-07&page=0&more=-1")
    assert found.count('value="follow:') == 1
    assert "None of yours is called that" in found
    for odd in ("?q=%00%ff", "?q=" + "x" * 5_000, "?more=" + "9" * 40, "?q=%22%3E%3Cscript%3E", "?page=%D9%A1"):
        assert "<script" not in await carol.page(odd)


async def test_a_pause_drops_what_waits_and_keeps_every_channel(carol: Carol, now: datetime) -> None:
    await carol.alert("xiaomi")
    page = await carol.does("pause", until=(now + 7 * DAY).date().isoformat())
    assert "You pause: no alerts until" in page
    assert await carol.states() == ["cancelled"]
    assert await carol.follows() == {"xiaomi", "tesla"}
    await carol.alert("tesla", title="Tesla too")
    assert await carol.states() == ["cancelled"]
    carol.at(now + 8 * DAY)
    assert "You pause" not in await carol.page()
    await carol.alert("tesla", title="Tesla again")
    assert await carol.states() == ["cancelled", "pending"]


async def test_a_pause_that_races_with_a_fan_out_wins(carol: Carol, now: datetime) -> None:
    await carol.does("pause", until=(now + 7 * DAY).date().isoformat())
    article = await carol.world.article(await carol.world.source(), channels=(carol.channels["xiaomi"],))
    row = {"kind": "alert", "lane": 1, "state": "pending", "due_at": now, "dated_at": now}
    async with carol.web.app.db.transaction() as tx:
        await tx.execute(schema.deliveries.insert().values(subscriber_id=carol.person, article_id=article, **row))
    async with carol.web.app.db.transaction() as tx:
        claimed = await claim_due(tx, worker_id="w", claim="c", now=now, lease_until=now + MINUTE, limit=9)
        (letter,) = await load_letters(tx, claimed)
        assert not letter.wanted
        (after,) = await load_letters(tx, [claimed[0]._replace(dated_at=now + 8 * DAY)])
        assert after.wanted


async def test_a_pause_ends_early_by_a_button(carol: Carol, now: datetime) -> None:
    await carol.does("pause", until=(now + 7 * DAY).date().isoformat())
    assert "come again" in await carol.does("resume")
    assert (await carol.row()).paused_until_at is None
    await carol.alert("xiaomi")
    assert await carol.states() == ["pending"]


async def test_a_day_that_cannot_be_meant_is_refused_with_the_form_still_there(carol: Carol, now: datetime) -> None:
    for until in ("", "soon", now.date().isoformat(), "2099-01-01", "0000-00-00", HOSTILE):
        answer = await carol.web.visitor.post(carol.link, data={"do": "pause", "until": until})
        assert answer.status_code == 422
        assert (
            f"Choose a day from tomorrow on, at most a year from now, such as {(now + 7 * DAY).date()}" in answer.text
        )
        assert "<details open>" in answer.text
        assert "<script" not in answer.text
    assert (await carol.row()).paused_until_at is None


async def test_the_language_is_the_persons_before_the_browsers(carol: Carol) -> None:
    page = await carol.does("language", language="zh")
    assert '<html lang="zh"' in page
    assert '<option value="zh" lang="zh" selected>中文</option>' in page
    in_english = await carol.web.visitor.get(carol.link, headers={"Accept-Language": "en"})
    assert '<html lang="zh"' in in_english.text
    await carol.does("language", language="klingon")
    assert (await carol.row()).language == "zh"
    await carol.does("language", language="")
    assert (await carol.row()).language is None


async def test_what_was_left_comes_back_within_a_minute_with_its_mails(carol: Carol, now: datetime) -> None:
    await carol.alert("xiaomi")
    since = (await carol.row("subscriptions")).activated_at
    page = await carol.does("leave:xiaomi")
    assert await carol.states() == ["cancelled"]
    carol.at(now + MINUTE)
    page = await carol.does("undo", undo=_sealed_in(page))
    assert "all is as it was" in page
    assert await carol.follows() == {"xiaomi", "tesla"}
    assert (await carol.row("subscriptions")).activated_at == since
    assert await carol.states() == ["pending"]


async def test_after_a_minute_it_is_too_late_and_the_channels_are_there(carol: Carol, now: datetime) -> None:
    page = await carol.does("leave-all")
    carol.at(now + MINUTE + timedelta(seconds=1))
    assert "Undo" not in await carol.page()
    assert "too late" in await carol.does("undo", undo=_sealed_in(page))
    assert await carol.follows() == set()
    assert 'value="follow:xiaomi"' in await carol.page()


async def test_an_undo_brings_back_its_own_press_and_no_other(carol: Carol, now: datetime) -> None:
    first = await carol.does("leave:xiaomi")
    carol.at(now + timedelta(seconds=5))
    await carol.does("leave:tesla")
    await carol.does("undo", undo=_sealed_in(first))
    assert await carol.follows() == {"xiaomi"}


async def test_an_undo_of_somebody_else_or_of_nobody_changes_nothing(carol: Carol, now: datetime) -> None:
    (mallory,) = await carol.world.readers(1, (carol.channels["byd"],), start=9)
    await carol.does("leave-all")
    secrets = carol.web.app.secrets
    for sealed in (
        sign(Purpose.UNDO, mallory, mark_of(now), secrets),
        sign(Purpose.MANAGE, carol.person, mark_of(now), secrets),
        sign(Purpose.UNDO, carol.person, mark_of(now) + 1, secrets),
        sign(Purpose.UNDO, carol.person, 2**64 - 1, secrets),
        "",
        "x" * 5_000,
        "\x00ü",
    ):
        await carol.does("undo", undo=sealed)
        assert await carol.follows() == set(), sealed


async def test_what_waited_for_its_confirmation_does_not_begin_by_an_undo(carol: Carol, now: datetime) -> None:
    async with carol.web.app.db.transaction() as tx:
        values = {"state": "pending", "activated_at": None}
        await tx.execute(
            update(schema.subscriptions)
            .where(schema.subscriptions.c.channel_id == carol.channels["tesla"])
            .values(values)
        )
    page = await carol.does("leave-all")
    await carol.does("undo", undo=_sealed_in(page))
    assert await carol.follows() == {"xiaomi"}


async def test_who_complained_meanwhile_does_not_come_back_by_an_undo_c5(carol: Carol) -> None:
    page = await carol.does("leave-all")
    await carol.suppressed()
    await carol.does("undo", undo=_sealed_in(page))
    assert await carol.follows() == set()


async def test_all_that_is_kept_can_be_downloaded_and_nothing_changes(carol: Carol, now: datetime) -> None:
    await carol.does("address", email="new@example.net")
    await carol.alert("xiaomi", title=HOSTILE)
    answer = await carol.web.visitor.get(carol.link + "/data.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="news-alerts.json"'
    assert answer.headers["cache-control"] == "no-store"
    data = json.loads(answer.content)
    assert data["email"] == "reader1@example.org"
    assert (data["state"], data["suppressed"], data["paused_until"]) == ("active", False, None)
    assert [one["channel"] for one in data["subscriptions"]] == ["xiaomi", "tesla"]
    assert [one["email"] for one in data["confirmations"]] == ["new@example.net"]
    mails = [(one["kind"], one["state"], one["title"]) for one in data["deliveries"]]
    assert mails == [("address_confirmation", "pending", None), ("alert", "pending", HOSTILE)]
    assert data["deliveries"][1]["url"] == "https://daily.example/a"
    assert "salt" not in answer.text
    assert "token" not in answer.text
    for unknown in ("/m/x/data.json", "/m/" + "A" * 44 + "/data.json"):
        assert (await carol.web.visitor.get(unknown)).status_code == 404
    assert (await carol.web.visitor.post(carol.link + "/data.json")).status_code == 404


async def test_the_shape_of_the_download_is_told(carol: Carol) -> None:
    await carol.does("address", email="new@example.net")
    await carol.alert("xiaomi")
    data = json.loads((await carol.web.visitor.get(carol.link + "/data.json")).content)
    told = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    names = set(data) | {name for part in ("subscriptions", "confirmations", "deliveries") for name in data[part][0]}
    assert {name for name in names if f"`{name}`" not in told} == set()


async def test_of_a_forgotten_complaint_only_a_keyed_hash_stays(carol: Carol) -> None:
    await carol.suppressed()
    await carol.does("forget")
    assert await carol.row() is None
    kept = await carol.row("suppressions")
    assert kept.reason == "complained"
    async with carol.web.app.db.reading() as tx:
        for table in schema.metadata.sorted_tables:
            for row in (await tx.execute(select(table))).all():
                assert "reader1" not in repr(tuple(row)), table.name


async def test_hostile_names_are_shown_and_do_nothing(carol: Carol, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(schema.channels).values(name=HOSTILE))
    for page in (await carol.page(), await carol.does("follow:byd"), await carol.does("leave:byd")):
        assert "<script" not in page
        assert 'href="javascript:' not in page
        assert page.count("小米") >= 3


def _sealed_in(page: str) -> str:
    return page.split('name="undo" value="')[1].split('"', maxsplit=1)[0]


async def known_and_unknown(carol: Carol) -> dict[str, str]:
    """Give an address of each kind that a form may be given."""
    pending, gone = await carol.world.readers(2, (carol.channels["xiaomi"],), start=5)
    async with carol.web.app.db.transaction() as tx:
        for person, state in ((pending, "pending"), (gone, "suppressed")):
            where = schema.subscribers.c.id == person
            await tx.execute(update(schema.subscribers).where(where).values(state=state))
    return {
        "active": "reader1@example.org",
        "pending": "reader5@example.org",
        "suppressed": "reader6@example.org",
        "unknown": "nobody@example.org",
    }


async def test_the_lost_link_goes_to_who_is_known_and_the_page_tells_nobody_c2(carol: Carol) -> None:
    kinds = await known_and_unknown(carol)
    answers = {kind: await carol.web.visitor.post("/manage", data={"email": it}) for kind, it in kinds.items()}
    assert len({answer.content for answer in answers.values()}) == 1
    assert {answer.status_code for answer in answers.values()} == {200}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers.values()}) == 1
    assert await carol.mailed() == ["manage_link"]
    assert (await carol.row("deliveries")).subscriber_id == carol.person


@pytest.mark.alone
async def test_no_answer_is_quicker_than_another_c2(carol: Carol) -> None:
    kinds = await known_and_unknown(carol)
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(7):
        for kind, address in kinds.items():
            started = time.perf_counter()
            await carol.web.visitor.post("/manage", data={"email": address})
            took[kind].append(time.perf_counter() - started)
    medians = [statistics.median(times) for times in took.values()]
    assert min(medians) >= 0.1
    assert max(medians) - min(medians) < 0.03  # a quantum of a tenth hides what a database takes


async def test_at_most_three_links_a_day_go_to_one_address_c3(carol: Carol, now: datetime) -> None:
    for _ in range(5):
        await carol.web.visitor.post("/manage", data={"email": " READER1@example.org"})
    assert await carol.mailed() == ["manage_link"] * 3
    carol.at(now + DAY + MINUTE)
    await carol.web.visitor.post("/manage", data={"email": "reader1@example.org"})
    assert await carol.mailed() == ["manage_link"] * 4


async def test_what_is_no_address_gets_the_form_again(carol: Carol) -> None:
    for typed in ("", "nobody", HOSTILE, "\x00", "a@" + "x" * 5_000, "\u202e@example.org"):
        answer = await carol.web.visitor.post("/manage", data={"email": typed})
        assert answer.status_code == 422
        assert "Write it like name@example.com" in answer.text
        assert "<script" not in answer.text
    assert 'value=""' in (await carol.web.visitor.get("/manage")).text
    assert await carol.mailed() == []


async def new_address_link(carol: Carol, address: str = "New@example.net") -> str:
    await carol.does("address", email=address)
    async with carol.web.app.db.reading() as tx:
        last = (await tx.execute(select(schema.confirmations).order_by(schema.confirmations.c.id.desc()))).first()
    assert last is not None
    return "/confirm/" + confirmation_token(carol.web.app.secrets, last.id, bytes(last.salt))


async def test_a_new_address_counts_once_its_owner_pressed_the_button(carol: Carol) -> None:
    link = await new_address_link(carol)
    for method in ("GET", "HEAD"):
        assert (await carol.web.visitor.request(method, link)).status_code == 200
    assert (await carol.row()).email == "reader1@example.org"
    page = (await carol.web.visitor.post(link)).text
    assert "n•••@e…" in page.lower()
    person = await carol.row()
    assert (person.email, person.email_key, person.domain) == ("New@example.net", "new@example.net", "example.net")
    assert (await carol.row("confirmations")).former_email == "reader1@example.org"
    assert await carol.mailed() == ["address_confirmation", "address_changed"]
    again = await carol.web.visitor.post(link)
    assert (again.status_code, "already" in again.text) == (200, True)
    assert await carol.mailed() == ["address_confirmation", "address_changed"]
    assert await carol.follows() == {"xiaomi", "tesla"}


async def test_the_mails_of_a_change_go_to_the_address_that_each_is_for(carol: Carol, now: datetime) -> None:
    link = await new_address_link(carol)
    async with carol.web.app.db.transaction() as tx:
        first = await claim_due(tx, worker_id="w", claim="c", now=now, lease_until=now + MINUTE, limit=9)
        (asking,) = await load_letters(tx, first)
    assert (asking.recipient, asking.wanted) == ("New@example.net", True)
    composed = carol.web.app.composer()(asking).message.decode()
    assert link.rpartition("/")[2] in composed.replace("=\r\n", "")
    assert "reader1" not in composed
    await carol.web.visitor.post(link)
    async with carol.web.app.db.transaction() as tx:
        second = await claim_due(tx, worker_id="w", claim="d", now=now, lease_until=now + MINUTE, limit=9)
        (telling,) = await load_letters(tx, second)
    assert (telling.recipient, telling.wanted) == ("reader1@example.org", True)
    composed = carol.web.app.composer()(telling).message.decode()
    assert "new@example.net" not in composed.lower()


async def test_an_older_wish_for_another_address_is_void_once_there_is_a_newer_one(carol: Carol) -> None:
    slip = await new_address_link(carol, "stranger@example.net")
    right = await new_address_link(carol, "new@example.net")
    assert (await carol.web.visitor.post(slip)).status_code == 410
    assert (await carol.row()).email == "reader1@example.org"
    assert (await carol.web.visitor.post(right)).status_code == 200


async def test_after_two_days_the_new_address_is_asked_again(carol: Carol, now: datetime) -> None:
    link = await new_address_link(carol)
    carol.at(now + timedelta(hours=49))
    for method in ("GET", "POST"):
        assert (await carol.web.visitor.request(method, link)).status_code == 410
    assert (await carol.row()).email == "reader1@example.org"


async def test_the_page_says_the_same_of_any_new_address(carol: Carol) -> None:
    kinds = await known_and_unknown(carol)
    pages = {await carol.does("address", email=address) for address in kinds.values()}
    assert len(pages) == 1
    assert await carol.mailed() == ["address_confirmation"] * 4
    for _ in range(4):
        assert await carol.does("address", email="nobody@example.org") in pages
    assert await carol.mailed() == ["address_confirmation"] * 6


async def test_two_rows_of_one_person_become_one_and_nothing_active_is_lost(carol: Carol, now: datetime) -> None:
    (other,) = await carol.world.readers(1, (carol.channels["byd"], carol.channels["tesla"]), start=5)
    async with carol.web.app.db.transaction() as tx:
        mine = schema.subscriptions.c
        left = {"state": "ended", "ended_at": now, "end_reason": "unsubscribed"}
        where = (mine.subscriber_id == other) & (mine.channel_id == carol.channels["tesla"])
        await tx.execute(update(schema.subscriptions).where(where).values(left))
    await carol.does("language", language="zh")
    article = await carol.alert("xiaomi", "byd")  # owed to both
    link = await new_address_link(carol, "reader5@example.org")
    await carol.does("language", language="")
    page = (await carol.web.visitor.post(link)).text
    assert await carol.row(id=carol.person) is None
    assert await carol.follows(other) == {"xiaomi", "tesla", "byd"}
    assert (await carol.row(id=other)).email == "reader5@example.org"
    async with carol.web.app.db.reading() as tx:
        rows = schema.deliveries.c
        pending = select(rows.subscriber_id, rows.kind).where(rows.state == "pending").order_by(rows.id)
        mails = [tuple(row) for row in (await tx.execute(pending)).all()]
    assert sorted(mails) == [(other, "address_changed"), (other, "address_confirmation"), (other, "alert")]
    sealed = page.split('href="/m/')[1].split('"')[0]
    claims = read(sealed, Purpose.MANAGE, carol.web.app.secrets)
    assert claims is not None
    assert claims.subscriber_id == other
    # U5: what lies in the mailbox that we go on mailing still unsubscribes.
    await carol.web.visitor.post(carol.web.leave_link(other, article))
    assert await carol.follows(other) == {"tesla"}


async def test_of_many_presses_at_once_one_changes_the_address_and_all_are_friendly(carol: Carol) -> None:
    (other,) = await carol.world.readers(1, (carol.channels["byd"],), start=5)
    link = await new_address_link(carol, "reader5@example.org")
    answers = await asyncio.gather(*(carol.web.visitor.post(link) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sum("come here now" in answer.text for answer in answers) == 1
    assert await carol.follows(other) == {"xiaomi", "tesla", "byd"}
    assert (await carol.mailed()).count("address_changed") == 1


async def test_two_people_who_swap_addresses_at_once_wait_for_each_other(carol: Carol) -> None:
    """Whoever is first takes both rows: then the other's wish is about a person that is one with them."""
    (fresh,) = await carol.world.readers(1, (carol.channels["byd"],), start=5)
    there = await new_address_link(carol, "reader5@example.org")
    back = await new_address_link(Carol(carol.web, carol.world, carol.channels, fresh), "reader1@example.org")
    answers = await asyncio.gather(carol.web.visitor.post(there), carol.web.visitor.post(back))
    assert {answer.status_code for answer in answers} == {200}
    left = await carol.row()
    assert await carol.follows(left.id) == {"xiaomi", "tesla", "byd"}


async def test_a_fan_out_that_passed_one_of_two_rows_reaches_the_person(carol: Carol, now: datetime) -> None:
    (other,) = await carol.world.readers(1, (carol.channels["byd"],), start=5)
    link = await new_address_link(carol, "reader5@example.org")
    source = await carol.world.source()
    article = await carol.world.article(source, channels=(carol.channels["xiaomi"],))
    async with carol.web.app.db.transaction() as tx:
        await tx.execute(update(schema.fan_outs).values(cursor=other))  # past both, owing neither yet
    await carol.web.visitor.post(link)
    assert (await carol.row("deliveries", article_id=article)).subscriber_id == other


async def test_a_new_address_that_complained_once_comes_back_by_its_own_word_c5(carol: Carol, now: datetime) -> None:
    await carol.suppressed()
    (fresh,) = await carol.world.readers(1, (carol.channels["byd"],), start=5)
    mover = Carol(carol.web, carol.world, carol.channels, fresh)
    await carol.web.visitor.post(await new_address_link(mover, "reader1@example.org"))
    assert (await carol.row(id=carol.person)).state == "active"
    assert await carol.follows() == {"byd"}
    async with carol.web.app.db.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(schema.suppressions)) == 0


async def test_a_suppressed_old_address_is_not_told(carol: Carol) -> None:
    await carol.suppressed()
    await carol.web.visitor.post(await new_address_link(carol))
    assert await carol.mailed() == ["address_confirmation"]
    assert (await carol.row()).state == "active"


async def test_one_s_own_address_in_other_letters_is_changed_without_a_word_to_anybody(carol: Carol) -> None:
    await carol.web.visitor.post(await new_address_link(carol, "Reader1@Example.org"))
    assert (await carol.row()).email == "Reader1@example.org"
    assert await carol.mailed() == ["address_confirmation"]


async def test_what_is_no_address_is_said_at_its_field(carol: Carol) -> None:
    for typed in ("", "nobody", HOSTILE, "a@b\r\nBcc: c@d"):
        answer = await carol.web.visitor.post(carol.link, data={"do": "address", "email": typed})
        assert answer.status_code == 422
        assert "Write it like name@example.com" in answer.text
        assert "<script" not in answer.text
    assert await carol.mailed() == []
