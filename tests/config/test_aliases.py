"""Aliases in the configuration: other names of one thing, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.config import Config, load_config
from alerts.config.aliases import MOST_NAMES, MOST_OTHERS
from alerts.config.model import AliasesConfig
from alerts.config.show import shown
from alerts.core.errors import ConfigError


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {})


def complaints(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/config.yaml:", "").splitlines()


def test_names_are_read_with_their_aliases_and_shown(tmp_path: Path) -> None:
    config = load(tmp_path, 'aliases:\n  Xiaomi: [小米, "HKG: 1810", XIACY]\n  Li  Auto: 理想汽车\n')
    assert config.aliases == (
        AliasesConfig(name="Xiaomi", others=("小米", "HKG: 1810", "XIACY")),
        AliasesConfig(name="Li Auto", others=("理想汽车",)),
    )
    assert shown(config)["aliases"] == {"Xiaomi": ["小米", "HKG: 1810", "XIACY"], "Li Auto": ["理想汽车"]}
    assert load(tmp_path, "{}").aliases == ()


@pytest.mark.parametrize(
    ("aliases", "says"),
    [
        ("Xiaomi: [小米, XIAOMI]", "3: 'aliases.Xiaomi': 'XIAOMI' is the name itself"),
        ("Xiaomi: [小米, 小米]", "3: 'aliases.Xiaomi': '小米' is given twice; the first is at 3"),
        ("Xiaomi: [小米]\n  Mi: [小米]", "4: 'aliases.Mi': '小米' is an alias of 'Xiaomi' at 3"),
        (
            "Xiaomi: [小米]\n  小米: [Xiaomi]",
            "3: 'aliases.Xiaomi': '小米' is a name itself, at 4; put all names of one thing into one list",
        ),
        ("Xiaomi: [小米]\n  ＸIAOMI: [Mi]", "4: 'aliases.ＸIAOMI': it is the same name as 'Xiaomi' at 3"),
        ("Xiaomi: [小米]\n  Xiaomi: [Mi]", "4: the key 'Xiaomi' is given twice; the first is at 3"),
        ("Xiaomi: []", "3: 'aliases.Xiaomi': write a list of single values, such as [小米, XIACY]"),
        ("Xiaomi:", "3: 'aliases.Xiaomi': write a list of single values, such as [小米, XIACY]"),
        ("Xiaomi: [a, [b]]", "3: 'aliases.Xiaomi': write a list of single values, such as [小米, XIACY]"),
        ('Xiaomi: ["!"]', "3: 'aliases.Xiaomi': '!' has no letter or digit"),
        ("Xiaomi: [mi*]", "3: 'aliases.Xiaomi': 'mi*' ends with *; write whole names"),
        (f"Xiaomi: [{'x' * 201}]", f"3: 'aliases.Xiaomi': '{'x' * 201}' is longer than 200 characters"),
        ('"!": [x]', "3: 'aliases.!': this has no letter or digit"),
        (f"Xiaomi: [{', '.join(f'x{n}' for n in range(MOST_OTHERS + 1))}]", "3: 'aliases.Xiaomi': it has more than 50"),
    ],
)
def test_what_would_mean_two_things_is_refused_with_its_line(tmp_path: Path, aliases: str, says: str) -> None:
    assert complaints(tmp_path, f"site: {{}}\naliases:\n  {aliases}\n")[0].startswith(says)


def test_there_is_an_end_to_names(tmp_path: Path) -> None:
    many = "".join(f"  x{number}: [y{number}]\n" for number in range(MOST_NAMES + 1))
    assert complaints(tmp_path, f"aliases:\n{many}") == ["1: 'aliases' has more than 10,000 names"]


def test_a_list_of_names_is_no_mapping(tmp_path: Path) -> None:
    (complaint,) = complaints(tmp_path, "aliases: [Xiaomi]\n")
    assert "aliases" in complaint


def test_a_wrong_query_is_drawn_for_a_terminal_and_one_line_for_a_script(tmp_path: Path) -> None:
    text = "channels:\n  - slug: nio\n    name: NIO\n    query: 小米 OR (NIO\n    nmae: x\n"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    first = '\'channels[0].query\': line 1, column 7: This "(" is never closed. Add a ")".'
    assert [line.partition(":")[2] for line in str(caught.value).splitlines()] == [
        f"4:18: {first}",
        "5: unknown key 'channels[0].nmae'; did you mean 'name'?",
    ]
    assert caught.value.drawn.splitlines()[1:3] == ["    小米 OR (NIO", "            ^"]
    assert len(caught.value.drawn.splitlines()) == 4
