"""`alerts sources` as Bob types it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from article_pages import TITLE, article_page

from alerts.cli import main
from alerts.config import extras

CONFIG = """\
site:
  name: EV Daily
sources:
  - folder: seeds
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'about:Xiaomi'
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Alerts = Callable[..., Answer]


@dataclass(slots=True)
class Feed:
    """A feed that is served while the command runs."""

    url: str
    status: int = 200
    titles: tuple[str | tuple[str, str], ...] = ("Xiaomi opens a plant",)  # with a link, or without
    page: str = ""  # what every other path than the feed's answers

    @property
    def home(self) -> str:
        return self.url.removesuffix("/feed")

    @property
    def body(self) -> bytes:
        linked = ((one, "") if isinstance(one, str) else one for one in self.titles)
        items = "".join(
            f"<item><title>{title}</title><guid isPermaLink='false'>{title}</guid>"
            + (f"<link>{link}</link>" if link else "")
            + "</item>"
            for title, link in linked
        )
        return f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>".encode()


@pytest.fixture
def alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Alerts:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main(["sources", *arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def feed() -> Iterator[Feed]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.body if self.path == "/feed" or not served.page else served.page.encode()
            self.send_response(served.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/xml" if self.path == "/feed" else "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Feed(f"http://127.0.0.1:{server.server_port}/feed")
        Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()


def test_the_folder_of_the_config_is_listed(alerts: Alerts) -> None:
    (seeds,) = alerts("list", "--json").data

    assert (seeds["name"], seeds["kind"], seeds["state"], seeds["polled_at"]) == ("seeds", "folder", "ok", None)
    assert alerts("list").out.startswith("seeds\tfolder\tok\tnever\t")


def test_a_feed_is_added_polled_paused_resumed_and_removed(alerts: Alerts, feed: Feed) -> None:
    assert alerts("add", feed.url, "--allow-private").out == "added: 127.0.0.1\n"
    assert alerts("poll", "127.0.0.1").out == "127.0.0.1: 1 new, 0 changed, 0 known\n"
    feed.titles += ("Xiaomi opens another",)
    assert alerts("poll", "127.0.0.1", "--json").data == [
        {
            "name": "127.0.0.1",
            "worked": True,
            "new": 1,
            "changed": 0,
            "seen": 1,
            "held": 0,
            "reason": None,
            "pages_not_read": {},
        }
    ]
    assert alerts("pause", "127.0.0.1", "--json").data["state"] == "paused"
    resting = alerts("poll", "127.0.0.1")
    assert (resting.code, "resume" in resting.err) == (2, True)
    assert [one["name"] for one in alerts("poll", "--json").data] == ["seeds"]
    assert alerts("resume", "127.0.0.1").out == "resumed: 127.0.0.1\n"
    assert [one["name"] for one in alerts("poll", "--json").data] == ["127.0.0.1", "seeds"]
    assert alerts("remove", "127.0.0.1").out == "removed: 127.0.0.1\n"
    assert [one["name"] for one in alerts("list", "--json").data] == ["seeds"]


def test_a_feed_whose_pages_are_read_says_which_could_not_be(alerts: Alerts, feed: Feed) -> None:
    feed.page = article_page().decode()
    alerts("add", feed.url, "--allow-private", "--content", "page")
    alerts("poll", "127.0.0.1")
    feed.titles = ((TITLE, "/recall"), ("Xiaomi opens another", "/another"))

    polled = alerts("poll", "127.0.0.1")

    assert alerts("show", "127.0.0.1", "--json").data["content"] == "page"
    assert polled.out == "127.0.0.1: 2 new, 0 changed, 0 known\n"
    assert polled.err == f"127.0.0.1: {feed.home}/another was not read: it does not speak of what the feed says\n"


def test_pages_are_not_asked_for_without_what_reads_them(
    alerts: Alerts, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "_EXTRACTOR", "an_extractor_that_is_not_there")
    (tmp_path / "feeds.opml").write_text(f"<opml version='2.0'><body><outline xmlUrl='{feed.url}'/></body></opml>")

    added = alerts("add", feed.url, "--allow-private", "--content", "page")
    imported = alerts("import", "feeds.opml", "--content", "page")

    assert (added.code, imported.code) == (2, 2)
    assert "pip install 'news-alert[page]'" in added.err
    assert "pip install 'news-alert[page]'" in imported.err
    assert [one["kind"] for one in alerts("list", "--json").data] == ["folder"]


def test_a_poll_that_fails_says_why_and_the_others_go_on(alerts: Alerts, feed: Feed) -> None:
    alerts("add", feed.url, "--allow-private")
    feed.status = 500

    polled = alerts("poll")

    assert polled.code == 1
    assert polled.out == "seeds: 0 new, 0 changed, 0 known\n"
    assert polled.err == "127.0.0.1: 127.0.0.1 failed (500)\n"
    assert next(one["reason"] for one in alerts("list", "--json").data if one["kind"] == "feed") == (
        "127.0.0.1 failed (500)"
    )


def test_a_feed_on_a_private_address_is_not_polled_unless_bob_allows_it(alerts: Alerts, feed: Feed) -> None:
    alerts("add", feed.url, "--unasked")

    polled = alerts("poll", "127.0.0.1")

    assert (polled.code, "allow_private: true" in polled.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "file:///etc/passwd"), 2, "no address of a feed"),
        (("poll", "nobody"), 1, "no source named nobody"),
        (("pause", "nobody"), 1, "no source named nobody"),
        (("resume", "nobody"), 1, "no source named nobody"),
        (("remove", "nobody"), 1, "no source named nobody"),
        (("remove", "seeds"), 2, "stands in the config"),
    ],
)
def test_a_mistake_is_a_sentence_and_an_exit_code(
    alerts: Alerts, arguments: tuple[str, ...], code: int, says: str
) -> None:
    answer = alerts(*arguments)

    assert (answer.code, says in answer.err, answer.out) == (code, True, "")


