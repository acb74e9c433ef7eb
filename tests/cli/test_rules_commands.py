"""Rules as tested code, as Bob types it: `alerts channels test` and `edit`, and `alerts config check`."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import pytest

from alerts.cli import main

CONFIG = """\
sources:
  - folder: seeds
    first_poll: alert
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'about:Xiaomi'
    must:
      - Xiaomi opens a plant
"""
BROKEN = CONFIG.replace("Xiaomi opens", "Tesla opens")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, says: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(says))
        code = main([*arguments])
        return code, *capsys.readouterr()

    return run


def data_of(answer: tuple[int, str, str]) -> Any:
    return json.loads(answer[1])


def store_two_articles(folder: Path, alerts: Run) -> None:
    for maker in ("Xiaomi", "Tesla"):
        file = folder / "seeds" / f"{maker}.txt"
        file.write_text(f"{maker} opens a plant\n\n{maker} has opened it.\n")
        os.utime(file, (time() - 60, time() - 60))  # a younger one is looked at twice
        assert alerts("sources", "poll")[0] == 0


def test_a_failing_example_fails_the_test_and_the_check(alerts: Run, tmp_path: Path) -> None:
    assert "1 of 1 examples hold" in alerts("channels", "test")[1]
    (tmp_path / "config.yaml").write_text(BROKEN)
    code, out, _ = alerts("channels", "test", "xiaomi")
    assert (code, 'config.yaml:9:9: channel "xiaomi", must "Tesla opens a plant": the query does' in out) == (1, True)
    failed = data_of(alerts("channels", "test", "--json"))[0]["examples"]
    assert failed["tried"] == 1
    assert failed["failed"][0]["place"].endswith("config.yaml:9:9")
    code, _, err = alerts("config", "check")
    assert (code, "about:Xiaomi 0.00 < 0.50" in err) == (2, True)
    checked = alerts("config", "check", "--json")
    assert (checked[0], data_of(checked)["ok"]) == (2, False)
    assert alerts("channels", "list")[0] == 2


def test_what_a_config_changes_is_shown_before_it_is_in_force(alerts: Run, tmp_path: Path) -> None:
    assert data_of(alerts("config", "check", "--json"))["changes"] == []
    assert not (tmp_path / "var").exists()
    store_two_articles(tmp_path, alerts)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("'about:Xiaomi'", "'title:plant'"))
    code, out, _ = alerts("config", "check")
    assert (code, "xiaomi, last 30 days: 1 gained, 0 lost of 2 articles" in out) == (0, True)
    (change,) = data_of(alerts("config", "check", "--json"))["changes"]
    assert (change["old_query"], change["new_query"]) == ("about:Xiaomi", "title:plant")
    assert [one["title"] for one in change["gained_articles"]] == ["Tesla opens a plant"]
    assert "  + 2  Tesla opens a plant" in alerts("channels", "test", "xiaomi")[1]
    assert data_of(alerts("channels", "test", "--json"))[0]["change"]["gained"] == 1
    alerts("channels", "list")
    assert data_of(alerts("channels", "test", "--json"))[0]["change"] is None


def test_what_changed_aliases_change_is_shown_before_they_are_in_force(alerts: Run, tmp_path: Path) -> None:
    store_two_articles(tmp_path, alerts)
    (tmp_path / "config.yaml").write_text(CONFIG + "aliases:\n  Xiaomi: [Tesla]\n")
    shown = "xiaomi (its aliases changed), last 30 days: 1 gained, 0 lost of 2 articles"
    assert shown in alerts("config", "check")[1]
    out = alerts("channels", "test", "xiaomi")[1]
    assert (shown in out, "matches 2 of 2 articles" in out) == (True, True)
    alerts("channels", "list")
    assert "gained" not in alerts("config", "check")[1]


@pytest.mark.parametrize("database", ["postgresql://nobody@127.0.0.1:1/x", "sqlite:///damaged.db"])
def test_a_database_that_cannot_be_read_fails_no_check(alerts: Run, tmp_path: Path, database: str) -> None:
    (tmp_path / "damaged.db").write_bytes(b"SQLite format 3\0 no more")
    (tmp_path / "config.yaml").write_text(f"database: {database}\n{CONFIG}")
    code, out, err = alerts("config", "check")
    assert (code, "is right" in out) == (0, True)
    assert "changes are not shown" in err


def test_an_edit_shows_what_it_changes_and_asks(alerts: Run, tmp_path: Path) -> None:
    store_two_articles(tmp_path, alerts)
    assert alerts("channels", "add", "--slug", "plants", "--name", "Plants", "--query", "title:Tesla")[0] == 0
    code, out, err = alerts("channels", "edit", "plants", "--query", "title:Xiaomi", says="n\n")
    assert (code, "Save the channel plants?" in err) == (0, True)
    assert "plants, last 30 days: 1 gained, 1 lost of 2 articles; too young to say" in out
    assert "  + 1  Xiaomi opens a plant\n  - 2  Tesla opens a plant\n" in out
    assert out.endswith("the channel plants is as it was\n")
    saved = data_of(alerts("channels", "edit", "plants", "--query", "plant", "--name", "All", "--yes", "--json"))
    assert (saved["saved"], saved["change"]["gained"], saved["change"]["lost"]) == (True, 1, 0)
    shown = data_of(alerts("channels", "show", "plants", "--json"))
    assert (shown["name"], shown["query"], shown["mails_a_month"]) == ("All", "plant", None)
    assert alerts("channels", "edit", "plants", "--name", "Every", says="y\n")[1].endswith("saved the channel plants\n")
    dry = data_of(alerts("channels", "edit", "plants", "--query", "x1", "--dry-run", "--json"))
    assert (dry["saved"], data_of(alerts("channels", "show", "plants", "--json"))["query"]) == (False, "plant")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["xiaomi", "--query", "x1", "--yes"], 2, "The config declares the channel"),
        (["none", "--query", "x1"], 1, 'There is no channel "none"'),
        (["plants"], 2, "--query, --name, or both"),
        (["plants", "--query", "x1", "--json"], 2, "--dry-run"),
        (["plants", "--query", "x1 OR", "--yes"], 2, "line 1, column 6"),
        (["plants", "--name", " ", "--yes"], 2, "A channel's name has"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(alerts: Run, arguments: list[str], code: int, says: str) -> None:
    alerts("channels", "add", "--slug", "plants", "--name", "Plants", "--query", "plant")
    answer = alerts("channels", "edit", *arguments)
    assert (answer[0], says in answer[2]) == (code, True)


def test_a_retired_channel_is_not_edited(alerts: Run, tmp_path: Path) -> None:
    alerts("channels", "list")
    (tmp_path / "config.yaml").write_text("channels: []\n")
    code, _, err = alerts("channels", "edit", "xiaomi", "--query", "x1", "--yes")
    assert (code, "is retired" in err) == (2, True)


def test_an_explanation_tells_the_whole_way_of_a_mail(alerts: Run, tmp_path: Path) -> None:
    alerts("subscribers", "add", "alice@example.org", "xiaomi", "--confirmed")
    store_two_articles(tmp_path, alerts)
    (tmp_path / "config.yaml").write_text(f"mail: {{relays: [{{url: 'smtp://127.0.0.1:1'}}]}}\n{CONFIG}")
    alerts("run", "--once")
    code, out, _ = alerts("articles", "explain", "1", "--subscriber", "alice@example.org")
    assert code == 0
    assert "           asks about:Xiaomi\n" in out
    assert "           Xiaomi: title ×1\n               [Xiaomi] opens a plant\n" in out
    assert "alice@example.org: delivery " in out
    assert "  merged  one mail names xiaomi\n" in out
    assert "  queue   lane 1 (immediate), first due " in out
    assert "  reply   " in out
    person = data_of(alerts("articles", "explain", "1", "--subscriber", "alice@example.org", "--json"))["subscriber"]
    assert (person["named_channels"], person["limits"], person["delivery"]["lane"]) == (["xiaomi"], [], 1)
