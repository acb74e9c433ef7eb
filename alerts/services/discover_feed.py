"""Find the feed behind an address that somebody typed: it is one, or a page that offers some. Adds none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import urljoin

from alerts.core.errors import FetchError
from alerts.core.feed_choice import WELL_KNOWN, FeedLink
from alerts.sources.fetch import Fetched
from alerts.sources.parser_process import Looked

TIME_FOR_GUESSES = timedelta(seconds=30)  # for all the well-known paths together


class Fetcher(Protocol):
    """What asks a server."""

    async def fetch(self, url: str, *, allow_private: bool = False) -> Fetched:
        """Return the answer; raise FetchError."""
        ...


class Looker(Protocol):
    """What looks at an answer without holding up anybody else."""

    async def look(self, body: bytes, *, url: str, charset: str | None = None) -> Looked:
        """Say whether it is a feed, and which feeds it offers; raise FetchError when it is too much to read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What stands at an address."""

    is_feed: bool  # the address itself is the feed's
    links: Sequence[FeedLink] = ()  # else these are offered there; never none


async def discover_feed(fetcher: Fetcher, looker: Looker, url: str, *, allow_private: bool = False) -> Discovered:
    """Say what stands at ``url``: a feed, or a page with feeds; where it names none, the usual places are asked.

    Raises FetchError when the address does not answer, RefusedTargetError for a private one that was not allowed, and
    FetchError with what it is instead when it neither is a feed nor leads to one.
    """
    # 1. Ask, and look.
    fetched = await fetcher.fetch(url, allow_private=allow_private)
    looked = await looker.look(fetched.body or b"", url=fetched.url, charset=fetched.charset)
    if looked.is_feed:
        return Discovered(is_feed=True)
    if looked.links:
        return Discovered(is_feed=False, links=looked.links)
    # 2. Guess.
    guessed = await _first_of_the_usual(fetcher, looker, fetched.url, allow_private=allow_private)
    if guessed is not None:
        return Discovered(is_feed=False, links=(guessed,))
    raise FetchError(f"no feed there ({looked.reason}), and none at the usual places; give the address of the feed")


async def _first_of_the_usual(fetcher: Fetcher, looker: Looker, page: str, *, allow_private: bool) -> FeedLink | None:
    """Return the first of the well-known paths of the page's server that is a feed; one after the other, politely."""
    try:
        async with asyncio.timeout(TIME_FOR_GUESSES.total_seconds()):
            for path in WELL_KNOWN:
                url = urljoin(page, path)
                if await _is_feed(fetcher, looker, url, allow_private=allow_private):
                    return FeedLink(url=url)
    except TimeoutError:
        pass
    return None


async def _is_feed(fetcher: Fetcher, looker: Looker, url: str, *, allow_private: bool) -> bool:
    try:
        fetched = await fetcher.fetch(url, allow_private=allow_private)
        return (await looker.look(fetched.body or b"", url=fetched.url, charset=fetched.charset)).is_feed
    except FetchError:
        return False
