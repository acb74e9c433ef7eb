"""What anybody may read: the channels, a channel, an alert; and what holds for every answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import html5lib
import httpx2
import pytest
from cast import World
from website import ORIGIN, Website, app_over, config_in, website

from alerts.core.errors import ConfigError, DatabaseUnavailableError
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web.guard import MAX_BODY_BYTES
from alerts.web.site import create_site

HOSTILE = "\"><script>alert(1)</script>\u202egpj.exe'&lt; 小米 \ud83d\x00"


@pytest.fixture
async def web(db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(db, tmp_path, now) as web:
        yield web


@pytest.fixture
def world(web: Website, now: datetime) -> World:
    return World(web.app.db, now)


async def match(world: World, article: int, channel: int, hits: list[dict[str, object]]) -> None:
    values = {"article_id": article, "channel_id": channel, "score": 1000, "hits": hits, "matched_at": world.now}
    async with world.db.transaction() as tx:
        await tx.execute(schema.matches.insert().values(**values))


async def change(world: World, article: int, **values: object) -> None:
    async with world.db.transaction() as tx:
        await tx.execute(schema.articles.update().where(schema.articles.c.id == article).values(**values))


async def test_a_new_site_says_that_there_are_no_channels_yet(web: Website) -> None:
    answer = await web.visitor.get("/")
    assert answer.status_code == 200
    assert "no channels yet" in answer.text


async def test_the_directory_lists_channels_with_their_newest_articles_and_their_number(
    web: Website, world: World
) -> None:
    xiaomi, _tesla = await world.channel(), await world.channel("tesla")
    source = await world.source()
    for number in range(5):
        await world.article(source, title=f"Story {number}", channels=(xiaomi,))
    page = (await web.visitor.get("/")).text
    assert "5 articles" in page
    assert "0 articles" in page
    assert "Story 4" in page
    assert "Story 2" in page
    assert "Story 1" not in page


async def test_a_channel_says_why_each_article_is_there(web: Website, world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source())
    hits: list[dict[str, object]] = [
        {"term": "Xiaomi", "zone": "body", "count": 9},
        {"term": "Xiaomi", "zone": "tag", "count": 1},
        {"term": "YU7", "zone": "title", "count": 1},
    ]
    await match(world, article, channel, hits)
    page = (await web.visitor.get("/c/xiaomi")).text
    words = " ".join(html5lib.parse(page, namespaceHTMLElements=False).itertext())
    assert "Xiaomi in the tags, the text (9 times); YU7 in the headline" in " ".join(words.split())


async def test_a_channel_goes_on_with_older_articles(web: Website, world: World) -> None:
    channel, source = await world.channel(), await world.source()
    for number in range(25):
        await world.article(source, title=f"Story {number}.", channels=(channel,))
    first = (await web.visitor.get("/c/xiaomi")).text
    older = first.partition('href="/c/xiaomi?before=')[2].partition('"')[0]
    second = (await web.visitor.get(f"/c/xiaomi?before={older}")).text
    assert all(f"Story {number}." in first for number in range(5, 25))
    assert all(f"Story {number}." in second for number in range(5))
    assert "Older articles" not in second


async def test_an_alert_is_a_page_and_an_article_in_no_channel_is_none(web: Website, world: World) -> None:
    channel, source = await world.channel(), await world.source()
    alert = await world.article(source, channels=(channel,))
    other = await world.article(source, title="Other")
    page = await web.visitor.get(f"/a/{alert}")
    assert "Xiaomi opens a plant" in page.text
    assert "https://daily.example/a" in page.text
    assert (await web.visitor.get(f"/a/{other}")).status_code == 404


async def test_an_article_that_has_no_page_of_its_own_is_told_whole(web: Website, world: World) -> None:
    article = await world.article(await world.source(), channels=(await world.channel(),))
    assert "Second paragraph" not in (await web.visitor.get(f"/a/{article}")).text
    await change(world, article, url=None, body="First.\n\nSecond paragraph.")
    page = (await web.visitor.get(f"/a/{article}")).text
    assert '<p dir="auto">Second paragraph.</p>' in page


async def test_hostile_articles_and_channels_are_only_shown(web: Website, world: World, db: Database) -> None:
    text = HOSTILE.replace("\ud83d", "").replace("\x00", "")  # neither fits into a database
    channel, source = await world.channel(), await world.source()
    article = await world.article(source, channels=(channel,))
    hits = [{"term": text, "zone": text, "count": 1}]
    await change(world, article, title=text, url="javascript:alert(1)", summary=[text], author=text, language='en"><b>')
    async with db.transaction() as tx:
        await tx.execute(schema.matches.update().values(hits=hits))
        await tx.execute(schema.channels.update().values(name=text, query=text))
    for path in ("/", "/c/xiaomi", f"/a/{article}"):
        page = await web.visitor.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "javascript:" not in page.text
        assert "<b>" not in page.text
        tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(page.text)
        assert not tree.findall(".//script")


NOTHING = [
    "/c/nobody", "/c/", "/c/%00", "/c/%ff", "/c/XIAOMI", "/c/xiaomi/", "/c/a'--", "/c/" + "x" * 3_000, "/c/ü",
    "/a/0", "/a/-1", "/a/x", "/a/1e3", "/a/%00", "/a/٣", "/a/9223372036854775808", "/a/" + "9" * 400, "/a/1/", "/a/99",
    "/nothing", "//evil.example/x", "/static/layout.html", "/static/..%2f..%2fconfig.yaml",
    "/catcher", "/catcher/x", "/catcher/x/source", "/.env", "/u", "/docs", "/openapi.json",
]  # fmt: skip


async def test_what_is_not_there_is_404_with_a_page(web: Website) -> None:
    for path in NOTHING:
        answer = await web.visitor.get(ORIGIN + path)
        assert answer.status_code == 404, path
        assert "Nothing here" in answer.text
        assert "Traceback" not in answer.text


async def test_an_odd_page_number_shows_the_first_page(web: Website, world: World) -> None:
    await world.article(await world.source(), channels=(await world.channel(),))
    for before in ("x", "-1", "%00", "9" * 30, "1;drop"):
        answer = await web.visitor.get(f"/c/xiaomi?before={before}")
        assert "Xiaomi opens a plant" in answer.text


async def test_every_answer_bears_the_headers_that_keep_a_browser_safe(web: Website, world: World) -> None:
    await world.channel()
    for path in ("/", "/c/xiaomi", "/u/x", "/m/x", "/confirm/x", "/nothing", "/healthz", "/static/site.css"):
        headers = (await web.visitor.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers
    for path in ("/u/x", "/m/x", "/confirm/x"):
        assert (await web.visitor.get(path)).headers["cache-control"] == "no-store"


async def test_search_engines_may_keep_the_channels_and_nothing_else(web: Website, world: World) -> None:
    await world.channel()
    assert "x-robots-tag" not in (await web.visitor.get("/")).headers
    assert "x-robots-tag" not in (await web.visitor.get("/c/xiaomi")).headers
    assert (await web.visitor.get("/u/x")).headers["x-robots-tag"] == "noindex"


async def test_a_forged_host_gets_into_no_link(web: Website, world: World) -> None:
    await world.channel()
    for path in ("/", "/c/xiaomi", "/c/xiaomi/", "/u/x", "/m/x/"):
        answer = await web.visitor.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in answer.text
        assert "location" not in answer.headers


async def test_a_wrong_method_is_405_and_names_the_right_ones(web: Website) -> None:
    answer = await web.visitor.post("/")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert "POST" in (await web.visitor.options("/u/x")).headers["allow"]


async def test_too_large_a_body_is_413_whether_it_says_so_or_not(web: Website) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"leave=" + b"x" * (MAX_BODY_BYTES // 8)

    declared = await web.visitor.post("/u/x", content=b"x" * (MAX_BODY_BYTES + 1))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    streamed = await web.visitor.post("/u/x", content=stream(), headers=headers)
    assert (declared.status_code, streamed.status_code) == (413, 413)
    assert declared.headers["x-content-type-options"] == "nosniff"


async def test_a_bug_is_500_and_shows_no_trace(web: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Database) -> object:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Database, "reading", broken)
    monkeypatch.setattr("alerts.web.guard._log.exception", lambda *_, **__: None, raising=False)
    answer = await web.visitor.get("/")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Something broke" in answer.text
    assert "content-security-policy" in answer.headers


async def test_the_log_names_the_route_and_never_the_token(web: Website, capsys: pytest.CaptureFixture[str]) -> None:
    await web.visitor.post("/u/SecretToken123", data={"List-Unsubscribe": "One-Click"})
    await web.visitor.get("/m/SecretToken123")
    await web.visitor.get("/confirm/SecretToken123?leave=SecretToken123")
    said = "".join(capsys.readouterr())
    assert "SecretToken123" not in said
    assert "/u/{token" in said


async def test_the_stylesheet_is_cached_for_ever_under_its_hash(web: Website) -> None:
    page = (await web.visitor.get("/")).text
    link = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    styled = await web.visitor.get(link)
    assert "immutable" in styled.headers["cache-control"]
    assert styled.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" not in (await web.visitor.get("/static/site.css?v=old")).headers["cache-control"]
    tag = styled.headers["etag"]
    for known in (tag, f"W/{tag}", f'"old", {tag}', "*"):  # a proxy that packs it makes the tag a weak one
        again = await web.visitor.get(link, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert (await web.visitor.get(link, headers={"If-None-Match": '"old"'})).status_code == 200


async def test_the_process_is_alive_whatever_the_database_says(web: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: Database) -> object:
        raise DatabaseUnavailableError("gone")

    assert (await web.visitor.get("/readyz")).status_code == 200
    monkeypatch.setattr(Database, "reading", down)
    assert (await web.visitor.get("/healthz")).status_code == 200
    answer = await web.visitor.get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.text)["checks"]["database"] is False


@pytest.mark.parametrize(("seconds", "status"), [(5, 200), (300, 503), (None, 503)])
async def test_it_is_ready_while_the_clock_ticks(
    sqlite_db: Database, tmp_path: Path, now: datetime, seconds: int | None, status: int
) -> None:
    ticked_at = None if seconds is None else now - timedelta(seconds=seconds)
    async with website(sqlite_db, tmp_path, now, last_tick=lambda: ticked_at) as web:
        assert (await web.visitor.get("/readyz")).status_code == status


async def test_a_database_of_another_version_is_not_ready(sqlite_db: Database, tmp_path: Path, now: datetime) -> None:
    async with website(sqlite_db, tmp_path, now) as web:
        async with sqlite_db.transaction() as tx:
            await tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
            await tx.exec_driver_sql("UPDATE facts SET value = '9998' WHERE name = 'usable_from'")
        assert (await web.visitor.get("/readyz")).status_code == 503


async def test_an_operators_own_page_goes_before_ours_and_its_mistakes_are_told(
    sqlite_db: Database, tmp_path: Path, now: datetime
) -> None:
    own = tmp_path / "own" / "web"
    own.mkdir(parents=True)
    (own / "error.html").write_text("<p>Our own words")
    async with website(sqlite_db, tmp_path, now, more="templates: own\n") as web:
        assert (await web.visitor.get("/nothing")).text == "<p>Our own words"
        (own / "layout.html").write_text("\n{% if %}")
        app = await app_over(sqlite_db, config_in(tmp_path, more="templates: own\n"), lambda: now)
        with pytest.raises(ConfigError, match=r"layout\.html:2"):
            create_site(app)


async def test_a_page_that_fails_to_show_its_error_still_answers(
    sqlite_db: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "web"
    own.mkdir(parents=True)
    (own / "error.html").write_text("{{ undefined_name }}")
    (own / "channels.html").write_text("{{ undefined_name }}")
    monkeypatch.setattr("alerts.web.guard._log.exception", lambda *_, **__: None, raising=False)
    async with website(sqlite_db, tmp_path, now, more="templates: own\n") as web:
        answer = await web.visitor.get("/")
        assert answer.status_code == 500
        assert "undefined" not in answer.text


async def test_pages_are_valid_html_for_people_who_hear_them(web: Website, world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    (person,) = await world.readers(1, (channel,))
    paths = ["/", "/c/xiaomi", f"/a/{article}", web.leave_link(person, article), web.manage_link(person), "/u/x", "/x"]
    for path in paths:
        page: httpx2.Response = await web.visitor.get(path)
        tree = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(page.text)
        assert tree.get("lang") == "en"
        assert len(tree.findall(".//h1")) == 1
        assert len(tree.findall(".//main")) == 1
        assert not tree.findall(".//script")
        assert not tree.findall(".//*[@style]")


async def test_metrics_are_numbers_in_the_prometheus_format_and_name_nobody(web: Website) -> None:
    web.app.metrics.delivered(sent=3, deferred=0, failed=0, cancelled=0)
    answer = await web.visitor.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'alerts_delivery_tries_total{outcome="sent"} 3.0' in answer.text
    assert "@" not in answer.text


async def test_an_alerts_page_names_the_article_as_the_original(web: Website, world: World) -> None:
    channel = await world.channel()
    article = await world.article(await world.source(), title=HOSTILE[:40], channels=(channel,))
    page = html5lib.parse((await web.visitor.get(f"/a/{article}")).text, namespaceHTMLElements=False)
    said = {one.get("property"): one.get("content") for one in page.iter("meta") if one.get("property")}
    (canonical,) = [one.get("href") for one in page.iter("link") if one.get("rel") == "canonical"]
    assert canonical == said["og:url"] == "https://daily.example/a"
    assert (said["og:type"], said["og:site_name"]) == ("article", "EV Daily")
    assert said["og:description"] == "A line."
    assert said["og:title"].startswith('"><script>')
    await change(world, article, url="javascript:alert(1)", summary=[])
    page = html5lib.parse((await web.visitor.get(f"/a/{article}")).text, namespaceHTMLElements=False)
    (canonical,) = [one.get("href") for one in page.iter("link") if one.get("rel") == "canonical"]
    assert canonical == f"{ORIGIN}/a/{article}"


async def test_mails_lead_to_the_alerts_page_where_the_config_says_so(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    async with website(db, tmp_path, now, more="mail: {links: site}\n") as web:
        assert web.app.site.links_to_site
    async with website(db, tmp_path, now) as web:
        assert not web.app.site.links_to_site
