"""Who has said nothing new for long, by the clock of whoever listens; nobody's clock is held against another's.

What somebody says is only held against what they said before. So neither a clock that is set, nor two machines whose
clocks differ, make anybody silent who is not.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)


class Silence(Generic[Who]):
    """What one listener remembers of those it listens to."""

    def __init__(self, patience_s: float) -> None:
        """``patience_s``: whoever said nothing new for so many seconds is silent."""
        self._patience_s = patience_s
        self._heard: dict[Who, tuple[object, float]] = {}  # what each said last, and since when that is so

    def hear(self, said: Mapping[Who, object], *, at_s: float) -> set[Who]:
        """Take what everybody says now, and return who is silent; who is not there any more is forgotten.

        ``at_s`` is by a clock that never goes back. Whoever is met for the first time is not silent yet.
        """
        before = self._heard
        self._heard = {
            who: before[who] if who in before and before[who][0] == what else (what, at_s) for who, what in said.items()
        }
        return {who for who, (_, since_s) in self._heard.items() if at_s - since_s >= self._patience_s}
