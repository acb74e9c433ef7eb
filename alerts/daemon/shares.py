"""How senders share the relays: connections and rate of a relay are this whole installation's, so they are divided."""

from __future__ import annotations

import os
from dataclasses import replace

from alerts.config import Config
from alerts.config.model import Relay


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares(config: Config, wanted: int) -> list[Config]:
    """Divide the relays among ``wanted`` senders, or fewer: each has a connection at least, all have what is there.

    What does not divide evenly goes round, so that every connection of the config is somebody's.
    """
    count = min(wanted, sum(relay.connections for relay in config.mail.relays))
    given: list[list[Relay]] = [[] for _ in range(count)]
    turn = 0
    for relay in config.mail.relays:
        each, over = divmod(relay.connections, count)
        for number in range(count):
            connections = each + ((number - turn) % count < over)
            if connections:
                rate = relay.rate * connections / relay.connections if relay.rate else relay.rate
                given[number].append(replace(relay, connections=connections, rate=rate))
        turn = (turn + over) % count
    return [replace(config, mail=replace(config.mail, relays=tuple(relays))) for relays in given]
