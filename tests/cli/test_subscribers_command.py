"""`alerts subscribers` as Bob types it: what it prints, and with which exit code it leaves."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.cli import main
from alerts.services.preferences import pause
from alerts.storage.engine import Database

CONFIG = """\
site:
  name: EV Daily
sources:
  - folder: seeds
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'about:Xiaomi'
  - slug: tesla
    name: Tesla
    query: 'about:Tesla'
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


@pytest.fixture
def alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Alerts:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main(["subscribers", *arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def test_an_address_is_added_and_shown(alerts: Alerts) -> None:
    added = alerts("add", "Alice@Example.com", "xiaomi", "tesla", "--confirmed", "--frequency", "daily")
    assert (added.code, added.out) == (0, "Alice@example.com: xiaomi (active, daily), tesla (active, daily)\n")
    shown = alerts("show", "alice@EXAMPLE.com", "--json").data
    assert (shown["email"], shown["state"]) == ("Alice@example.com", "active")
    held = [(one["channel"], one["state"], one["frequency"]) for one in shown["subscriptions"]]
    assert held == [("xiaomi", "active", "daily"), ("tesla", "active", "daily")]
    assert "xiaomi: active, daily" in alerts("show", "alice@example.com").out


def test_it_is_shown_until_when_somebody_pauses(alerts: Alerts, tmp_path: Path) -> None:
    alerts("add", "alice@example.com", "xiaomi", "--confirmed")
    assert alerts("show", "alice@example.com", "--json").data["paused_until"] is None
    until = datetime(2030, 1, 31, tzinfo=UTC)

    async def pause_alice() -> None:
        db = await Database.open(f"sqlite:///{tmp_path / 'var' / 'alerts.db'}")
        await pause(db, subscriber_id=1, until=until, now=until)
        await db.close()

    asyncio.run(pause_alice())
    assert alerts("show", "alice@example.com", "--json").data["paused_until"] == until.isoformat()
    assert f"paused_until: {until.isoformat()}" in alerts("show", "alice@example.com").out


def test_without_confirmed_a_confirmation_is_owed_at_most_three_times_a_day(alerts: Alerts) -> None:
    owed = [alerts("add", "alice@example.com", "xiaomi", "--json").data["confirmation_owed"] for _ in range(4)]
    assert owed == [True, True, True, False]
    again = alerts("add", "alice@example.com", "xiaomi")
    assert again.code == 0
    assert "three went to this address" in again.err
    assert "is on its way" in alerts("add", "bob@example.com", "xiaomi").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "alice@example.com", "xiomi"), 1, "did you mean “xiaomi”? Known: xiaomi, tesla."),
        (("add", "nobody", "xiaomi"), 2, "“nobody” is not an email address"),
        (("add", "alice@example.com"), 2, "Missing argument"),
        (("add", "alice@example.com", "xiaomi", "--frequency", "hourly"), 2, "hourly"),
        (("add", "alice@example.com", "xiaomi", "--time-zone", "Mars/Olympus"), 2, "Mars/Olympus"),
        (("show", "zoe@example.com"), 1, "no subscriber zoe@example.com"),
        (("forget", "zoe@example.com"), 1, "no subscriber zoe@example.com"),
        (("import", "nowhere.csv", "--channel", "xiaomi"), 2, "nowhere.csv cannot be read"),
        (("import", "config.yaml", "--channel", "xiaomi"), 2, "no column `email`"),
        (("import", "config.yaml", "--channel", "xiomi"), 1, "did you mean “xiaomi”"),
        (("import", "config.yaml"), 2, "--channel"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(
    alerts: Alerts, arguments: tuple[str, ...], code: int, says: str
) -> None:
    answer = alerts(*arguments)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert alerts("list", "--json").data == []


def test_a_list_is_imported_but_for_its_bad_rows(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("email,phone\nalice@example.com,1\nnobody,2\nbob@example.com,3\n")
    done = alerts("import", "people.csv", "--channel", "xiaomi", "--confirmed", "--json")
    assert done.code == 1
    assert "people.csv:3: “nobody” is not an email address" in done.err
    assert "the column `phone` is not known" in done.err
    assert [one["line"] for one in done.data["errors"]] == [3]
    assert {key: value for key, value in done.data.items() if key != "errors"} == {
        "rows": 3,
        "subscribed": 2,
        "asked": 0,
        "unchanged": 0,
        "refused": 0,
        "bad": 1,
    }
    assert [one["email"] for one in alerts("list", "--json").data] == ["alice@example.com", "bob@example.com"]


def test_a_list_without_mistakes_leaves_with_0_and_prints_no_bar_into_a_pipe(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("email\nalice@example.com\n")
    done = alerts("import", "people.csv", "--channel", "xiaomi", "--channel", "tesla")
    assert done == Answer(0, "1 rows: 0 subscribed, 1 asked to confirm, 0 unchanged, 0 refused, 0 bad\n", "")


def test_what_is_exported_can_be_imported_again(alerts: Alerts, tmp_path: Path) -> None:
    alerts("add", "+alice@example.com", "xiaomi", "tesla", "--confirmed", "--name", "=1+1", "--time-zone", "UTC")
    alerts("add", "bob@example.com", "xiaomi")
    exported = alerts("export").out
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [(row["email"], row["channel"], row["subscription"]) for row in rows] == [
        ("'+alice@example.com", "xiaomi", "active"),
        ("'+alice@example.com", "tesla", "active"),
        ("bob@example.com", "xiaomi", "pending"),
    ]
    (tmp_path / "export.csv").write_text(exported)
    before = alerts("export", "--json").data
    assert alerts("import", "export.csv", "--channel", "xiaomi").code == 0
    assert alerts("export", "--json").data == before
    assert before[0]["name"] == "=1+1"


def test_everybody_is_listed_as_far_as_asked_for(alerts: Alerts) -> None:
    assert alerts("list") == Answer(0, "", "no subscribers\n")
    assert alerts("export", "--json").data == []
    for name in ("alice", "bob", "carol"):
        alerts("add", f"{name}@example.com", "xiaomi", *(["--confirmed"] if name != "bob" else []))
    assert len(alerts("list").out.splitlines()) == 3
    assert [one["email"] for one in alerts("list", "--limit", "2", "--json").data] == [
        "alice@example.com",
        "bob@example.com",
    ]
    assert [one["email"] for one in alerts("list", "--state", "pending", "--json").data] == ["bob@example.com"]


def test_who_is_forgotten_is_gone(alerts: Alerts) -> None:
    alerts("add", "alice@example.com", "xiaomi")
    assert alerts("forget", "ALICE@example.com", "--json").data == {
        "forgotten": True,
        "subscriptions": 1,
        "cancelled": 1,
    }
    assert alerts("list", "--json").data == []
    assert alerts("forget", "alice@example.com").code == 1


def test_an_empty_export_still_names_its_columns(alerts: Alerts) -> None:
    alerts("add", "alice@example.com", "xiaomi")
    alerts("forget", "alice@example.com")
    assert alerts("export").out.splitlines() == [
        "email,name,language,time_zone,frequency,channel,subscription,state,created_at,confirmed_at"
    ]
