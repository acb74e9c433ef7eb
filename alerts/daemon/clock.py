"""The clock: APScheduler ticks, and a tick only asks. What is due, and who does it, stands in the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from alerts.core.errors import StorageError

_log = structlog.get_logger(__name__)

#: A late tick is still a tick (the default would drop it silently), and ten late ones are one.
_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


class Clock:
    """Calls each tick every so many seconds for as long as it runs."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(job_defaults=_DEFAULTS, timezone="UTC")

    def every(self, seconds: float, tick: Callable[[], Awaitable[None]]) -> None:
        """Call ``tick`` every ``seconds``; it must return quickly."""
        self._scheduler.add_job(_guarded, "interval", args=[tick], seconds=seconds)

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=False)


async def _guarded(tick: Callable[[], Awaitable[None]]) -> None:
    """Let a tick fail while the database is away: the next one tries again; one that the stop breaks off just ends."""
    try:
        await tick()
    except StorageError as error:
        _log.warning("tick_failed", reason=str(error))
    except asyncio.CancelledError:
        _log.debug("tick_broken_off")
