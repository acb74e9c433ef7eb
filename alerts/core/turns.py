"""Whose turn it is: letters in the order claimed, but for those whose domain has enough under way. Decides only.

A letter that must wait steps aside into its domain's own line and comes back as soon as there is room, before those
that were claimed after it. Lines are bounded: what does not fit, or is for a domain that takes nothing now, is put
off: it goes back to the ledger as it was, due later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from alerts.core.deliveries import Result
from alerts.core.domains import BreakerState, Change, Domain, Domains

T = TypeVar("T")

MOST_WAITING = 4_096  # letters of all domains that wait in memory
MOST_LINES = 10_000  # domains that one run keeps apart; then those with nothing to do are forgotten
LEAST_A_LINE = 64  # letters of one domain that may wait in memory, however slow it is
_SLOT = timedelta(seconds=10)  # a line is as long as its domain takes in so much time; the next ones come back then …
_FURTHEST = timedelta(minutes=5)  # … and at the latest then: the domain may have recovered


@dataclass(slots=True, eq=False)
class Line(Generic[T]):
    """What one domain has in one run: letters under way, letters that wait for room."""

    domain: Domain
    under_way: int = 0
    waiting: deque[T] = field(default_factory=deque)
    _slot: datetime | None = None
    _in_slot: int = 0

    def length(self, connections: int) -> int:
        """Say how many letters may wait in it."""
        return max(LEAST_A_LINE, self.domain.worth(_SLOT, connections))

    def back_at(self, now: datetime, length: int) -> datetime:
        """Say when a letter that does not fit may come back, so that they do not all come at once."""
        soonest = now + _SLOT
        if self._slot is None or self._slot < soonest:
            self._slot, self._in_slot = soonest, 0
        elif self._in_slot >= length:
            self._slot, self._in_slot = min(self._slot + _SLOT, now + _FURTHEST), 0
        self._in_slot += 1
        return self._slot


class Turns(Generic[T]):
    """The claimed letters of one run; every letter that ``next`` gives must come to ``done``."""

    def __init__(self, domains: Domains, *, connections: int) -> None:
        self._domains = domains
        self._connections = connections
        self._ready: deque[tuple[T, Line[T]]] = deque()
        self._lines: dict[str, Line[T]] = {}
        self.late: list[tuple[T, datetime]] = []
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, letters: Iterable[tuple[T, str]], *, first: bool = False) -> None:
        """Take letters in, each with its recipient's domain; ``first``: before those that are here already."""
        if len(self._lines) > MOST_LINES:
            self._forget()
        placed = [(letter, self._line(name)) for letter, name in letters]
        if first:
            self._ready.extendleft(reversed(placed))
        else:
            self._ready.extend(placed)

    def next(self, now: datetime) -> tuple[T, Line[T]] | None:
        """Give the next letter that may go now, and count it as under way."""
        while self._ready:
            letter, line = self._ready.popleft()
            closed_until = line.domain.closed_until(now)
            if closed_until is not None:
                self.late.append((letter, closed_until))
            elif line.under_way < line.domain.limit(self._connections):
                line.under_way += 1
                return letter, line
            elif self._waiting < MOST_WAITING and len(line.waiting) < line.length(self._connections):
                line.waiting.append(letter)
                self._waiting += 1
            else:
                self.late.append((letter, line.back_at(now, line.length(self._connections))))
        return None

    def back(self, letter: T, line: Line[T]) -> None:
        """Take a letter back that ``next`` gave, as if it had not been its turn yet."""
        line.under_way -= 1
        self._ready.appendleft((letter, line))

    def put_off(self) -> list[tuple[T, datetime]]:
        """Hand over the letters that go back to the ledger, each with when it is due again."""
        letters, self.late = self.late, []
        return letters

    def done(self, line: Line[T], result: Result | None, *, now: datetime, took_s: float) -> Change:
        """Learn from what became of a letter (None: it never went), and let those go that have room now."""
        change = Change.NONE
        if result is not None:
            change = line.domain.learn(result, now=now, took_s=took_s, under_way=line.under_way)
            if change is not Change.NONE:
                self._domains.changed(line.domain)
        line.under_way -= 1
        if line.waiting:
            self._resume(line)
        return change

    def _line(self, name: str) -> Line[T]:
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = Line(self._domains[name])
        return line

    def _forget(self) -> None:
        """Let go of the lines that nothing stands in."""
        busy = {id(line) for _, line in self._ready}
        self._lines = {
            name: line for name, line in self._lines.items() if line.under_way or line.waiting or id(line) in busy
        }

    def _resume(self, line: Line[T]) -> None:
        """Put letters back in front, in their order: as many as have room, all if they are only to be put off."""
        shut = line.domain.state is BreakerState.OPEN
        room = len(line.waiting) if shut else line.domain.limit(self._connections) - line.under_way
        back = [line.waiting.popleft() for _ in range(min(room, len(line.waiting)))]
        self._waiting -= len(back)
        self._ready.extendleft((letter, line) for letter in reversed(back))
