"""How we treat each recipient domain: how many mails at once, and not at all while it refuses us. Decides only.

    closed ──▶ open      five refusals in a row that are our fault (5.7.x …), or slow-downs (421, 4.7.x)
      ▲  ▲      │
      │  └──────┤ a mail under way since before is taken after all
      │         ▼ its rest is over
      └──── probing      one mail at a time until one is taken; refused again, it opens for twice as long

Nobody pays for an open breaker: its mails go back as they were, due when the domain is probed next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.core.deliveries import Fault, Reply, Result, Stage, Untried, Verdict, verdict

FIRST_WINDOW = 4  # mails at once to a domain that we know nothing of: few enough that a refusal hits few
REFUSALS = 5  # in a row open the breaker
SLOW_S = 3.0  # a mail that takes longer makes its domain a slow one: it must leave connections to the others
_CEILING = 1_024.0  # more than any relay has connections
_RESTS = {True: timedelta(minutes=5), False: timedelta(seconds=15)}  # our fault: somebody must act; slow-downs pass
_LONGEST_REST = timedelta(hours=1)
_MOST_KNOWN = 20_000  # domains remembered; then all are forgotten but those whose breaker is not closed


class BreakerState(StrEnum):
    """Whether mails go to a domain."""

    CLOSED = "closed"  # yes
    OPEN = "open"  # no: it refuses us
    PROBING = "probing"  # one at a time, to see whether it takes us again


class Sign(StrEnum):
    """What a result says about the recipient's domain."""

    TAKEN = "taken"  # it takes our mail
    REFUSES_US = "refuses us"  # whoever the recipient is
    SLOW_DOWN = "slow down"  # too much at once
    NOTHING = "nothing"  # it is about this recipient, the relay, or us


