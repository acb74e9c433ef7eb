"""A publisher's system posts articles, with a key; Mallory tries without, and with too much."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cast import World
from sqlalchemy import func, select
from website import ParserHere, Website, website

from alerts.core.api_keys import PREFIX
from alerts.queue import Job, Step
from alerts.services.keys import add_key, revoke_key
from alerts.services.match import ChannelCache, match_articles
from alerts.services.sources import pause_source, resume_source
from alerts.sources.parser_process import ParserProcess
from alerts.storage import schema
from alerts.storage.engine import Database

ARTICLES = "/api/v1/articles"
ITEM: dict[str, Any] = {
    "id": "cms-1",
    "url": "https://news.example/1",
    "title": "Xiaomi opens a plant in Wuhan",
    "content_html": "<p>Xiaomi has opened a plant in Wuhan, where its cars are built by robots.</p>",
    "tags": ["Xiaomi"],
    "date_published": "2026-01-05T11:00:00Z",
}


@dataclass(slots=True)
class Cms:
    """A system that publishes."""

    web: Website
    key: str

    async def post(self, document: object, **headers: str) -> httpx2.Response:
        usual = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.web.visitor.post(ARTICLES, content=content, headers=usual | headers)

    async def get(self, article: int) -> httpx2.Response:
        return await self.web.visitor.get(f"{ARTICLES}/{article}", headers={"Authorization": f"Bearer {self.key}"})


@pytest.fixture
async def cms(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Cms]:
    async with cms_of(sqlite_db, tmp_path, now) as cms:
        yield cms


@pytest.fixture
async def cms_anywhere(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Cms]:
    async with cms_of(db, tmp_path, now) as cms:
        yield cms


@asynccontextmanager
async def cms_of(db: Database, folder: Path, now: datetime) -> AsyncIterator[Cms]:
    async with website(db, folder, now, parser=ParserHere()) as web:
        yield Cms(web, (await add_key(db, "cms", articles_an_hour=100, now=now)).secret)


async def articles_in(db: Database) -> int:
    async with db.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(schema.articles)) or 0


async def test_a_new_article_is_stored_and_its_matching_asked_for_before_the_answer(
    cms: Cms, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Job] = []

    async def enlist(_tx: object, job: Job, **_: object) -> None:
        asked.append(job)

    monkeypatch.setattr(cms.web.app.queue, "enlist", enlist)
    answer = await cms.post(ITEM)
    assert (answer.status_code, answer.json()["novelty"], answer.json()["disposition"]) == (201, "new", "alert")
    assert answer.headers["location"] == answer.json()["status_url"]
    assert asked == [Job(Step.MATCH)]


async def test_the_same_article_again_is_known_and_an_edit_changes_it_and_mails_nobody(cms_anywhere: Cms) -> None:
    first = (await cms_anywhere.post(ITEM)).json()
    again = await cms_anywhere.post(ITEM)
    edited = await cms_anywhere.post(ITEM | {"content_html": ITEM["content_html"] + "<p>And more.</p>"})
    moved = await cms_anywhere.post(ITEM | {"id": "other", "url": ITEM["url"] + "?utm_source=x"})
    assert [one.status_code for one in (again, edited, moved)] == [200, 200, 200]
    assert [one.json()["novelty"] for one in (again, edited)] == ["seen", "changed"]
    assert {one.json()["article"] for one in (again, edited, moved)} == {first["article"]}


async def test_a_list_is_answered_item_by_item_in_its_order(cms_anywhere: Cms) -> None:
    await cms_anywhere.post(ITEM)
    other = {"id": "cms-2", "title": "Tesla builds trucks", "date_published": "2025-01-01T00:00:00Z"}
    answer = await cms_anywhere.post([other, ITEM])
    assert answer.status_code == 201
    told = answer.json()["articles"]
    assert [(one["id"], one["novelty"], one["disposition"]) for one in told] == [
        ("cms-2", "new", "stale"),
        ("cms-1", "seen", "alert"),
    ]


async def test_one_mistake_in_a_list_and_nothing_of_it_is_stored(cms: Cms) -> None:
    answer = await cms.post([ITEM, {"id": "2", "title": "T", "url": "nowhere"}])
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["#/1/url"]
    assert await articles_in(cms.web.app.db) == 0


async def test_markup_without_a_word_in_it_is_told_by_its_id(cms: Cms) -> None:
    answer = await cms.post([ITEM, {"id": "empty", "content_html": "<img src=x><script>1</script>"}])
    assert (answer.status_code, await articles_in(cms.web.app.db)) == (422, 0)
    assert "only markup: empty" in answer.json()["detail"]


async def test_without_a_key_nothing_is_taken_or_told(cms: Cms) -> None:
    for header in ("", "Bearer", f"Bearer {PREFIX}{'x' * 43}", "Basic YTpi", b"Bearer \xe4"):
        given = httpx2.Headers([(b"Authorization", header if isinstance(header, bytes) else header.encode())])
        for answer in (
            await cms.web.visitor.post(ARTICLES, json=ITEM, headers=given),
            await cms.web.visitor.get(f"{ARTICLES}/1", headers=given),
        ):
            assert (answer.status_code, answer.json()["status"]) == (401, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await cms.web.visitor.post(ARTICLES, json=ITEM)).status_code == 401


async def test_a_revoked_key_opens_nothing_and_a_new_one_of_the_name_knows_the_articles(
    cms_anywhere: Cms, now: datetime
) -> None:
    await cms_anywhere.post(ITEM)
    await revoke_key(cms_anywhere.web.app.db, "cms", now=now)
    assert (await cms_anywhere.post(ITEM)).status_code == 401
    renewed = Cms(cms_anywhere.web, (await add_key(cms_anywhere.web.app.db, "cms", now=now)).secret)
    assert (await renewed.post(ITEM)).json()["novelty"] == "seen"
    assert (await cms_anywhere.post(ITEM)).status_code == 401


async def test_a_paused_source_takes_nothing_until_it_is_resumed(cms: Cms, now: datetime) -> None:
    await pause_source(cms.web.app.db, "cms")
    answer = await cms.post(ITEM)
    assert (answer.status_code, await articles_in(cms.web.app.db)) == (403, 0)
    assert "paused" in answer.json()["detail"]
    await resume_source(cms.web.app.db, "cms", now=now)
    assert (await cms.post(ITEM)).status_code == 201


async def test_a_budget_that_is_used_up_says_when_to_come_again(cms_anywhere: Cms, now: datetime) -> None:
    many = [{"id": str(number), "title": f"Story number {number}"} for number in range(90)]
    assert (await cms_anywhere.post(many)).status_code == 201
    refused = await cms_anywhere.post(many[:11])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert (await cms_anywhere.post(many[:10])).status_code == 200  # what is left is left
    cms_anywhere.web.app.clock = lambda: now + timedelta(hours=1)
    assert (await cms_anywhere.post(many)).status_code == 200


async def test_what_is_no_json_is_told_where(cms: Cms) -> None:
    for body, said in (
        (b"", "line 1, column 1"),
        (b'{"id": "1",\n}', "line 2, column 1"),
        (b'{"id": NaN}', "NaN"),
        (b'{"id": "1", "id": "2"}', "'id' stands twice"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "a number of 5000 digits is too long"),
        (b"\xff", "byte 0"),
        (b"[" * 100_000, "nested"),
    ):
        answer = await cms.post(body)
        assert answer.status_code == 400
        assert said in answer.json()["detail"]


async def test_other_types_methods_and_paths_are_problems_too(cms: Cms) -> None:
    assert (await cms.post(ITEM, **{"Content-Type": "text/plain"})).status_code == 415
    packed = await cms.post(ITEM, **{"Content-Encoding": "gzip"})
    assert (packed.status_code, packed.headers["accept-encoding"]) == (415, "identity")
    assert "not compressed" in packed.json()["detail"]
    for answer, status in (
        (await cms.web.visitor.put(ARTICLES), 405),
        (await cms.web.visitor.get("/api/v1/nothing"), 404),
        (await cms.get(999), 404),
        (await cms.get(10**30), 404),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_long_article_is_taken(cms: Cms) -> None:
    assert (await cms.post(ITEM | {"content_text": "Xiaomi " * 60_000})).status_code == 201


async def test_a_body_beyond_the_limit_is_refused_declared_or_not(cms: Cms) -> None:
    large = json.dumps([ITEM | {"content_text": "x" * (2 << 20)}]).encode()

    async def undeclared() -> AsyncIterator[bytes]:
        yield large

    headers = {"Authorization": f"Bearer {cms.key}", "Content-Type": "application/json"}
    for answer in (await cms.post(large), await cms.web.visitor.post(ARTICLES, content=undeclared(), headers=headers)):
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


async def test_a_report_says_what_became_of_an_article_to_its_own_key_only(cms_anywhere: Cms, now: datetime) -> None:
    db, world = cms_anywhere.web.app.db, World(cms_anywhere.web.app.db, now)
    await world.channel("xiaomi", "tag:Xiaomi")
    article = (await cms_anywhere.post(ITEM)).json()["article"]
    before = (await cms_anywhere.get(article)).json()
    await match_articles(db, now=now, cache=ChannelCache())
    after = (await cms_anywhere.get(article)).json()
    assert (before["matched_at"], before["channels"]) == (None, [])
    assert (after["matched_at"], after["channels"]) == (now.isoformat(), [{"slug": "xiaomi", "name": "Xiaomi"}])
    assert after["deliveries"]["sent"] == 0
    mallory = Cms(cms_anywhere.web, (await add_key(db, "mallory", now=now)).secret)
    assert (await mallory.get(article)).status_code == 404


async def test_what_is_posted_is_read_by_the_process_that_reads_feeds(
    sqlite_db: Database, tmp_path: Path, now: datetime
) -> None:
    async with ParserProcess(children=1) as parser, website(sqlite_db, tmp_path, now, parser=parser) as web:
        cms = Cms(web, (await add_key(sqlite_db, "cms", now=now)).secret)
        assert (await cms.post(ITEM)).status_code == 201


async def test_a_site_without_a_parser_has_no_such_door(sqlite_db: Database, tmp_path: Path, now: datetime) -> None:
    async with website(sqlite_db, tmp_path, now) as web:
        assert (await web.visitor.post(ARTICLES, json=ITEM)).status_code == 404


async def test_neither_key_nor_article_is_in_the_log(cms: Cms, capsys: pytest.CaptureFixture[str]) -> None:
    await cms.post(ITEM)
    await cms.post(b"{")
    written = capsys.readouterr()
    assert ARTICLES in written.out + written.err
    assert cms.key not in written.out + written.err
