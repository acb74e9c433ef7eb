"""Ask a site's robots.txt whether we may read its pages (RFC 9309), once a day for each site; its rules are the core's.

What has none, or keeps it from us, asks for nothing. Of one that cannot be asked just now no page is read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from urllib.parse import urlsplit

from alerts.core.errors import FetchError, RefusedTargetError
from alerts.core.robots import LARGEST, Robots, read_robots
from alerts.sources.fetch import Fetcher
from alerts.sources.wanted import ROBOTS

KEPT = timedelta(hours=24)  # no longer, says the RFC
KEPT_UNREACHED = timedelta(minutes=10)  # and then it is asked again
_MOST_SITES = 2_000


@dataclass(frozen=True, slots=True)
class _Known:
    robots: Robots | None  # None: it cannot be asked
    until: float


class RobotsFiles:
    """Knows what sites ask of us, as long as it lives; asks through a fetcher that somebody else opened."""

    def __init__(self, fetcher: Fetcher, *, clock: Callable[[], float] = monotonic) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._known = OrderedDict[tuple[str, bool], _Known]()

    async def why_not(self, url: str, *, allow_private: bool = False) -> str | None:
        """Say why the page at ``url`` may not be read; None: it may.

        Who calls it lets no two ask one site at once. Raises RefusedTargetError as the page itself would.
        """
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}".lower(), allow_private
        known = self._known.get(site)
        if known is None or known.until <= self._clock():
            robots = await self._ask(f"{parts.scheme}://{parts.netloc}/robots.txt", allow_private=allow_private)
            kept = KEPT_UNREACHED if robots is None else KEPT
            known = self._known[site] = _Known(robots, self._clock() + kept.total_seconds())
            while len(self._known) > _MOST_SITES:
                self._known.popitem(last=False)
        if known.robots is None:
            return "the site's robots.txt cannot be asked just now, so no page of it is read"
        return None if known.robots.allows(url) else "the site's robots.txt asks us not to read it"

    async def _ask(self, url: str, *, allow_private: bool) -> Robots | None:
        try:
            fetched = await self._fetcher.fetch(url, allow_private=allow_private, wanted=ROBOTS)
        except RefusedTargetError:
            raise
        except FetchError as error:
            return Robots() if _is_none_for_us(error.status) else None
        return read_robots((fetched.body or b"")[:LARGEST].decode("utf-8", "replace"))


def _is_none_for_us(status: int | None) -> bool:
    """Say whether a status means that there is no such file for us (RFC 9309, 2.3.1.3); "too many" only means later."""
    client_errors = range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
    return status in client_errors and status != HTTPStatus.TOO_MANY_REQUESTS