class Change(StrEnum):
    """What a result did to a breaker."""

    NONE = "none"
    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker that is not closed, as the operator and other processes see it."""

    domain: str
    state: BreakerState
    reason: str
    opened_at: datetime
    probe_at: datetime
    times: int  # opened in a row without a success


def sign(result: Result) -> Sign:
    """Say what a result means for the domain; total."""
    if not isinstance(result, Reply):
        return Sign.NOTHING
    said = verdict(result)
    if said is Verdict.TAKEN:
        return Sign.TAKEN
    if said is Verdict.OURS:
        return Sign.REFUSES_US
    throttled = result.code == 421 or (result.enhanced or "").startswith("4.7.")  # noqa: PLR2004 - RFC 5321
    return Sign.SLOW_DOWN if throttled and result.stage is not Stage.MAIL else Sign.NOTHING


@dataclass(slots=True, kw_only=True)
class Domain:
    """One recipient domain as this process knows it."""

    name: str
    state: BreakerState = BreakerState.CLOSED
    slow: bool = False
    _usual_s: float = 0.02  # how long a mail takes, lately
    _window: float = FIRST_WINDOW
    _threshold: float = _CEILING  # below it the window doubles in a round, above it grows by one
    _refusals: int = 0
    _times: int = 0
    _reason: str = ""
    _opened_at: datetime | None = None
    _probe_at: datetime | None = None

    def limit(self, at_most: int) -> int:
        """Say how many mails may be under way; a slow domain, and one just met, get half of ``at_most`` connections."""
        if self.state is BreakerState.PROBING:
            return 1
        window = int(self._window)
        if self.slow or self._window <= FIRST_WINDOW:
            return max(1, min(window, at_most // 2))
        return window

    def worth(self, time: timedelta, at_most: int) -> int:
        """Say how many mails it may take in so much time, going by the last ones."""
        return int(self.limit(at_most) * time.total_seconds() / max(self._usual_s, 0.001))

    def closed_until(self, now: datetime) -> datetime | None:
        """Say when the domain is probed next if nothing goes to it now; once that has come, it is probed."""
        if self.state is not BreakerState.OPEN or self._probe_at is None:
            return None
        if timedelta() < self._probe_at - now <= _LONGEST_REST:  # more is left only where the clock was set back
            return self._probe_at
        self.state = BreakerState.PROBING
        return None

    def learn(self, result: Result, *, now: datetime, took_s: float, under_way: int) -> Change:
        """Draw what a result says; ``under_way`` counts this mail in."""
        told = sign(result)
        if not isinstance(result, Untried | Fault):
            self.slow = took_s > SLOW_S
            self._usual_s += (took_s - self._usual_s) / 4
        if told is Sign.NOTHING:
            return Change.NONE
        if told is Sign.TAKEN:
            return self._taken()
        self._threshold = max(1.0, min(self._window, float(under_way)) / 2)
        self._window = self._threshold
        self._refusals += 1
        if self.state is BreakerState.OPEN or (self.state is BreakerState.CLOSED and self._refusals < REFUSALS):
            return Change.NONE
        self._open(str(result), now=now, ours=told is Sign.REFUSES_US)
        return Change.OPENED

    def breaker(self) -> Breaker | None:
        """Show the breaker; None while it is closed."""
        if self.state is BreakerState.CLOSED or self._opened_at is None or self._probe_at is None:
            return None
        return Breaker(
            domain=self.name,
            state=self.state,
            reason=self._reason,
            opened_at=self._opened_at,
            probe_at=self._probe_at,
            times=self._times,
        )

    def adopt(self, other: Breaker | None) -> None:
        """Agree with what another process, or this one before it ended, found out."""
        if other is None:
            self._close()
        elif self._probe_at is None or self._probe_at < other.probe_at:
            self.state = BreakerState.OPEN
            self._reason, self._times = other.reason, other.times
            self._opened_at, self._probe_at = other.opened_at, other.probe_at

    def _taken(self) -> Change:
        self._refusals = 0
        if not self.slow and self._window < _CEILING:
            self._window += 1.0 if self._window < self._threshold else 1.0 / self._window
        if self.state is BreakerState.CLOSED:
            return Change.NONE
        self._close()
        return Change.CLOSED

    def _open(self, reason: str, *, now: datetime, ours: bool) -> None:
        if self.state is BreakerState.CLOSED or self._opened_at is None:
            self._opened_at = now
        rest = min(_RESTS[ours] * 2 ** min(self._times, 10), _LONGEST_REST)
        self.state, self._reason, self._probe_at = BreakerState.OPEN, reason, now + rest
        self._times += 1

    def _close(self) -> None:
        self.state, self._reason, self._times, self._refusals = BreakerState.CLOSED, "", 0, 0
        self._opened_at = self._probe_at = None
        self._window, self._threshold = FIRST_WINDOW, _CEILING


@dataclass(slots=True)
class Domains:
    """All domains that this process has met; bounded, and kept from one run of delivering to the next."""

    most: int = _MOST_KNOWN
    _known: dict[str, Domain] = field(default_factory=dict)
    _shut: set[str] = field(default_factory=set)  # whose breaker is not closed
    _untold: set[str] = field(default_factory=set)
    tellings: int = 0  # how often the ledger was told: a view of it from before must not be agreed with

    def __getitem__(self, name: str) -> Domain:
        """Find a domain, or meet it."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= self.most:
                self._known = {name: self._known[name] for name in self._shut}
            found = self._known[name] = Domain(name=name)
        return found

    def changed(self, domain: Domain) -> None:
        """Remember that a breaker changed and the ledger does not know yet."""
        self._keep(domain)
        self._untold.add(domain.name)

    def untold(self) -> dict[str, Breaker | None]:
        """Give the breakers that the ledger does not know yet, as they are now; None: closed."""
        return {name: self[name].breaker() for name in self._untold}

    def told(self, breakers: Mapping[str, Breaker | None]) -> None:
        """Forget what the ledger knows by now; what changed meanwhile is still to tell."""
        self.tellings += bool(breakers)
        self._untold -= {name for name, breaker in breakers.items() if self[name].breaker() == breaker}

    def agree(self, breakers: Mapping[str, Breaker]) -> None:
        """Take over what the ledger knows: breakers that others opened, and closed."""
        for name in (breakers.keys() | self._shut) - self._untold:
            self[name].adopt(breakers.get(name))
            self._keep(self[name])

    def _keep(self, domain: Domain) -> None:
        self._known[domain.name] = domain
        if domain.state is BreakerState.CLOSED:
            self._shut.discard(domain.name)
        else:
            self._shut.add(domain.name)
