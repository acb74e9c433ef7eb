"""`alerts send-worker`: one of the processes that `alerts run` starts; nobody else has a use for it."""

from __future__ import annotations

import asyncio

from alerts.cli.context import event_loop_factory
from alerts.daemon.sender import run_sender


def send_worker() -> None:
    """Send as one of the processes that `alerts run` starts; it takes its config from there, and ends with it."""
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        runner.run(run_sender())
