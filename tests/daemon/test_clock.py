"""The clock ticks on when the one on the wall is set; the scheduler is the real one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from alerts.core.errors import DatabaseUnavailableError
from alerts.daemon.clock import Clock


async def test_a_tick_that_a_clock_set_back_would_keep_away_for_an_hour_comes_at_once() -> None:
    ahead, ticks, told = timedelta(), asyncio.Event(), asyncio.Event()

    async def tick() -> None:
        ticks.set()

    async def after() -> None:
        told.set()
        raise DatabaseUnavailableError("away")

    clock = Clock(wall=lambda: datetime.now(UTC) + ahead)
    clock.every(3600, tick)
    clock.after_step.append(after)
    clock.start()
    try:
        await asyncio.sleep(0.6)
        assert not told.is_set()
        ahead = -timedelta(hours=1)
        async with asyncio.timeout(10):
            await told.wait()
            await ticks.wait()
        told.clear()
        ahead += timedelta(seconds=1)  # a clock that is put right a little is nothing to speak of
        await asyncio.sleep(0.8)
        assert not told.is_set()
    finally:
        await clock.stop()
