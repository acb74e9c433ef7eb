"""Read the pages behind items' links: politely, within a time in all, and without holding up a feed.

One page of a host at a time: a host has room for two requests, and the other one is left to its feeds. Pages are read
in children of their own, so that those that are hard to read are waited for by nobody but other pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from alerts.core.errors import FetchError, RefusedTargetError
from alerts.core.full_text import ReadPage, why_not
from alerts.core.hosts import host_of
from alerts.core.model import Item
from alerts.sources.fetch import Fetcher
from alerts.sources.parser_process import ParserProcess
from alerts.sources.robots import RobotsFiles
from alerts.sources.wanted import PAGE

PAGE_TIME = timedelta(seconds=15)  # for one, its reading included
TIME = timedelta(seconds=45)  # for all of one poll: so long, at most, are its alerts kept waiting
READING_TIME = timedelta(seconds=10)  # of a child, for one page
MOST = 20  # pages of one poll
AT_ONCE = 16  # hosts; far fewer than the fetcher has connections


class PageParser(Protocol):
    """What finds the article in a page without holding up anybody else."""

    async def extract(self, body: bytes, *, url: str, charset: str | None = None) -> ReadPage:
        """Return what the page says; raise FetchError."""
        ...


@dataclass(slots=True)
class Pages:
    """What became of some items' pages; both by the item's URL."""

    texts: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # why there is no text


class PageReader:
    """Reads pages through a fetcher that somebody else opened, in ``parser`` or in children that end with it.

    ``async with PageReader(fetcher) as reader: pages = await reader.read(items)``
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        parser: PageParser | None = None,
        page_time: timedelta = PAGE_TIME,
        time: timedelta = TIME,
        reading_time: timedelta = READING_TIME,
    ) -> None:
        self._fetcher = fetcher
        self._robots = RobotsFiles(fetcher)
        self._children = ParserProcess(time_limit=reading_time)
        self._parser = parser or self._children
        self._page_time, self._time = page_time, time
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns = WeakValueDictionary[str, asyncio.Lock]()  # of a host, as long as somebody waits there

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._children.close()

    async def read(
        self, items: Sequence[Item], *, private_host: str | None = None, within: timedelta | None = None
    ) -> Pages:
        """Read the pages of the first items that have a link; what a page does costs at most that page's text.

        Ends after ``within`` (by default the reader's own time) at the latest. ``private_host`` may be on a private
        address: it is the feed's own, and the operator said so. Where a feed links to is no operator's word.
        """
        linked = {item.url: item for item in items if item.url}
        pages = Pages(failures=dict.fromkeys(list(linked)[MOST:], f"no more than {MOST} are read at once"))
        tasks = {
            url: asyncio.create_task(self._read(item, url, pages, allow_private=host_of(url) == private_host))
            for url, item in islice(linked.items(), MOST)
        }
        if not tasks:
            return pages
        try:
            await asyncio.wait(tasks.values(), timeout=(within or self._time).total_seconds())
        finally:
            for task in tasks.values():
                task.cancel()
            ended = await asyncio.gather(*tasks.values(), return_exceptions=True)
        for url, error in zip(tasks, ended, strict=True):
            if isinstance(error, asyncio.CancelledError):
                pages.failures[url] = "there was no time left for it"
        return pages

    async def _read(self, item: Item, url: str, pages: Pages, *, allow_private: bool) -> None:
        """Read one page, when it is its turn; note its text, or why there is none."""
        try:
            async with self._turn(host_of(url)), self._room, asyncio.timeout(self._page_time.total_seconds()):
                text = await self._text(item, url, allow_private=allow_private)
        except RefusedTargetError:  # its message tells how a feed may be there, which is no advice for a page
            pages.failures[url] = "it leads to a private address, or to something that is no web address"
        except FetchError as error:
            pages.failures[url] = str(error)
        except TimeoutError:
            pages.failures[url] = f"it takes longer than {self._page_time.total_seconds():g} s"
        except Exception as error:  # noqa: BLE001 - a page must never keep its feed from being stored
            pages.failures[url] = f"it cannot be read ({type(error).__name__})"
        else:
            pages.texts[url] = text

    async def _text(self, item: Item, url: str, *, allow_private: bool) -> str:
        reason = await self._robots.why_not(url, allow_private=allow_private)
        if reason is not None:
            raise FetchError(reason)
        fetched = await self._fetcher.fetch(url, allow_private=allow_private, wanted=PAGE)
        if _is_front(fetched.url) and not _is_front(url):
            raise FetchError("its link leads to the front page")
        page = await self._parser.extract(fetched.body or b"", url=fetched.url, charset=fetched.charset)
        reason = why_not(item, page)
        if reason is not None:
            raise FetchError(reason)
        return page.text

    def _turn(self, host: str) -> asyncio.Lock:
        turn = self._turns.get(host) or asyncio.Lock()
        self._turns[host] = turn
        return turn


def _is_front(url: str) -> bool:
    """Say whether this is where a site begins: what many redirect to in place of what they have no more."""
    parts = urlsplit(url)
    return parts.path in {"", "/"} and not parts.query
