"""`alerts keys` as Bob types it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.cli import main

CONFIG = "site: {name: EV Daily}\nsources: [folder: seeds]\nchannels: [{slug: xiaomi, name: Xiaomi, query: 'Xiaomi'}]\n"
Alerts = Callable[..., tuple[int, str, str]]


@pytest.fixture
def alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Alerts:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["--config", str(tmp_path / "config.yaml"), *arguments])
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


def test_a_key_is_shown_once_and_kept_as_a_hash_only(alerts: Alerts, tmp_path: Path) -> None:
    code, key, _ = alerts("keys", "add", "cms", "--per-hour", "500")
    assert (code, key[:4]) == (0, "nak_")
    _, listed, _ = alerts("keys", "list", "--json")
    assert [(one["name"], one["articles_an_hour"]) for one in json.loads(listed)] == [("cms", 500)]
    with sqlite3.connect(tmp_path / "var" / "alerts.db") as db:
        assert key.strip() not in "\n".join(db.iterdump())
    assert key.strip() not in listed + alerts("keys", "list")[1] + alerts("sources", "list")[1]


def test_mistakes_are_told(alerts: Alerts) -> None:
    alerts("keys", "add", "cms")
    for wrong, said, code in (
        (("add", "cms"), "there is a key cms already", 2),
        (("add", "My CMS"), "no name of a key", 2),
        (("add", "b", "--per-hour", "99"), "smaller than one post", 2),
        (("revoke", "nobody"), "no living key", 1),
    ):
        done = alerts("keys", *wrong)
        assert done[0] == code
        assert said in done[2]


def test_a_revoked_key_is_listed_so_and_its_name_is_free(alerts: Alerts) -> None:
    alerts("keys", "add", "cms")
    assert alerts("keys", "revoke", "cms")[1] == "revoked: cms\n"
    assert alerts("keys", "add", "cms", "--json")[0] == 0
    assert [line.split("\t")[:2] for line in alerts("keys", "list")[1].splitlines()] == [
        ["cms", "living"],
        ["cms", "revoked"],
    ]


def test_its_source_is_polled_by_nobody_and_ends_with_its_key_only(alerts: Alerts) -> None:
    alerts("keys", "add", "cms")
    assert "not polled" in alerts("sources", "poll", "cms")[2]
    assert alerts("sources", "poll", "--json")[0] == 0
    assert "alerts keys revoke" in alerts("sources", "remove", "cms")[2]
