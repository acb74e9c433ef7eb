"""What the main process and a sender say to each other: a config and pokes down a pipe, counts up another.

The pipe that closes is the message that counts most: the main process is gone. Nothing of it goes through a file, so
a password never touches the disk, and every sender works by the config that the main process holds to be in force.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import struct
import sys
from collections.abc import Callable
from dataclasses import asdict

from alerts.config import Config
from alerts.services.deliver import Delivered

POKE = b"\n"
_LENGTH = struct.Struct(">I")


def introduced(config: Config, node: str) -> bytes:
    """Write the first message to a sender: the config with its share of the relays, and its node's name."""
    document = pickle.dumps((config, node))
    return _LENGTH.pack(len(document)) + document


def counted(done: Delivered) -> bytes:
    """Write what one run of delivering did, as a line."""
    return json.dumps(asdict(done)).encode() + b"\n"


def read_count(line: bytes) -> Delivered:
    """Read that line; ValueError or TypeError for what is none."""
    return Delivered(**json.loads(line))


class Control:
    """A sender's end: reads its standard input, writes its standard output."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._closed = False

    @classmethod
    async def open(cls) -> Control:
        """Take over standard input."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        return cls(reader)

    async def introduction(self) -> tuple[Config, str] | None:
        """Wait for the config and the node's name; None when the main process went before it gave them."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            said: tuple[Config, str] = pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - from our own parent
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return said

    async def listen(self, *, poked: Callable[[], None], gone: Callable[[], None]) -> None:
        """Call ``poked`` at every poke until the main process is gone; then call ``gone``."""
        try:
            while await self._reader.read(4096):
                poked()
        except ConnectionError:
            pass
        gone()

    def tell(self, done: Delivered) -> None:
        """Tell the main process what a run did; nobody may be there to hear it."""
        if self._closed:
            return
        try:
            sys.stdout.buffer.write(counted(done))
            sys.stdout.buffer.flush()
        except OSError:
            self._closed = True
