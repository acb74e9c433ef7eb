"""The port: what the daemon asks of a work queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class Step(StrEnum):
    """The steps of the flow that a worker can be asked to do."""

    POLL = "poll"  # key: a source
    MATCH = "match"
    FAN_OUT = "fan_out"  # key: an article
    DELIVER = "deliver"  # key: a lane
    MAINTAIN = "maintain"
    PURGE = "purge"
    DIGEST = "digest"
    ASK_HUB = "ask_hub"  # key: a subscription at a hub


@dataclass(frozen=True, slots=True)
class Job:
    """A step to do, on a row or on whatever is due."""

    step: Step
    key: int | None = None


#: Does a job; what it raises is logged and counted, and the next tick tries again.
Handler = Callable[[Job], Awaitable[None]]
#: Asks for a job as part of a transaction.
Enlist = Callable[[AsyncConnection, Job], Awaitable[None]]


class WorkQueue(Protocol):
    """Hands each job to a handler, at least once, each (step, key) to one handler at a time."""

    async def enqueue(self, job: Job) -> None:
        """Ask for a job; asking again while it waits changes nothing."""

    async def enlist(self, tx: AsyncConnection, job: Job, *, unless_waiting: bool = False) -> None:
        """Ask for a job once a transaction of the ledger is committed, and not if it is rolled back.

        ``unless_waiting`` is for who asks again and again: asking changes nothing while the job waits.
        """

    async def start(self, handlers: Mapping[Step, Handler]) -> None:
        """Begin to hand out jobs of the steps that have a handler here."""

    async def tend(self) -> None:
        """Hand out anew what somebody was given who died; to be called now and then, by whoever schedules."""

    async def stop(self, *, grace_s: float) -> None:
        """Take no more jobs, wait for those that run, at most ``grace_s`` seconds, then cancel them."""
