"""Feeds: what RSS 2.0, RFC 4287 and JSON Feed 1.1 ask for, whatever an article is called.

The checks here are our own, by the letter of the three: no validator of feeds can be had from a package registry.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import feedparser
import pytest
from cast import World
from sqlalchemy import update
from website import Website, website

from alerts.core.model import Article, Disposition, Item
from alerts.storage import schema
from alerts.storage.directory import MatchedArticle
from alerts.storage.engine import Database
from alerts.web.feed_formats import FORMATS, Feed, FeedEntry
from alerts.web.feeds import ENTRIES, _entry

ATOM = "{http://www.w3.org/2005/Atom}"
KINDS = ["rss", "atom", "json"]
STORABLE = '"><script>alert(1)</script> ]]> &lt;b&gt; <b>x</b> \u202egpj \ufffe \x01\x0b &nbsp; مرحبا 小米 \U0001f697'
HOSTILE = STORABLE + "\ud83d\x00"  # what no database takes, but a writer must stand


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


@pytest.fixture
def world(web: Website, now: datetime) -> World:
    return World(web.app.db, now)


async def change(world: World, article: int, **values: object) -> None:
    async with world.db.transaction() as tx:
        await tx.execute(update(schema.articles).where(schema.articles.c.id == article).values(**values))


async def publish(world: World) -> tuple[int, int]:
    """Publish a hostile article without a page of its own, then a plain one."""
    channel, source = await world.channel(), await world.source()
    hostile = await world.article(source, title="Hostile", channels=(channel,))
    plain = await world.article(source, channels=(channel,))
    text = STORABLE
    values = {"title": text, "author": text, "tags": [text, "\x01"], "summary": [text, text]}
    await change(world, hostile, url="javascript:alert(1)", language='zh"><b>', **values)
    return hostile, plain


def check_rss(content: bytes, url: str) -> None:
    """Check what RSS 2.0 (rssboard.org) asks for, and the profile's self link."""
    root = ET.fromstring(content)  # noqa: S314 - our own
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    (channel,) = root
    for name in ("title", "link", "description", "language", "lastBuildDate"):
        assert channel.findtext(name), name
    assert is_absolute(channel.findtext("link"))
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", channel.findtext("language") or "")
    parsedate_to_datetime(channel.findtext("lastBuildDate") or "")
    (own,) = channel.findall(f"{ATOM}link")
    assert (own.get("rel"), own.get("href")) == ("self", url)
    guids = [item.findtext("guid") for item in channel.findall("item")]
    assert len(set(guids)) == len(guids)
    for item in channel.findall("item"):
        assert item.findtext("title") or item.findtext("description")
        assert is_absolute(item.findtext("link"))
        assert is_absolute(item.findtext("guid"))  # it says that it is a permalink
        assert parsedate_to_datetime(item.findtext("pubDate") or "").tzinfo is not None
        assert {child.tag for child in item} <= {
            "title", "link", "description", "pubDate", "guid", "category", "{http://purl.org/dc/elements/1.1/}creator",
        }  # fmt: skip


def check_atom(content: bytes, url: str) -> None:
    """Check what RFC 4287 asks for in 4.1.1 and 4.1.2."""
    root = ET.fromstring(content)  # noqa: S314 - our own
    assert root.tag == f"{ATOM}feed"
    check_atom_ids_and_dates(root)
    links = {(link.get("rel"), link.get("href")) for link in root.findall(f"{ATOM}link")}
    assert ("self", url) in links
    assert len(root.findall(f"{ATOM}author")) == 1  # so no entry needs one
    ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)
    for entry in root.findall(f"{ATOM}entry"):
        check_atom_ids_and_dates(entry)
        (link,) = entry.findall(f"{ATOM}link")
        assert link.get("rel") == "alternate"
        assert is_absolute(link.get("href"))
        assert len(entry.findall(f"{ATOM}summary")) <= 1
        assert all(category.get("term") for category in entry.findall(f"{ATOM}category"))


