"""One main process to an SQLite file: a second stands by, says so, and takes over the moment the first has ended.

On PostgreSQL main processes on several machines share the work, by claims; there nothing is held here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from alerts.storage import sqlite

try:
    import fcntl
except ImportError:  # Windows: there the web site's address in use tells the second
    fcntl = None  # type: ignore[assignment]

_log = structlog.get_logger(__name__)

_LOOK_S = 0.5


@contextlib.asynccontextmanager
async def alone(database: str, stop: asyncio.Event) -> AsyncIterator[bool]:
    """Hold the ledger for this main process; False when ``stop`` came while another held it.

    The lock lies on a file of its own (closing any descriptor of the ledger would drop SQLite's own locks), belongs
    to the process, and so ends with it however it ends; the file stays, and says nothing by being there.
    """
    if fcntl is None or not database.startswith("sqlite:"):
        yield True
        return
    path = sqlite.path_of(database)
    lock = _open(path.with_name(path.name + ".lock"))
    try:
        yield await _wait_for(lock, path, stop)
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise sqlite.unavailable(path, error) from error


async def _wait_for(lock: int, path: Path, stop: asyncio.Event) -> bool:
    told = False
    while not _taken(lock):
        if not told:
            _log.warning(
                "standing_by", database=str(path), reason="another `alerts run` has it; taking over when it ends"
            )
            told = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()
        if stop.is_set():
            return False
    if told:
        _log.info("taking_over", database=str(path))
    return True


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks: the claims alone keep mails from going out twice
        _log.warning("ledger_not_locked", reason=error.strerror or str(error))
    return True
