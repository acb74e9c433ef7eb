"""A flood as Bob meets it: files in, his commands, mails out over SMTP."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from daemon import CONFIG, article, relay_at
from mail_rules import subject_of, texts_of, violations
from scripted_smtp import ScriptedSmtp, SinkThread

from alerts.cli import main


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


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        yield server


@pytest.fixture
def alerts(
    tmp_path: Path, sink: ScriptedSmtp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Alerts:
    """Give an installation whose folder may bring five articles a day, polled once, with two readers."""
    (tmp_path / "seeds").mkdir()
    text = CONFIG.format(web=8000, database="sqlite:///alerts.db", relays=relay_at(sink.port).rstrip("\n"))
    (tmp_path / "config.yaml").write_text(text.replace("- folder: seeds", "- {folder: seeds, flood: 5}"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    run("sources", "poll")
    run("subscribers", "add", "alice@example.org", "xiaomi", "--confirmed")
    run("subscribers", "add", "tom@example.org", "tesla", "--confirmed")
    return run


def publish(count: int) -> None:
    for number in range(count):
        path = Path("seeds") / f"{number}.txt"
        path.write_text(article(f"Xiaomi opens plant number {number}").replace("less", f"{number * 7919} less"))
        os.utime(path, (time.time() - 5,) * 2)


def test_a_flood_is_held_told_of_once_and_released_as_one_mail_a_subscriber(alerts: Alerts, sink: ScriptedSmtp) -> None:
    publish(23)
    first = alerts("run", "--once")
    assert "source_held" in first.err
    assert "most_in_24_hours=5" in first.err
    assert sink.accepted == []

    for told in (alerts("sources", "list").out, alerts("status").out):
        assert re.search(r"held: 23 articles since \S+ \S+ UTC; release or drop", told)
    assert alerts("status", "--json").data["sources"][0]["held"]["articles"] == 23
    held = alerts("sources", "show", "seeds", "--json").data["held"]
    assert (held["mails"], held["mails_as_digest"], held["channels"]) == (23, 1, [{"slug": "xiaomi", "articles": 23}])

    released = alerts("sources", "release", "seeds", "--as-digest", "--yes", "--json").data
    assert (released["decision"], released["articles"], released["mails"]) == ("digest", 23, 1)
    second = alerts("run", "--once", "--json")
    assert (second.data["sent"], "source_held" in second.err) == (1, False)
    [mail] = sink.accepted
    assert subject_of(mail.data) == "Xiaomi News Alert: 23 articles"
    assert violations(mail.data, rcpt="alice@example.org", site_host="127.0.0.1", kind="digest") == []
    assert "And 3 more:" in texts_of(mail.data)[0]
    assert alerts("run", "--once", "--json").data["sent"] == 0
    assert "last flood: 23 articles" in alerts("sources", "show", "seeds").out


def test_bob_is_told_that_no_page_of_a_flood_is_read(alerts: Alerts) -> None:
    publish(7)
    alerts("sources", "poll")
    told = alerts("sources", "show", "seeds")
    added = alerts("sources", "add", "https://paper.example/feed", "--unasked", "--content", "page", "--json").data
    with contextlib.closing(sqlite3.connect("alerts.db")) as ledger:
        ledger.execute("UPDATE floods SET source_id = (SELECT id FROM sources WHERE name = ?)", (added["name"],))
        ledger.commit()

    warned = alerts("sources", "show", added["name"])

    assert "pages" not in told.out
    assert "its mails quote what the feed says, not the pages (content: page)" in warned.out
    assert alerts("sources", "show", added["name"], "--json").data["held"]["text_of"] == "content"


def test_bob_is_asked_first_and_a_dropped_flood_is_never_mailed(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(7)
    poll = alerts("sources", "poll")
    assert poll.out == "seeds: 7 new, 0 changed, 0 known (7 held as a flood, see `alerts sources show`)\n"

    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    refused = alerts("sources", "drop", "seeds")
    assert refused.code == 1
    assert "7 articles dropped, never mailed: 0 mails. Go on?" in refused.err
    assert alerts("sources", "list", "--json").data[0]["held"]["articles"] == 7

    assert "seeds: 7 articles dropped" in alerts("sources", "drop", "seeds", "--yes").out
    again = alerts("sources", "release", "seeds", "--yes")
    assert again.code == 2
    assert "nothing of seeds is held; its last flood (7 articles" in again.err
