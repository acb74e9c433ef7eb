"""Reads ``aliases``: other names of one thing, each of one thing only."""

from __future__ import annotations

from alerts.config.keys import Reader
from alerts.config.model import AliasesConfig
from alerts.core.query.terms import LONGEST_TERM
from alerts.core.text import clean_line, fold

MOST_NAMES = 10_000
MOST_OTHERS = 50


def read_aliases(reader: Reader) -> tuple[AliasesConfig, ...]:
    """Read ``aliases``; a name that would mean two things, or go round in a circle, is a mistake."""
    if len(reader.names) > MOST_NAMES:
        reader.problems.note(reader.place, f"'aliases' has more than {MOST_NAMES:,} names")
        return ()
    names = _names(reader)
    given: dict[str, tuple[str, str]] = {}  # whose alias it is and where that stands, by the folded alias
    return tuple(
        AliasesConfig(name=clean_line(name), others=_others(reader, name, names, given)) for name in names.values()
    )


def _names(reader: Reader) -> dict[str, str]:
    """Return the names by what they are to a query."""
    names: dict[str, str] = {}
    for name in reader.names:
        key = fold(name)
        if (why := _wrong(name)) is not None:
            reader.note(name, f"this {why}")
        elif key in names:
            reader.note(name, f"it is the same name as {names[key]!r} at {reader.where(names[key])}")
        else:
            names[key] = name
    return names


def _others(reader: Reader, name: str, names: dict[str, str], given: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    others: dict[str, str] = {}
    texts = reader.placed_texts(name)
    if len(texts) > MOST_OTHERS:
        reader.note(name, f"it has more than {MOST_OTHERS} aliases")
    for place, text in texts[:MOST_OTHERS]:
        key = fold(text)
        if (why := _wrong(text) or _taken(reader, key, name, names, given)) is not None:
            reader.problems.note(place, f"'aliases.{name}': {text!r} {why}")
            continue
        given[key] = (name, place)
        others[key] = clean_line(text)
    return tuple(others.values())


def _wrong(text: str) -> str | None:
    """Say why a text cannot be a name, if it cannot."""
    key = fold(text)
    if not any(character.isalnum() for character in key):
        return "has no letter or digit"
    if len(key) > LONGEST_TERM:
        return f"is longer than {LONGEST_TERM} characters"
    return "ends with *; write whole names" if key.endswith("*") else None


def _taken(reader: Reader, key: str, name: str, names: dict[str, str], given: dict[str, tuple[str, str]]) -> str | None:
    """Say what else an alias is already, if it is."""
    if key == fold(name):
        return "is the name itself"
    if key in names:
        return f"is a name itself, at {reader.where(names[key])}; put all names of one thing into one list"
    if key in given:
        whose, place = given[key]
        return f"is given twice; the first is at {place}" if whose == name else f"is an alias of {whose!r} at {place}"
    return None
