"""Room for large answers: only so many are held at a time, so that a hundred polls need no gigabytes. Counts no bytes.

Most answers are small or empty and never ask for a place. A large one takes its place when it turns out to be one, and
keeps it until what was made of it is stored.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Self

from alerts.core.errors import FetchError

LARGE = 256 * 1024  # bytes from which an answer needs a place; a hundred below it are 25 MiB
PLACES = 6  # answers of at most 10 MiB, each beside the items that were read from it
PATIENCE = timedelta(minutes=2)  # well below a poll's lease


class Room:
    """So many places, for all polls of a process."""

    def __init__(self, places: int = PLACES, *, patience: timedelta = PATIENCE) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience

    def seat(self) -> Seat:
        """Give what one poll takes its place with: ``with room.seat() as seat: … await seat.take()``."""
        return Seat(self._places, self._patience)


class Seat:
    """A place for one poll's answer, if it needs one; it is given back with the end of the block."""

    def __init__(self, places: asyncio.Semaphore, patience: timedelta) -> None:
        self._places = places
        self._patience = patience
        self._is_taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._is_taken:
            self._is_taken = False
            self._places.release()

    async def take(self) -> None:
        """Wait for a place, once; raise FetchError when none becomes free."""
        if self._is_taken:
            return
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._places.acquire()
        except TimeoutError as error:
            raise FetchError("too many large answers came at once; it is asked again later") from error
        self._is_taken = True
