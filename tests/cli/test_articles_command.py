"""`alerts articles list` and `show` as Bob types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alerts.cli import main

CONFIG = """\
site: {name: EV Daily, time_zone: Asia/Shanghai}
sources: [{folder: seeds}]
channels:
  - {slug: xiaomi, name: Xiaomi, query: 'tag:Xiaomi OR about:Xiaomi'}
  - {slug: tesla, name: Tesla, query: 'about:Tesla'}
  - {slug: seeds, name: Seeds, query: 'source:seeds'}
"""
ARTICLE = """\
Xiaomi opens a second plant

• It stands in Beijing.

Xiaomi (HKG: 1810) has opened its second plant in Beijing.
Jan 4, 2026
Xiaomi News Alert
Subscribe to receive mail.
View more channels
"""
KEYS = {
    *(
        "id",
        "title",
        "summary",
        "body",
        "url",
        "tags",
        "tickers",
        "language",
        "published_at",
        "first_seen_at",
        "source",
    ),
    *("channels", "author", "same_story_as"),
}


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
    (tmp_path / "article.txt").write_text(ARTICLE)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main([*arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def test_a_file_is_shown_with_the_channels_that_it_answers_and_not_stored(alerts: Alerts) -> None:
    shown = alerts("articles", "show", "article.txt", "--json")
    assert shown.code == 0
    assert set(shown.data) == KEYS
    assert shown.data["title"] == "Xiaomi opens a second plant"
    assert shown.data["summary"] == ["It stands in Beijing."]
    assert shown.data["body"] == "Xiaomi (HKG: 1810) has opened its second plant in Beijing."
    assert (shown.data["tags"], shown.data["tickers"]) == (["Xiaomi"], ["HKG: 1810"])
    assert shown.data["published_at"] == "2026-01-03T16:00:00+00:00"
    assert shown.data["channels"] == ["xiaomi"]
    assert [shown.data[key] for key in ("id", "url", "language", "first_seen_at", "source")] == [None] * 5
    assert alerts("articles", "list", "--json").data == []


def test_a_file_in_the_seed_folder_is_shown_as_the_sources(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "seeds" / "a.txt").write_text(ARTICLE)
    shown = alerts("articles", "show", "seeds/a.txt", "--json").data
    assert (shown["source"], shown["channels"]) == ("seeds", ["xiaomi", "seeds"])


def test_people_get_text(alerts: Alerts) -> None:
    shown = alerts("articles", "show", "article.txt")
    assert shown.out.startswith("Xiaomi opens a second plant\n  • It stands in Beijing.\n\n")
    assert "tickers:   HKG: 1810\n" in shown.out
    assert "channels:  xiaomi\n" in shown.out


def test_stored_articles_are_listed_and_shown_by_id(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "seeds" / "a.txt").write_text(ARTICLE)
    assert alerts("run", "--once").code == 0
    (listed,) = alerts("articles", "list", "--json").data
    assert set(listed) == KEYS
    shown = alerts("articles", "show", str(listed["id"]), "--json")
    assert shown.data == listed
    assert shown.data["source"] == "seeds"
    assert "Xiaomi opens a second plant" in alerts("articles", "list").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "a.json: is not JSON: line 1, column 2"),
        ("", "a.json: is empty"),
        ('{"items": []}', "a.json: is a feed without items"),
    ],
)
def test_a_file_without_an_article_is_an_error_of_input(alerts: Alerts, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    answer = alerts("articles", "show", "a.json")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("missing.txt", 1, "There is no file missing.txt"),
        ("7", 1, "There is no article 7"),
        ("config.yaml", 2, "config.yaml: is none of the files that hold articles"),
        ("seeds", 2, "seeds: is a folder, not a file"),
    ],
)
def test_what_is_there_not_or_is_no_article_is_named(alerts: Alerts, name: str, code: int, said: str) -> None:
    answer = alerts("articles", "show", name)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_what_is_odd_about_a_file_is_said_beside_the_answer(alerts: Alerts, tmp_path: Path) -> None:
    items = [{"id": "x:1", "title": "One", "draft": True}, {"id": "x:2", "title": "Two"}]
    (tmp_path / "feed.json").write_text(json.dumps({"items": items}))
    shown = alerts("articles", "show", "feed.json", "--json")
    assert shown.data["title"] == "One"
    assert "holds 2 articles; this is the first" in shown.err
    assert "in a folder it would not be stored now: it is a draft" in shown.err