def check_atom_ids_and_dates(element: ET.Element) -> None:
    for name in ("id", "title", "updated"):
        (found,) = element.findall(ATOM + name)
        assert found.text
    assert is_absolute(element.findtext(f"{ATOM}id"))
    for date in (*element.findall(f"{ATOM}updated"), *element.findall(f"{ATOM}published")):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", date.text or "")


def check_json(content: bytes, url: str) -> None:
    """Check what JSON Feed 1.1 (jsonfeed.org) asks for."""
    document = json.loads(content)
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["title"]
    assert document["feed_url"] == url
    assert is_absolute(document["home_page_url"])
    ids = [item["id"] for item in document["items"]]
    assert len(set(ids)) == len(ids)
    for item in document["items"]:
        assert isinstance(item["id"], str)
        assert is_absolute(item["url"])
        assert item["content_text"]
        assert datetime.fromisoformat(item["date_published"]).tzinfo is not None
        assert datetime.fromisoformat(item["date_modified"]) >= datetime.fromisoformat(item["date_published"])
        assert all(isinstance(tag, str) and tag for tag in item.get("tags", ()))
        assert all(author.get("name") for author in item.get("authors", ()))


def is_absolute(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and (url or "").isascii() and " " not in str(url)


CHECKS = {"rss": check_rss, "atom": check_atom, "json": check_json}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_feed_is_what_its_format_asks_for(web: Website, world: World, kind: str) -> None:
    hostile, _plain = await publish(world)
    answer = await web.visitor.get(f"/c/xiaomi/feed.{kind}")
    assert answer.status_code == 200
    assert (
        answer.headers["content-type"]
        == {
            "rss": "application/rss+xml; charset=utf-8",
            "atom": "application/atom+xml; charset=utf-8",
            "json": "application/feed+json; charset=utf-8",
        }[kind]
    )
    CHECKS[kind](answer.content, f"http://127.0.0.1:8000/c/xiaomi/feed.{kind}")
    assert "javascript:" not in answer.text
    assert f"http://127.0.0.1:8000/a/{hostile}" in answer.text


@pytest.mark.parametrize("kind", ["rss", "atom"])
async def test_a_feed_reader_sees_the_words_and_no_markup(web: Website, world: World, kind: str) -> None:
    hostile, plain = await publish(world)
    read = feedparser.parse((await web.visitor.get(f"/c/xiaomi/feed.{kind}")).content)
    assert read.bozo == 0
    assert read.feed.title == "Xiaomi · EV Daily"
    newest, oldest = read.entries
    assert (newest.title, newest.link) == ("Xiaomi opens a plant", "https://daily.example/a")
    assert newest.id == f"http://127.0.0.1:8000/a/{plain}"
    assert newest.summary == "<p>A line.</p>"
    assert oldest.link == f"http://127.0.0.1:8000/a/{hostile}"
    assert "<script>" not in oldest.summary
    assert "&lt;script&gt;alert(1)&lt;/script&gt; ]]&gt;" in oldest.summary
    assert "小米 \U0001f697" in oldest.title
    assert "\u202e" not in oldest.title
    assert len(oldest.tags) == 1


async def test_a_json_feed_tells_the_same_as_text(web: Website, world: World) -> None:
    await publish(world)
    newest, oldest = json.loads((await web.visitor.get("/c/xiaomi/feed.json")).content)["items"]
    assert (newest["title"], newest["content_text"]) == ("Xiaomi opens a plant", "A line.")
    assert "<script>alert(1)</script> ]]> &lt;b&gt;" in oldest["title"]
    assert oldest["content_text"].count("小米") == 2
    assert "language" not in oldest


@pytest.mark.parametrize("kind", KINDS)
def test_text_that_no_database_takes_is_written_too(now: datetime, kind: str, tmp_path: Path) -> None:
    item = Item(
        item_id="1", title=HOSTILE, summary=(), body=HOSTILE, url=f"https://x.example/{HOSTILE}", author=HOSTILE
    )
    article = Article(
        id=1,
        source_id=1,
        source_name="s",
        item=item,
        content_hash="",
        first_seen_at=now,
        disposition=Disposition.ALERT,
    )
    site = type("Site", (), {"url": "https://alerts.example/"})()
    entry: FeedEntry = _entry(MatchedArticle(article=article, hits=(), matched_at=now, changed_at=None), site)
    url = "https://alerts.example/c/x/feed"
    feed = Feed(
        title="T", description="D", home="https://alerts.example/c/x", url=url, language="en", author="A",
        updated_at=now, entries=[entry],
    )  # fmt: skip
    CHECKS[kind](FORMATS[kind].write(feed), url)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_feed_is_one_too_and_the_same_each_time(web: Website, world: World, kind: str) -> None:
    await world.channel()
    first, second = [await web.visitor.get(f"/c/xiaomi/feed.{kind}") for _ in range(2)]
    CHECKS[kind](first.content, f"http://127.0.0.1:8000/c/xiaomi/feed.{kind}")
    assert first.headers["etag"] == second.headers["etag"]


async def test_a_reader_that_has_it_already_is_told_so_until_something_is_new(
    web: Website, world: World, now: datetime
) -> None:
    _hostile, plain = await publish(world)
    path = "/c/xiaomi/feed.rss"
    first = await web.visitor.get(path)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    assert parsedate_to_datetime(date) == now
    assert re.fullmatch(r"public, max-age=\d+", first.headers["cache-control"])
    for known in ({"If-None-Match": f'"x", W/{tag}'}, {"If-None-Match": "*"}, {"If-Modified-Since": date}):
        again = await web.visitor.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    earlier = format_datetime(now - timedelta(seconds=1), usegmt=True)
    for unknown in (
        {"If-None-Match": '"x"', "If-Modified-Since": date},
        {"If-Modified-Since": earlier},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Mon, 99 Foo 2026 99:99:99 GMT"},
    ):
        assert (await web.visitor.get(path, headers=unknown)).status_code == 200
    await change(world, plain, title="Xiaomi opens two plants", changed_at=now + timedelta(minutes=5))
    for known in ({"If-None-Match": tag}, {"If-Modified-Since": date}):
        answer = await web.visitor.get(path, headers=known)
        assert (answer.status_code, "two plants" in answer.text) == (200, True)


async def test_an_old_article_that_comes_in_late_is_new_to_a_reader(web: Website, world: World, now: datetime) -> None:
    _hostile, plain = await publish(world)
    before = (await web.visitor.get("/c/xiaomi/feed.atom")).headers["last-modified"]
    await change(world, plain, published_at=now - timedelta(days=900))
    async with world.db.transaction() as tx:
        later = update(schema.matches).where(schema.matches.c.article_id == plain)
        await tx.execute(later.values(matched_at=now + timedelta(hours=1)))
    answer = await web.visitor.get("/c/xiaomi/feed.atom", headers={"If-Modified-Since": before})
    assert answer.status_code == 200


async def test_a_feed_holds_the_newest_and_head_asks_for_less(web: Website, world: World) -> None:
    channel, source = await world.channel(), await world.source()
    for number in range(ENTRIES + 2):
        await world.article(source, title=f"Story {number}", channels=(channel,))
    items: list[Any] = json.loads((await web.visitor.get("/c/xiaomi/feed.json")).content)["items"]
    assert [item["title"] for item in items] == [f"Story {number}" for number in range(ENTRIES + 1, 1, -1)]
    head = await web.visitor.head("/c/xiaomi/feed.json")
    assert head.status_code == 200
    assert "etag" in head.headers


@pytest.mark.parametrize(
    "path", ["/c/nobody/feed.rss", "/c/xiaomi/feed.xml", "/c/xiaomi/feed", "/c/xiaomi/feed.", "/c/%00/feed.rss"]
)
async def test_what_is_no_feed_is_404(sqlite_db: Database, tmp_path: Path, now: datetime, path: str) -> None:
    async with website(sqlite_db, tmp_path, now) as web:
        await World(sqlite_db, now).channel()
        assert (await web.visitor.get(path)).status_code == 404
