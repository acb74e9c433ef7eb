"""Examples beside a channel: how they may be written, and how the mistakes in them are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.config import Config, load_config
from alerts.config.examples import MOST_EXAMPLES
from alerts.config.show import shown
from alerts.core.errors import ConfigError

CHANNEL = "channels:\n  - slug: xiaomi\n    name: Xiaomi\n    query: about:Xiaomi\n"


def load(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(CHANNEL + text, "utf-8")
    return load_config(path, {})


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value)


def test_an_example_is_a_headline_an_article_or_a_file(tmp_path: Path) -> None:
    (channel,) = load(
        tmp_path,
        "    must:\n"
        "      - Xiaomi opens a plant\n"
        "      - title: Plant\n"
        "        summary: [one, two]\n"
        "        body: Long.\n"
        "        tags: Xiaomi\n"
        "        language: de\n"
        "        source: EV Daily\n"
        "    must_not:\n"
        "      - file: articles/a.txt\n",
    ).channels
    headline, article, file = channel.examples
    assert (headline.must, headline.label, headline.place) == (
        True,
        "Xiaomi opens a plant",
        f"{tmp_path / 'config.yaml'}:6:9",
    )
    assert article.item is not None
    assert (article.item.summary, article.item.body, article.item.tags) == (("one", "two"), "Long.", ("Xiaomi",))
    assert (article.item.language, article.source) == ("de", "EV Daily")
    assert (file.must, file.item, file.label) == (False, None, str(tmp_path / "articles" / "a.txt"))


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    text = "    must: [A headline, {title: B, body: Text, source: s}]\n    must_not: [{file: a.txt}]\n"
    config = load(tmp_path, text)
    assert shown(config)["channels"][0]["must"] == [
        {"title": "A headline"}
        | ({"language": it.language} if (it := config.channels[0].examples[0].item) and it.language else {}),
        {"title": "B", "body": "Text", "source": "s"},
    ]
    assert shown(config)["channels"][0]["must_not"] == [{"file": str(tmp_path / "a.txt")}]


def test_where_an_example_stands_does_not_make_another_config(tmp_path: Path) -> None:
    before = load(tmp_path, "    must: [A headline]\n")
    assert load(tmp_path, "    # a remark\n    must: [A headline]\n") == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("    must: []\n", ":5: 'channels[0].must': write a list"),
        ("    must: A headline\n", ":5: 'channels[0].must': write a list"),
        ("    must: ['']\n", ":5:12: 'channels[0].must[0]' is empty"),
        ("    must:\n      -\n", ":6:8: 'channels[0].must[0]' is empty"),
        ("    must:\n      - Xiaomi: a plant\n", ":6:9: 'channels[0].must[0]': put a headline with ': ' in quotes"),
        ("    must:\n      - titel: a\n", ":6: unknown key 'channels[0].must[0].titel'; did you mean 'title'?"),
        ("    must:\n      - body: a\n", ":6:9: 'channels[0].must[0].title' is missing"),
        (
            "    must:\n      - {title: a, tags: {b: c}}\n",
            "'channels[0].must[0].tags': write a text, or a list of texts",
        ),
        ("    must:\n      - {title: a, tags: []}\n", "'channels[0].must[0].tags': write a text, or a list of texts"),
        ("    must:\n      - {file: a, body: b}\n", "unknown key 'channels[0].must[0].body'"),
        ("    must:\n      - {file: [a]}\n", "'channels[0].must[0].file' must be a single value"),
        ("    must: [[a]]\n", "'channels[0].must[0]' must hold 'key: value' lines, not a list"),
        ("    must_nt: [a]\n", ":5: unknown key 'channels[0].must_nt'; did you mean 'must_not'?"),
        (f"    must: [{', '.join(['a'] * (MOST_EXAMPLES + 1))}]\n", f"more than {MOST_EXAMPLES} examples"),
    ],
)
def test_a_mistake_in_an_example_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    assert says in complaint(tmp_path, text)


def test_mistakes_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    said = complaint(tmp_path, "    must:\n      - ''\n    colour: red\n    must_not:\n      - ''\n").splitlines()
    assert [line.split(": ")[0].partition("config.yaml:")[2] for line in said] == ["6:9", "7", "9:9"]
