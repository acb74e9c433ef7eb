"""`alerts mail` as Bob types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from mail_rules import violations

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
PAGE = """\
Xiaomi opens its third car plant two months early

  • The plant in Wuhan builds 150,000 cars a year.
Xiaomi opens its third car plant two months early

The first cars left the line on Sunday, the company said.
Jan 4, 2026
"""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


Alerts = Callable[..., Answer]


@pytest.fixture
def alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Alerts:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "plant.txt").write_text(PAGE, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main(["mail", *arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def test_a_preview_prints_subject_and_text_and_stores_nothing(alerts: Alerts) -> None:
    answer = alerts("preview", "plant.txt", "xiaomi")

    assert answer.code == 0
    assert answer.out.startswith("Subject: Xiaomi News Alert: Xiaomi opens its third car plant two months early\n")
    assert "• The plant in Wuhan builds 150,000 cars a year." in answer.out
    assert "4 January 2026" in answer.out
    assert alerts("preview", "1", "xiaomi").code == 1


def test_a_preview_writes_what_it_is_asked_to(alerts: Alerts) -> None:
    answer = alerts("preview", "plant.txt", "xiaomi", "--html", "mail.html", "--eml", "mail.eml")

    assert answer.code == 0
    assert Path("mail.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    rules = violations(
        Path("mail.eml").read_bytes(),
        rcpt="reader@example.com",
        site_host="127.0.0.1",
        title="Xiaomi opens its third car plant two months early",
    )
    assert rules == []


def test_a_preview_for_scripts_is_json(alerts: Alerts) -> None:
    data = json.loads(alerts("preview", "plant.txt", "xiaomi", "--json").out)

    assert set(data) == {"subject", "text", "html", "size"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("preview", "plant.txt", "ford"), "no channel 'ford'"),
        (("preview", "nothing.txt", "xiaomi"), "nothing.txt"),
        (("preview", "plant.txt", "xiaomi", "--html", "no/folder/mail.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_previewed_is_said(alerts: Alerts, arguments: tuple[str, ...], complaint: str) -> None:
    answer = alerts(*arguments)

    assert answer.code == 1
    assert complaint in answer.err


def test_a_test_mail_is_queued(alerts: Alerts) -> None:
    assert "queued as delivery 1;" in alerts("send-test", "bob@example.com").out
    assert json.loads(alerts("send-test", "bob@example.com", "--json").out) == {"delivery": 2}


def test_a_test_mail_to_nobody_is_a_usage_error(alerts: Alerts) -> None:
    answer = alerts("send-test", "bob")

    assert answer.code == 2
    assert "bob" in answer.err


def test_a_wrong_template_stops_every_command(alerts: Alerts) -> None:
    Path("mine/alert").mkdir(parents=True)
    Path("mine/alert/subject.txt").write_text("{{ headline }}", encoding="utf-8")
    with Path("config.yaml").open("a", encoding="utf-8") as config:
        config.write("templates: mine\n")

    answer = alerts("preview", "plant.txt", "xiaomi")

    assert answer.code == 2
    assert "subject.txt, line 1: 'headline' is undefined" in answer.err
