"""What is said about a person: tidied, or refused in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.addresses import normalise
from alerts.core.errors import InputError
from alerts.core.model import Frequency
from alerts.core.people import Person, describe, did_you_mean, read_frequency, read_name

ALICE = normalise("alice@example.com")
ZONES = frozenset({"UTC", "Europe/Berlin"})


def test_a_person_is_described_tidily() -> None:
    person = describe(
        ALICE, name="  Alice \n Li\u0301u ", language="pt_br", time_zone=" Europe/Berlin ", known_zones=ZONES
    )
    assert person == Person(address=ALICE, name="Alice L\u00edu", language="pt-BR", time_zone="Europe/Berlin")


def test_what_is_blank_is_not_known() -> None:
    assert describe(ALICE, name=" ", language="", time_zone="\t", known_zones=ZONES) == Person(address=ALICE)
    assert describe(ALICE, known_zones=ZONES) == Person(address=ALICE)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"name": "x" * 201}, "201 characters"),
        ({"name": "Ali\0ce"}, "control characters"),
        ({"name": "Ali\u202ece"}, "control characters"),
        ({"name": "\ud800"}, "control characters"),
        ({"name": "\x07" + "x" * 100}, "u2026.*control characters"),
        ({"language": "klingonish"}, "“klingonish” is not a language tag"),
        ({"time_zone": "Mars/Olympus"}, "“Mars/Olympus” is not known"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        describe(ALICE, known_zones=ZONES, **said)
    assert str(refused.value).isprintable() or "\\" in str(refused.value)


@pytest.mark.parametrize("name", ["=HYPERLINK(0)", "O’Neil", "محمد", "नि\u200dक", "李", "Åsa 🦊"])
def test_a_name_is_any_visible_text(name: str) -> None:
    assert read_name(name) == name


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = read_name(text)
    except InputError:
        return
    assert name is None or (name == read_name(name) and "\n" not in name)


@pytest.mark.parametrize(
    ("text", "frequency"),
    [
        (None, None),
        ("  ", None),
        ("immediate", Frequency.IMMEDIATE),
        (" Daily", Frequency.DAILY),
        ("WEEKLY", Frequency.WEEKLY),
    ],
)
def test_a_frequency_is_read(text: str | None, frequency: Frequency | None) -> None:
    assert read_frequency(text) == frequency


@pytest.mark.parametrize(("text", "reason"), [("dayly", "did you mean “daily”"), ("yearly!", "known"), ("x\0", "x")])
def test_an_unknown_frequency_is_refused_with_those_there_are(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        read_frequency(text)
    assert "immediate, daily, weekly" in str(refused.value)


def test_a_suggestion_is_made_whatever_the_case() -> None:
    assert did_you_mean("XIAOMY", ["tesla", "Xiaomi"]) == "; did you mean “Xiaomi”?"
    assert did_you_mean("zzz", ["tesla", "Xiaomi"]) == "."
