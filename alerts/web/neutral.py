"""Makes answers take the same time whatever we know of an address: each waits for a full tenth of a second (C2).

Why so, and why it is enough: ``docs/decisions/0038-neutral-answers.md``.
"""

from __future__ import annotations

import asyncio
import time

QUANTUM_S = 0.1  # what differs, a few rows to write, takes some hundredths of that at most


async def answer_after(started: float) -> None:
    """Wait until a multiple of the quantum has gone by since ``started``, by the monotonic clock."""
    taken = time.monotonic() - started
    await asyncio.sleep(QUANTUM_S - taken % QUANTUM_S)
