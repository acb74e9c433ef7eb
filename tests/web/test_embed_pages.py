"""The box on other sites: what its page allows, and to whom."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import html5lib
import pytest
from cast import World
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from website import Website, website

from alerts.core.colours import contrast, read_colour
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web.frame import chosen_colours, stylesheet

COLOUR = st.from_regex(r"\A[0-9a-f]{6}\Z")


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(sqlite_db, tmp_path, now) as web:
        world = World(sqlite_db, now)
        for slug in ("xiaomi", "tesla", "byd"):
            await world.channel(slug)
        yield web


async def page_of(web: Website, path: str, status: int = 200) -> Any:
    answer = await web.visitor.get(path)
    assert answer.status_code == status
    return html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(answer.text)


def words(tree: Any) -> str:
    return " ".join("".join(tree.itertext()).split())


async def test_the_box_posts_within_its_frame_and_its_links_lead_out_of_it(web: Website) -> None:
    page = await page_of(web, "/embed/xiaomi")
    (form,) = page.findall(".//form")
    assert (form.get("action"), form.get("method"), form.get("target")) == ("/subscribe", "post", None)
    assert [one.get("value") for one in form.findall(".//input[@name='from']")] == ["embed"]
    assert form.findall(".//input[@name='channel'][@checked]")[0].get("value") == "xiaomi"
    links = [(one.get("href"), one.get("target"), one.get("rel")) for one in page.iter("a")]
    assert links == [("http://127.0.0.1:8000/", "_blank", "noopener")]
    assert len(page.findall(".//h1")) == 1
    assert not page.findall(".//*[@style]")
    assert [script.text for script in page.iter("script")] == [None]
    assert page.find("head").findall(".//link[@rel='canonical']") == []


async def test_only_the_embedded_box_may_be_framed(web: Website) -> None:
    policy = (await web.visitor.get("/embed/xiaomi")).headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for path in ("/", "/c/xiaomi", "/u/x", "/m/x", "/confirm/x", "/nothing", "/embed.css", "/static/embed.js"):
        assert "frame-ancestors 'none'" in (await web.visitor.get(path)).headers["content-security-policy"]


async def test_foreign_pages_may_load_the_box_and_its_script_and_nothing_else(web: Website) -> None:
    shared = [
        path
        for path in ("/embed/xiaomi", "/static/embed.js", "/static/frame.js", "/static/site.css", "/embed.css", "/")
        if (await web.visitor.get(path)).headers["cross-origin-resource-policy"] == "cross-origin"
    ]
    assert shared == ["/embed/xiaomi", "/static/embed.js"]


async def test_the_script_for_foreign_pages_is_kept_a_while_under_its_plain_address(web: Website) -> None:
    script = await web.visitor.get("/static/embed.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=3600"
    assert "immutable" not in script.headers["cache-control"]


async def test_a_closed_channel_and_none_at_all_say_so_in_the_frame(web: Website) -> None:
    async with web.app.db.transaction() as tx:
        await tx.execute(update(schema.channels).where(schema.channels.c.slug == "byd").values(state="retired"))
    closed = await page_of(web, "/embed/byd")
    assert "Byd is closed" in words(closed)
    none = await page_of(web, "/embed/%22%3Ex", status=404)
    assert "There is no such channel" in words(none)
    for page in (closed, none):
        assert page.findall(".//form") == []
        assert page.findall(".//a[@target='_blank']") != []
    headers = (await web.visitor.get("/embed/nobody")).headers
    assert "frame-ancestors *" in headers["content-security-policy"]


async def test_colours_of_the_url_come_by_a_stylesheet_that_may_be_kept(web: Website) -> None:
    page = await page_of(web, "/embed/xiaomi?accent=0B6E4F&paper=fff&ink=red")
    sheets = [one.get("href") for one in page.findall(".//link[@rel='stylesheet']")]
    assert sheets[1:] == ["/embed.css?accent=0b6e4f&paper=ffffff"]
    fields = {one.get("name"): one.get("value") for one in page.findall(".//input[@type='hidden']")}
    assert fields.pop("stamp")
    assert fields == {"from": "embed", "accent": "0b6e4f", "paper": "ffffff"}
    sheet = await web.visitor.get(sheets[1])
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert sheet.headers["cache-control"] == "public, max-age=86400"
    assert "--accent: #0b6e4f;" in sheet.text
    again = await web.visitor.get(sheets[1], headers={"If-None-Match": sheet.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "query",
    ["", "accent=", "accent=%23fff", "ink=red;}", "paper=fff%0a", "accent=fff}body{}", "Accent=fff", "accent=%00fff"],
)
async def test_what_is_no_colour_changes_nothing(web: Website, query: str) -> None:
    assert len((await page_of(web, f"/embed/xiaomi?{query}")).findall(".//link[@rel='stylesheet']")) == 1
    assert (await web.visitor.get(f"/embed.css?{query}")).text == ""


def test_with_nothing_chosen_the_readers_own_setting_decides() -> None:
    assert stylesheet({}) == ""


@given(st.fixed_dictionaries({}, optional={"accent": COLOUR, "paper": COLOUR}))
def test_what_a_publisher_leaves_open_can_be_read_on_what_they_chose(wishes: dict[str, str]) -> None:
    chosen = chosen_colours(wishes)
    assert chosen == wishes
    values = {name: read_colour(hexed) for name, hexed in re.findall(r"--([\w-]+): #(\w{6});", stylesheet(chosen))}
    if not chosen:
        assert values == {}
        return
    paper, ink, accent, on_accent = (values[name] for name in ("paper", "ink", "accent", "accent-ink"))
    assert paper is not None
    assert ink is not None
    assert accent is not None
    assert on_accent is not None
    assert contrast(ink, paper) >= 3.5  # the worst of all greys; the best that two fixed inks can do
    assert contrast(on_accent, accent) >= 4.5


def shape(sheet: str) -> str:
    """Return a stylesheet with every colour, and what the browser is told of light and dark, taken out."""
    return re.sub(r"#[0-9a-f]{6}|light|dark", "", sheet)


@given(st.dictionaries(st.sampled_from(["accent", "paper", "ink", "x"]), COLOUR | st.text(max_size=12)))
def test_nothing_but_colours_gets_into_the_stylesheet(wishes: dict[str, str]) -> None:
    assert shape(stylesheet(wishes)) in {"", shape(stylesheet({"paper": "fff"}))}
