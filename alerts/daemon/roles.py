"""Roles: what a node does. Every node does everything, unless it is told to do some of it only."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from alerts.core.errors import ConfigError
from alerts.core.people import did_you_mean
from alerts.queue import Step


class Role(StrEnum):
    """A part of the work that a node may take."""

    WEB = "web"  # the readers' site
    SCHEDULE = "schedule"  # says what is due; one node at a time, the others stand by
    POLL = "poll"  # asks sources, matches articles, writes down who is owed a mail
    SEND = "send"  # hands mails to the relays


EVERYTHING = frozenset(Role)
STEPS = {
    Role.WEB: frozenset[Step](),
    Role.SCHEDULE: frozenset({Step.MAINTAIN, Step.PURGE}),
    Role.POLL: frozenset({Step.POLL, Step.MATCH, Step.FAN_OUT, Step.DIGEST, Step.ASK_HUB}),
    Role.SEND: frozenset({Step.DELIVER}),
}


def read_roles(named: Sequence[str]) -> frozenset[Role]:
    """Read the roles of the command line, each by itself or several with commas; none named: everything.

    Raises ConfigError for a role that there is not.
    """
    names = [name.strip() for part in named for name in part.split(",") if name.strip()]
    for name in names:
        if name not in set(Role):
            raise ConfigError(f"there is no role “{name}”{did_you_mean(name, list(Role))} Known: {', '.join(Role)}.")
    return frozenset(map(Role, names)) or EVERYTHING


def steps_of(roles: frozenset[Role]) -> frozenset[Step]:
    """Name the steps that belong to some roles."""
    return frozenset().union(*(STEPS[role] for role in roles))