LINK = '<link rel="alternate" type="application/rss+xml" title="{}" href="{}">'


def test_the_only_feed_of_a_page_is_added_and_named(alerts: Alerts, feed: Feed) -> None:
    feed.page = f"<html><head>{LINK.format('News', '/feed')}</head>"

    added = alerts("add", feed.home, "--allow-private")

    assert (added.code, added.out, added.err) == (0, "added: 127.0.0.1\n", f"the feed is {feed.url}\n")


def test_of_several_feeds_one_is_chosen_by_its_number(alerts: Alerts, feed: Feed) -> None:
    feed.page = LINK.format("Comments", "/comments") + LINK.format("News", "/news") + LINK.format("Cars", "/cars")

    asked = alerts("add", feed.home, "--allow-private")
    chosen = alerts("add", feed.home, "--allow-private", "--choose", "2", "--json")

    assert (asked.code, asked.out) == (2, "")
    assert f"offers 3 feeds; add --choose NUMBER, or give its address:\n  1  {feed.home}/news  News\n" in asked.err
    assert chosen.data["location"] == f"{feed.home}/cars"
    assert alerts("add", feed.home, "--allow-private", "--choose", "4").code == 2


def test_a_page_without_a_feed_is_refused_and_can_be_added_unasked(alerts: Alerts, feed: Feed) -> None:
    feed.status = 404

    refused = alerts("add", feed.url, "--allow-private")

    assert (refused.code, "has no feed there (404); --unasked" in refused.err) == (2, True)
    assert alerts("add", feed.url, "--unasked").out == "added: 127.0.0.1\n"


def test_a_private_address_is_looked_at_only_when_allowed(alerts: Alerts, feed: Feed) -> None:
    refused = alerts("add", feed.url)

    assert (refused.code, "--allow-private" in refused.err) == (2, True)
    assert [one["name"] for one in alerts("list", "--json").data] == ["seeds"]


def test_a_list_of_feeds_goes_in_and_out(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "feeds.opml").write_text(
        """<opml version="1.0"><body><outline text="Cars">
        <outline title="EV &amp; Co" xmlUrl="https://ev.example/feed"/>
        <outline text="Broken" xmlUrl="file:///etc/passwd"/>
        </outline></body></opml>"""
    )

    added = alerts("import", "feeds.opml")

    assert (added.code, added.out) == (0, "1 added, 0 known, 1 rows passed over\n")
    assert added.err.startswith("feeds.opml: line 3 (Broken): ")
    assert alerts("export", "--opml", "out.opml").code == 0
    assert alerts("export").out.count("<outline") == 1
    assert alerts("import", "out.opml", "--json").data == {"added": 0, "known": 1, "problems": []}
    assert 'title="EV &amp; Co" xmlUrl="https://ev.example/feed"' in (tmp_path / "out.opml").read_text()


def test_a_file_that_is_no_list_adds_nothing(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "feeds.opml").write_text("<opml>\n<body>")

    refused = alerts("import", "feeds.opml")

    assert (refused.code, "feeds.opml: line 2, column 7: " in refused.err) == (2, True)
    assert alerts("import", "missing.opml").code == 2
    assert alerts("export", "--opml", "no/such/folder").code == 2
