"""What we may know of a person beside the address: each value tidied, or refused in plain words."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from difflib import get_close_matches
from unicodedata import normalize as unicode_normalize

from alerts.core.addresses import Address
from alerts.core.errors import InputError
from alerts.core.language import declared_language
from alerts.core.model import Frequency

LONGEST_NAME = 200  # characters
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks for alerts, or on whose behalf somebody does; None where nothing was said."""

    address: Address
    name: str | None = None
    language: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A person and how often they want to hear; None leaves that as it is."""

    person: Person
    frequency: Frequency | None = None


def describe(
    address: Address,
    *,
    name: str | None = None,
    language: str | None = None,
    time_zone: str | None = None,
    known_zones: Container[str] = (),
) -> Person:
    """Tidy what was said about a person; raise InputError naming the value that cannot be meant.

    ``known_zones`` are the names of the time-zone database: the core has none of its own.
    """
    return Person(
        address=address,
        name=read_name(name),
        language=_read_language(language),
        time_zone=_read_time_zone(time_zone, known_zones),
    )


def read_name(name: str | None) -> str | None:
    """Tidy a person's name: one line of visible characters; None when it is blank."""
    name = unicode_normalize("NFC", " ".join((name or "").split()))
    if len(name) > LONGEST_NAME:
        raise InputError(f"the name is too long: {len(name)} characters, at most {LONGEST_NAME} fit")
    if not all(character.isprintable() or character in "\u200c\u200d" for character in name):
        raise InputError(f"the name {_shown(name)} holds control characters")  # joiners are letters' glue, not control
    return name or None


def read_frequency(text: str | None) -> Frequency | None:
    """Read ``immediate``, ``daily`` or ``weekly``; None when nothing is said."""
    wanted = (text or "").strip().lower()
    if not wanted:
        return None
    if wanted not in set(Frequency):
        raise InputError(
            f"the frequency {_shown(wanted)} is not known{did_you_mean(wanted, list(Frequency))} "
            f"Write {', '.join(Frequency)}."
        )
    return Frequency(wanted)


def did_you_mean(text: str, known: list[str]) -> str:
    """Finish the sentence with what was perhaps meant: `; did you mean “daily”?`, or a full stop."""
    by_folded = {one.casefold(): one for one in known}
    meant = get_close_matches(text[:LONGEST_NAME].casefold(), by_folded, n=1)
    return f"; did you mean “{by_folded[meant[0]]}”?" if meant else "."


def _read_language(text: str | None) -> str | None:
    wanted = (text or "").strip()
    if not wanted:
        return None
    language = declared_language(wanted)
    if language is None:
        raise InputError(f"the language {_shown(wanted)} is not a language tag such as en or pt-BR")
    return language


def _read_time_zone(text: str | None, known_zones: Container[str]) -> str | None:
    wanted = (text or "").strip()
    if not wanted:
        return None
    if wanted not in known_zones:
        raise InputError(f"the time zone {_shown(wanted)} is not known: write a name such as Europe/Berlin or UTC")
    return wanted


def _shown(text: str) -> str:
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return f"“{text}”" if text.isprintable() else ascii(text)
