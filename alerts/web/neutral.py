"""Makes answers take the same time whatever we know: each is held until a full tenth of a second (C2)."""

from __future__ import annotations

import asyncio
import time

QUANTUM_S = 0.1


async def answer_after(started: float) -> None:
    """Wait until a multiple of the quantum has gone by since ``started``, by the monotonic clock."""
    taken = time.monotonic() - started
    await asyncio.sleep(QUANTUM_S - taken % QUANTUM_S)
