"""The clock: APScheduler ticks, and a tick only asks. What is due, and who does it, stands in the rows.

APScheduler plans its ticks by the clock on the wall. If that is set back by an hour they would not come for an hour; so
it is watched, beside one that nobody sets.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from alerts.core.errors import StorageError

_log = structlog.get_logger(__name__)

#: A late tick is still a tick (the default would drop it silently), and ten late ones are one.
_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
_LOOK_S = 0.5
_STEP_S = 2.0  # a clock that is corrected by less in a moment delays a tick by less


class Clock:
    """Calls each tick every so many seconds for as long as it runs."""

    def __init__(self, *, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """``wall`` reads the clock by which ticks are planned."""
        self._wall = wall
        self._scheduler = AsyncIOScheduler(job_defaults=_DEFAULTS, timezone="UTC")
        self._watching: asyncio.Task[None] | None = None
        self.after_step: list[Callable[[], Awaitable[None]]] = []  # called once the clock was set

    def every(self, seconds: float, tick: Callable[[], Awaitable[None]]) -> None:
        """Call ``tick`` every ``seconds``; it must return quickly."""
        self._scheduler.add_job(_guarded, "interval", args=[tick], seconds=seconds)

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch(), name="clock")

    async def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=False)
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    async def _watch(self) -> None:
        """Notice that the clock was set, and plan all ticks anew."""
        apart = self._apart()
        while True:
            await asyncio.sleep(_LOOK_S)
            before, apart = apart, self._apart()
            if abs(apart - before) < _STEP_S:
                continue
            _log.warning("clock_was_set", by_s=round(apart - before, 1))
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=self._wall())
            for call in self.after_step:
                await _guarded(call)

    def _apart(self) -> float:
        return self._wall().timestamp() - time.monotonic()


async def _guarded(tick: Callable[[], Awaitable[None]]) -> None:
    """Let a tick fail while the database is away: the next one tries again; one that the stop breaks off just ends."""
    try:
        await tick()
    except StorageError as error:
        _log.warning("tick_failed", reason=str(error))
    except asyncio.CancelledError:
        _log.debug("tick_broken_off")
