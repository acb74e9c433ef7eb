"""How a command is found among its options, as a stranger may write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.cli import main

CONFIG = """\
site:
  name: EV Daily
sources: []
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'about:Xiaomi'
"""
EVERYTHING = {"run", "status", "doctor", "config", "sources", "channels", "articles", "subscribers", "deliveries"}


@pytest.mark.parametrize("name", ["run", "config", "db"])
@pytest.mark.parametrize("order", ["before", "within", "after"])
def test_a_config_may_be_named_like_a_command(
    name: str, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    orders = {
        "before": ["--config", name, "channels", "list"],
        "within": ["channels", "--config", name, "list"],
        "after": ["channels", "list", "--config", name],
    }
    assert main(orders[order]) == 0
    assert "xiaomi" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["--help", "run"], []])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(arguments)
    shown = capsys.readouterr()
    assert set((shown.out + shown.err).split()) >= EVERYTHING
    assert "send-worker" not in shown.out


@pytest.mark.parametrize("arguments", [["hlep"], ["--verbose", "statsu"], ["sources", "lsit"]])
def test_a_command_that_there_is_not_is_an_error_of_use(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert arguments[-1] in capsys.readouterr().err


def test_roles_that_there_are_not_and_roles_on_sqlite_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    common = ["--config", str(tmp_path / "config.yaml"), "run"]
    assert main([*common, "--role", "web,sned"]) == 2
    assert "did you mean “send”?" in capsys.readouterr().err
    assert main([*common, "--role", "web"]) == 2
    assert "on SQLite one process does everything" in capsys.readouterr().err
