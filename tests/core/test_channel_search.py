"""A reader types a name as it comes to mind, and finds the channel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.channel_search import LONGEST_QUESTION, ChannelIndex, question
from alerts.core.model import Channel


def channels(*names: str) -> list[Channel]:
    return [
        Channel(id=number, slug=f"{name.lower().replace(' ', '-')}", name=name, query="a1")
        for number, name in enumerate(names, 1)
    ]


CHANNELS = [
    *channels("Solid-State Batteries", "Li Auto", "Autonomous Driving", "Auto", "Škoda", "STRASSE"),
    Channel(id=7, slug="xiaomi", name="小米", query="a1"),
]
INDEX = ChannelIndex(CHANNELS)


def found(asked: str) -> list[str]:
    return [channel.name for channel in INDEX.search(question(asked))]


@pytest.mark.parametrize("asked", ["Li Auto", "li-auto", "LIAUTO", "  ｌｉ　ａｕｔｏ ", "auto li"])
def test_case_width_hyphens_and_spaces_make_no_difference(asked: str) -> None:
    assert found(asked) == ["Li Auto"]


def test_the_name_itself_comes_first_then_what_begins_so_then_the_rest() -> None:
    assert found("auto") == ["Auto", "Autonomous Driving", "Li Auto"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("škoda", ["Škoda"]),
        ("straße", ["STRASSE"]),
        ("小", ["小米"]),
        ("xiaomi", ["小米"]),
        ("batteries solid", ["Solid-State Batteries"]),
        ("batteries liquid", []),
        ("solidstate", ["Solid-State Batteries"]),
        ("%", []),
        ("_", []),
        (".*", []),
        ("-", []),
        ("", []),
    ],
)
def test_a_channel_is_found_by_name_and_slug_and_nothing_in_it_is_a_pattern(asked: str, names: list[str]) -> None:
    assert found(asked) == names


@given(st.text() | st.text(alphabet="\u0345\u202e\ud800\x00a \u0301", max_size=600))
def test_anything_may_be_asked(asked: str) -> None:
    tidy = question(asked)
    assert len(tidy) <= LONGEST_QUESTION
    assert question(tidy) == tidy
    tidy.encode()
    assert set(INDEX.search(asked)) <= set(CHANNELS)
