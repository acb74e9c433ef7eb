"""Parse feeds and read pages in child processes, killed when they take too long; the event loop only waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import alerts
from alerts.core.errors import FetchError
from alerts.core.feed_choice import FeedLink
from alerts.core.full_text import ReadPage
from alerts.core.model import Item
from alerts.core.websub import HubLinks
from alerts.sources.entries import ParsedFeed
from alerts.sources.parse_worker import LENGTH

TIME_LIMIT = timedelta(seconds=20)  # for one feed
MEMORY_LIMIT = 512 * 1024 * 1024  # bytes of address space of a child
CHILDREN = 2
MAX_ANSWER = 64 * 1024 * 1024  # bytes; 2,000 items of a 10 MiB feed are less
_PIECE = 256 * 1024  # bytes of a body that are handed over at a time
_FEEDS_PER_CHILD = 500  # then a new one takes over: whatever leaked is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What an answer turned out to be."""

    is_feed: bool
    reason: str | None = None  # why it is none
    links: tuple[FeedLink, ...] = ()  # the feeds that it offers as a page


class _Answer(NamedTuple):
    """What a child says: of the whole, and the items of a feed."""

    head: dict[str, Any]
    items: tuple[Item, ...]


class ParserProcess:
    """A few children, started when first needed; close it at the end.

    ``async with ParserProcess() as parser: parsed = await parser.parse(body, url=url)``
    """

    def __init__(
        self, *, children: int = CHILDREN, time_limit: timedelta = TIME_LIMIT, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self._room = asyncio.Semaphore(children)
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        """Return what the feed holds; raise FetchError when it is no feed, or is too much to read."""
        head, items = await self._ask({"url": url, "charset": charset}, body)
        ttl = head["ttl_s"]
        return ParsedFeed(
            items=items,
            ttl=None if ttl is None else timedelta(seconds=ttl),
            links=HubLinks(hub=head["hub"], topic=head["topic"]),
        )

    async def look(self, body: bytes, *, url: str, charset: str | None = None) -> Looked:
        """Say whether it is a feed, and which ones it offers if it is a page; raise FetchError if it is too much."""
        answer, _ = await self._ask({"work": "look", "url": url, "charset": charset}, body)
        links = tuple(FeedLink(**values) for values in answer["links"])
        return Looked(is_feed=answer["is_feed"], reason=answer["reason"], links=links)

    async def extract(self, body: bytes, *, url: str, charset: str | None = None) -> ReadPage:
        """Return what a page says; raise FetchError when it is no HTML, or is too much to read."""
        page, _ = await self._ask({"work": "extract", "url": url, "charset": charset}, body, what="page")
        return ReadPage(headings=tuple(page["headings"]), text=page["text"])

    async def _ask(self, job: dict[str, str | None], body: bytes, *, what: str = "feed") -> _Answer:
        """Have a child do a job within the limits; raise FetchError when it cannot."""
        answer = await self._ask_one(job, body, what=what)
        if answer is None:  # it had died before, for whatever reason: that is not this job's fault
            answer = await self._ask_one(job, body, what=what, new=True)
        if answer is None:
            raise FetchError(f"the {what} cannot be read: the process that tried died of it")
        if "error" in answer.head:
            raise FetchError(str(answer.head["error"]))
        return answer

    async def _ask_one(
        self, job: dict[str, str | None], body: bytes, *, what: str, new: bool = False
    ) -> _Answer | None:
        """Have one child do a job, a ``new`` one or any; None when it died, which may have been before it was asked.

        Raises FetchError when it takes too long, and when a child died that did nothing else before.
        """
        async with self._child(new=new) as child:
            try:
                async with asyncio.timeout(self._time_limit.total_seconds()):
                    return await child.ask(job, body)
            except TimeoutError as error:
                raise FetchError(
                    f"the {what} takes longer than {self._time_limit.total_seconds():g} s to read"
                ) from error
            except (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError) as error:
                # A pipe that is closed is a RuntimeError to uvloop.
                if child.answers:
                    return None
                raise FetchError(f"the {what} cannot be read: the process that tried died of it") from error

    async def close(self) -> None:
        """Kill every child and wait until it is gone."""
        children = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(child.kill() for child in children))

    @asynccontextmanager
    async def _child(self, *, new: bool = False) -> AsyncIterator[_Child]:
        """Lend a child; one that did not answer is never lent again."""
        async with self._room:
            child = self._idle.pop() if self._idle and not new else await self._start()
            self._busy.add(child)
            try:
                yield child
            finally:
                self._busy.discard(child)
                if child.is_ready and child.answers < _FEEDS_PER_CHILD:
                    self._idle.append(child)
                else:
                    await asyncio.shield(child.kill())

    async def _start(self) -> _Child:
        seconds = math.ceil(self._time_limit.total_seconds())
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "alerts.sources.parse_worker"),
                *(str(self._memory_limit), str(seconds + 5), str(seconds)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the parent, which tells its children
            )
        except OSError as error:
            raise FetchError(f"no process could be started to read the feed: {error.strerror}") from error
        return _Child(process)


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.is_ready = True  # False while an answer is owed
        self.answers = 0

    @property
    def waits(self) -> int:
        """How many bytes were written to it that its pipe has no room for yet."""
        stdin = self._process.stdin
        return 0 if stdin is None else stdin.transport.get_write_buffer_size()

    async def ask(self, job: dict[str, str | None], body: bytes) -> _Answer:
        """Send a job and wait for its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise EOFError
        self.is_ready = False
        head = json.dumps(job).encode()
        stdin.write(LENGTH.pack(len(head)) + head + LENGTH.pack(len(body)))
        whole = memoryview(body)
        for begin in range(0, len(body), _PIECE):  # all at once it would be copied twice, with the loop kept waiting
            stdin.write(whole[begin : begin + _PIECE])
            await stdin.drain()
        await stdin.drain()
        answer = await self._answer(stdout)
        self.is_ready = True
        self.answers += 1
        return answer

    async def _answer(self, stdout: asyncio.StreamReader) -> _Answer:
        """Read an answer item by item, with the event loop's other work between them."""
        head, room = await _frame(stdout, room=MAX_ANSWER)
        items: list[Item] = []
        for _ in range(int(head.get("items", 0))):
            values, room = await _frame(stdout, room=room)
            items.append(_item(values))
            await asyncio.sleep(0)
        return _Answer(head, tuple(items))

    async def kill(self) -> None:
        """Kill it and wait for its end, so that no zombie and no open pipe stays."""
        self.is_ready = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(OSError):
                await self._process.stdin.wait_closed()
        await self._process.wait()


def _environment() -> dict[str, str]:
    """Return what a child needs to start, and none of our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(alerts.__file__).parent.parent), "PYTHONIOENCODING": "utf-8"}


async def _frame(stdout: asyncio.StreamReader, *, room: int) -> tuple[dict[str, Any], int]:
    """Read one frame of at most ``room`` bytes; return it, and the room that is left."""
    (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
    if length > room:
        raise EOFError
    values: dict[str, Any] = json.loads(await stdout.readexactly(length))
    return values, room - length


def _item(values: dict[str, Any]) -> Item:
    published_at = values["published_at"]
    return Item(
        **{
            **values,
            "summary": tuple(values["summary"]),
            "tags": tuple(values["tags"]),
            "tickers": tuple(values["tickers"]),
            "published_at": published_at and datetime.fromisoformat(published_at),
        }
    )
