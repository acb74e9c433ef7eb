"""Hear from the file system that something in a folder moved; only a hint that makes the next look come sooner.

Polling is the truth: on a network share no event ever comes, and here that is no fault. So nothing in this module
raises, and a folder that is missing, taken away or put back is simply watched again when it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import structlog
from watchfiles import awatch

_log = structlog.get_logger(__name__)

Poke = Callable[[], Awaitable[object]]

_SETTLE_MS = 50  # events that come together make one poke
_LOOK_S = 1.0  # how often to look whether the folders are still the same ones
_REST_S = 30.0  # after a fault, such as a system that is out of watches


async def watch_folders(watched: Callable[[], Collection[Path]], poke: Poke) -> None:
    """Call ``poke`` soon after something changes in one of the folders that ``watched`` names; runs until cancelled."""
    tasks: dict[Path, asyncio.Task[None]] = {}
    try:
        while True:
            folders = set(watched())
            for folder in tasks.keys() - folders:
                tasks.pop(folder).cancel()
            for folder in folders - tasks.keys():
                tasks[folder] = asyncio.create_task(watch_folder(folder, poke), name=f"watch {folder.name}")
            await asyncio.sleep(_LOOK_S)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def watch_folder(folder: Path, poke: Poke) -> None:
    """Call ``poke`` soon after something changes in ``folder``, whether it is there or not; runs until cancelled."""
    while True:
        before = await asyncio.to_thread(_identity, folder)
        if before is None:
            await asyncio.sleep(_LOOK_S)
            continue
        await _poke(poke)  # what came before the watch began
        await _watch_while_it_stays(folder, before, poke)


async def _watch_while_it_stays(folder: Path, identity: tuple[int, int], poke: Poke) -> None:
    """Watch until the folder is another one, or none."""
    try:
        events = awatch(
            folder,
            watch_filter=None,
            debounce=2 * _SETTLE_MS,
            step=_SETTLE_MS,
            rust_timeout=int(_LOOK_S * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        async with contextlib.aclosing(events):
            async for changes in events:
                if changes:
                    await _poke(poke)
                if await asyncio.to_thread(_identity, folder) != identity:
                    await _poke(poke)
                    return
    except Exception as error:  # noqa: BLE001 - a hint that fails must take nothing with it
        _log.warning("folder_not_watched", folder=str(folder), error=str(error) or type(error).__name__)
        await asyncio.sleep(_REST_S if folder_is_there(folder) else _LOOK_S)


def folder_is_there(folder: Path) -> bool:
    """Say whether there is a folder to watch."""
    return _identity(folder) is not None


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one put in its place; None when there is none."""
    try:
        status = folder.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None


async def _poke(poke: Poke) -> None:
    try:
        await poke()
    except Exception as error:  # noqa: BLE001 - likewise
        _log.warning("poke_failed", error=str(error) or type(error).__name__)
