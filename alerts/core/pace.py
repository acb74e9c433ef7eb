"""How fast a relay may be fed: a token bucket. Decides only; who asks does the waiting."""

from __future__ import annotations

from dataclasses import dataclass, field

_BURST_S = 0.1  # so much of a second's tokens may be saved up; one is always enough to begin


@dataclass(slots=True)
class TokenBucket:
    """``rate`` tokens a second; times are seconds of a clock that never goes back.

    In any stretch of ``t`` seconds it gives at most ``rate * t + burst`` tokens.
    """

    rate: float
    _tokens: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    @property
    def burst(self) -> float:
        """How many tokens it holds at most."""
        return max(1.0, self.rate * _BURST_S)

    def pause(self, now: float) -> float:
        """Say how many seconds are left until there is a token; 0 means now."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def spend(self, now: float) -> bool:
        """Take a token; False when there is none."""
        if self.pause(now) > 0:
            return False
        self._tokens -= 1.0
        return True

    def _fill(self, now: float) -> None:
        if self._at is None or now > self._at:
            gained = 0.0 if self._at is None else (now - self._at) * self.rate
            self._tokens = min(self.burst, self._tokens + gained)
            self._at = now
        if 1.0 - self._tokens < 1e-9:  # noqa: PLR2004 - what floating point loses must not cost another wait
            self._tokens = max(1.0, self._tokens)
