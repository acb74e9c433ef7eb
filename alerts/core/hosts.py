"""Which of the feeds that are due are polled now: few of one host at a time, whatever stands first in line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

POLLS_A_HOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whom to poll now, and who follows at each host when a poll there has ended."""

    now: tuple[int, ...]
    behind: Mapping[str, tuple[int, ...]]


def host_of(url: str) -> str:
    """Return the host of a URL, with the port where one is written: another port is another server.

    >>> host_of("https://bob:x@News.example/feed.xml")
    'news.example'
    """
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def take_turns(due: Iterable[tuple[int, str | None]], *, polled: Iterable[str], limit: int) -> Turn:
    """Choose at most ``limit`` of the due sources, in their order; those without a host are never held back.

    ``polled`` names the host of each poll that is under way, a host once for each.
    """
    busy, now, behind = Counter(polled), list[int](), dict[str, list[int]]()
    for source_id, host in due:
        if host is not None and busy[host] >= POLLS_A_HOST:
            behind.setdefault(host, []).append(source_id)
        elif len(now) < limit:
            busy.update(() if host is None else (host,))
            now.append(source_id)
    return Turn(now=tuple(now), behind={host: tuple(ids) for host, ids in behind.items()})
