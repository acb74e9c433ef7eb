"""Every mistake of a configuration, gathered, so that all are told at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from textwrap import indent

from alerts.core.errors import ConfigError

MOST_SHOWN = 50
LONGEST = 300  # characters of one mistake

_PLACE = re.compile(r"(?P<name>.+?):(?P<line>\d+)(?::(?P<column>\d+))?", re.ASCII | re.DOTALL)


class Problems:
    """A list of mistakes, each with its place."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str, str]] = []

    def note(self, place: str, what: str, *, picture: str = "") -> None:
        """Remember a mistake, once; ``picture`` shows the text that is wrong, with a caret."""
        what = what if len(what) <= LONGEST else f"{what[:LONGEST]} …"
        if (place, what, picture) not in self._found[-100:]:
            self._found.append((place, what, picture))

    def refuse(self) -> None:
        """Raise ConfigError with every mistake, in the order of the file; do nothing when there is none."""
        if not self._found:
            return
        found = sorted(self._found, key=lambda found: _order(found[0]))
        lines = [f"{place}: {what}" for place, what, _ in found[:MOST_SHOWN]]
        drawn = [f"{line}\n{indent(it[2], '    ')}" if it[2] else line for line, it in zip(lines, found, strict=False)]
        more = [f"… and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
        raise ConfigError("\n".join(lines + more), drawn="\n".join(drawn + more))

    def __bool__(self) -> bool:
        return bool(self._found)


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` most looks like, if any does."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold()[:100], by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean …?`` or, where nothing is close, the words that there are when they are few."""
    names = list(known)
    close = meant(word, names)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 20 else ""  # noqa: PLR2004 - a line's worth


def _order(place: str) -> tuple[str, int, int]:
    found = _PLACE.fullmatch(place)
    return (found["name"], int(found["line"]), int(found["column"] or 0)) if found else (place, 0, 0)
