"""Sending without end: nothing ends it but the stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from alerts.core.errors import DatabaseUnavailableError
from alerts.daemon.outbox import Outbox
from alerts.daemon.sending import GRACE_S, Sending
from alerts.services.deliver import Delivered


class Hand:
    """Stands for an outbox: does with each run what it is told."""

    def __init__(self, *runs: Callable[[], Delivered]) -> None:
        self._runs = list(runs)
        self.looked = 0

    async def something_to_send(self) -> bool:
        self.looked += 1
        return bool(self._runs)

    async def send_due(self) -> Delivered:
        return self._runs.pop(0)()


def fail(error: Exception) -> Callable[[], Delivered]:
    def run() -> Delivered:
        raise error

    return run


async def test_a_run_that_fails_for_whatever_reason_is_not_the_last() -> None:
    hand = Hand(
        fail(ExceptionGroup("unhandled errors in a TaskGroup", [ZeroDivisionError()])),
        fail(DatabaseUnavailableError("away")),
        lambda: Delivered(sent=3),
    )
    told: list[Delivered] = []
    stop = asyncio.Event()
    sending = Sending(cast("Outbox", hand), stop=stop, tell=told.append)
    running = asyncio.create_task(sending.run())
    async with asyncio.timeout(10):
        while not told:
            sending.look()
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert told == [Delivered(sent=3)]


async def test_a_stop_waits_for_the_run_that_goes_on_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stop = asyncio.Event(), asyncio.Event()

    class Slow(Hand):
        async def send_due(self) -> Delivered:
            begun.set()
            await asyncio.Event().wait()
            return Delivered()

    assert GRACE_S < 28
    monkeypatch.setattr("alerts.daemon.sending.GRACE_S", 0.1)
    sending = Sending(cast("Outbox", Slow(Delivered)), stop=stop, tell=lambda _done: None)
    running = asyncio.create_task(sending.run())
    async with asyncio.timeout(10):
        await begun.wait()
        stop.set()
        await running
