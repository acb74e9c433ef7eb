"""How long we wait for an SMTP server, at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds; RFC 5321 4.5.3.2 allows more, but a relay that stalls so long holds a connection for nothing."""

    connect_s: float = 30
    command_s: float = 60
    body_s: float = 300
    quit_s: float = 5
