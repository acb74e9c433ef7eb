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

from alerts.cli import main

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
    titles: tuple[str, ...] = ("Xiaomi opens a plant",)

    @property
    def body(self) -> bytes:
        items = "".join(f"<item><title>{title}</title><guid>{title}</guid></item>" for title in self.titles)
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
            self.send_response(served.status)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)

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
        {"name": "127.0.0.1", "worked": True, "new": 1, "changed": 0, "seen": 1, "held": 0, "reason": None}
    ]
    assert alerts("pause", "127.0.0.1", "--json").data["state"] == "paused"
    resting = alerts("poll", "127.0.0.1")
    assert (resting.code, "resume" in resting.err) == (2, True)
    assert [one["name"] for one in alerts("poll", "--json").data] == ["seeds"]
    assert alerts("resume", "127.0.0.1").out == "resumed: 127.0.0.1\n"
    assert [one["name"] for one in alerts("poll", "--json").data] == ["127.0.0.1", "seeds"]
    assert alerts("remove", "127.0.0.1").out == "removed: 127.0.0.1\n"
    assert [one["name"] for one in alerts("list", "--json").data] == ["seeds"]


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
    alerts("add", feed.url)

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
