"""`alerts channels` and `alerts articles explain` as Bob types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
    query: 'tag:Xiaomi OR about:Xiaomi'
  - slug: tesla
    name: Tesla
    query: 'about:Tesla'
"""
ARTICLE = """\
Xiaomi opens a second plant in Beijing

• Xiaomi opens its second plant.

Xiaomi has opened its second plant in Beijing, next to the first one.

Xiaomi builds the YU7 there. Its rival is made by Tesla in Shanghai.

Tesla News Alert
Subscribe to receive email notifications immediately when new articles about Tesla are published.
Tesla
View more channels
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
    (tmp_path / "article.txt").write_text(ARTICLE)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        code = main([*arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def test_the_channels_of_the_config_are_listed(alerts: Alerts) -> None:
    assert [(one["slug"], one["origin"], one["state"]) for one in alerts("channels", "list", "--json").data] == [
        ("xiaomi", "config", "active"),
        ("tesla", "config", "active"),
    ]
    assert "xiaomi\tXiaomi\tactive\t0\t0\ttag:Xiaomi OR about:Xiaomi" in alerts("channels", "list").out


def test_a_channel_is_added_shown_and_tried(alerts: Alerts) -> None:
    added = alerts("channels", "add", "--slug", "li-auto", "--name", "Li Auto", "--query", 'about:"Li Auto"')
    assert (added.code, added.out) == (0, "added the channel li-auto (Li Auto)\n")
    again = alerts("channels", "add", "--slug", "nio", "--name", "NIO", "--query", "about:NIO", "--json")
    assert again.data == {"slug": "nio", "name": "NIO", "query": "about:NIO", "state": "active"}
    assert alerts("channels", "show", "li-auto", "--json").data["query"] == 'about:"Li Auto"'
    assert "origin: cli" in alerts("channels", "show", "li-auto").out
    tried = alerts("channels", "test", "--json")
    assert tried.code == 0
    assert [one["slug"] for one in tried.data] == ["xiaomi", "tesla", "li-auto", "nio"]
    assert alerts("channels", "test", "nio").out == "nio: matches 0 of 0 articles\n"
    assert alerts("channels", "test", "--query", "nio OR byd").out == "the query: matches 0 of 0 articles\n"


def test_the_html_for_other_pages_is_printed_ready_to_copy(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_SITE__URL", "https://alerts.example/")
    alerts("channels", "add", "--slug", "rock", "--name", 'Rock "n" <Roll>', "--query", "rock")
    shown = alerts("channels", "show", "rock")
    assert (
        '<iframe src="https://alerts.example/embed/rock" title="Rock &#34;n&#34; &lt;Roll&gt; News Alert"' in shown.out
    )
    assert '<script src="https://alerts.example/static/embed.js" async></script>' in shown.out
    assert '<form action="https://alerts.example/subscribe" method="post">' in shown.out
    data = alerts("channels", "show", "rock", "--json").data
    assert data["embed"] in shown.out
    assert data["form"] in shown.out


def test_a_closed_channel_has_no_html_for_other_pages(alerts: Alerts, tmp_path: Path) -> None:
    alerts("channels", "list")
    (tmp_path / "config.yaml").write_text(CONFIG.partition("  - slug: tesla")[0])
    closed = alerts("channels", "show", "tesla", "--json").data
    assert (closed["state"], closed["embed"], closed["form"]) == ("retired", None, None)
    assert "<iframe" not in alerts("channels", "show", "tesla").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "--slug", "x", "--name", "X", "--query", "titel:a"), 2, "line 1, column 1: There is no field"),
        (("add", "--slug", "xiaomi", "--name", "X", "--query", "a1"), 2, 'There is a channel "xiaomi" already'),
        (("show", "nio"), 1, 'There is no channel "nio". Channels: xiaomi, tesla.'),
        (("test", "nio"), 1, 'There is no channel "nio"'),
        (("test", "xiaomi", "--query", "a1"), 2, "not both"),
        (("test", "--query", "a1 OR"), 2, "line 1, column 6: The query ends"),
    ],
)
def test_a_mistake_is_a_sentence_and_an_exit_code(
    alerts: Alerts, arguments: tuple[str, ...], code: int, says: str
) -> None:
    answer = alerts("channels", *arguments)
    assert answer.code == code
    assert says in answer.err
    assert "Traceback" not in answer.err


def test_a_wrong_query_in_the_config_is_named(alerts: Alerts, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("about:Tesla", "abuot:Tesla"))
    answer = alerts("channels", "list")
    assert answer.code == 2
    assert "config.yaml:11" in answer.err
    assert "Did you mean about:?" in answer.err


def test_a_file_is_explained_whatever_its_box_says(alerts: Alerts) -> None:
    found = alerts("articles", "explain", "article.txt", "--json").data
    assert found["article"]["tags"] == ["Tesla"]
    assert found["article"]["channels"] == ["xiaomi"]
    xiaomi, tesla = found["channels"]
    assert {"slug", "matched", "score", "hits", "why"} <= xiaomi.keys()
    assert (xiaomi["slug"], xiaomi["matched"]) == ("xiaomi", True)
    assert {"term": "Xiaomi", "zone": "title", "count": 1} in xiaomi["hits"]
    assert (tesla["slug"], tesla["matched"]) == ("tesla", False)
    assert tesla["score"] < 0.5


def test_an_explanation_for_people_and_for_one_of_them(alerts: Alerts) -> None:
    assert alerts("subscribers", "add", "alice@example.com", "xiaomi", "--confirmed").code == 0
    shown = alerts("articles", "explain", "article.txt", "--channel", "xiaomi", "--subscriber", "alice@example.com")
    assert shown.out.startswith("Xiaomi opens a second plant in Beijing\nyes  ")
    assert "Xiaomi: title ×1" in shown.out
    assert shown.out.endswith("alice@example.com: would get it: the article is not stored\n")
    data = alerts("articles", "explain", "article.txt", "--subscriber", "bob@example.com", "--json").data
    assert data["subscriber"]["state"] is None
    assert data["subscriber"]["delivery"] is None


def test_what_is_not_there_cannot_be_explained(alerts: Alerts) -> None:
    assert alerts("articles", "explain", "1").code == 1
    assert alerts("articles", "explain", "none.txt").code == 1
    assert alerts("articles", "explain", "article.txt", "--channel", "nio").code == 1


def test_a_wrong_query_is_shown_with_a_caret_under_its_place(alerts: Alerts, tmp_path: Path) -> None:
    refused = alerts("channels", "add", "--slug", "x", "--name", "X", "--query", "小米 OR (NIO")
    assert refused.err.splitlines()[1:] == ["    小米 OR (NIO", "            ^"]
    (tmp_path / "config.yaml").write_text(CONFIG.replace("about:Tesla", "about:Tesla NEAR/x recall"))
    checked = alerts("config", "check")
    assert checked.err.splitlines()[1:] == ["    about:Tesla NEAR/x recall", " " * 20 + "^"]
    (problem,) = alerts("config", "check", "--json").data["problems"]
    assert "line 1, column 17: Behind / stands how many other words may lie between" in problem


def test_aliases_of_the_config_hold_for_every_channel(alerts: Alerts, tmp_path: Path) -> None:
    alerts("channels", "add", "--slug", "mi", "--name", "Mi", "--query", "about:Mi")
    assert alerts("articles", "explain", "article.txt", "--json").data["article"]["channels"] == ["xiaomi"]
    (tmp_path / "config.yaml").write_text(CONFIG + "aliases:\n  Mi: [Xiaomi]\n")
    found = alerts("articles", "explain", "article.txt", "--json").data
    assert found["article"]["channels"] == ["xiaomi", "mi"]
    assert found["channels"][0]["score"] == found["channels"][2]["score"]
    assert alerts("run", "--once", "--json").code == 0
    assert alerts("channels", "test", "mi", "--json").data[0]["matched"] == 0
