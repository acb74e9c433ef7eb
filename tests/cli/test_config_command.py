"""`alerts config` and `alerts db`, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alerts.cli import main

WRONG = "site:\n  ulr: http://x\nchanels: []\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERTS_CONFIG", raising=False)
    return tmp_path


def test_a_starter_is_written_once_and_is_right(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init"]) == 0
    assert (place / "seeds").is_dir()
    assert main(["config", "check"]) == 0
    assert "is right" in capsys.readouterr().out
    (place / "config.yaml").write_text("mine")
    assert main(["config", "init"]) == 2
    assert (place / "config.yaml").read_text() == "mine"


def test_every_mistake_is_on_stderr_with_exit_2(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "other.yaml").write_text(WRONG)
    assert main(["config", "check", "--config", "other.yaml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "other.yaml:2: " in said.err
    assert "other.yaml:3: unknown key 'chanels'; did you mean 'channels'?" in said.err


def test_a_script_gets_the_mistakes_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "config.yaml").write_text(WRONG)
    assert main(["config", "check", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert len(said["problems"]) == 2


def test_what_is_shown_can_be_read_again_and_hides_secrets(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "config.yaml").write_text(
        "database: postgresql://me:hunter2@db/x?sslpassword=hunter2\nsite: {name: 'no'}\n"
    )
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    (place / "config.yaml").write_text(shown)
    assert main(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["site"]["name"] == "no"


def test_the_database_is_made_checked_and_copied(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "init"])
    assert main(["db", "upgrade"]) == 0
    assert main(["db", "check", "--json"]) == 0
    assert main(["db", "backup", "copy.db"]) == 0
    assert (place / "copy.db").stat().st_size > 0
    assert main(["db", "backup", "copy.db"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_damaged_database_is_told_with_exit_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "init"])
    (place / "var").mkdir()
    (place / "var" / "alerts.db").write_text("no database")
    capsys.readouterr()
    assert main(["db", "check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sound"] is False
    assert main(["db", "upgrade"]) == 1
    assert "not a sound database" in capsys.readouterr().err
    assert (place / "var" / "alerts.db").read_text() == "no database"
