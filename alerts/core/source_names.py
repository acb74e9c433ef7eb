"""What a source is called when nobody named it, and what may be one's address. Reads no config, asks no server."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from alerts.core.errors import InputError
from alerts.core.model import SourceKind
from alerts.core.text import clean_line, excerpt

LONGEST_NAME = 80
LONGEST_LOCATION = 2_000
API_LOCATION = "api:"  # and the name of the key: where articles come from that are posted to us
_SAYS_NOTHING = frozenset({"feed", "feeds", "rss", "atom", "index", "xml", "json", "feed1", "rss2"})


def source_name(kind: SourceKind, location: str) -> str:
    """Return a readable name: the folder's, or the host with what the path adds to it.

    >>> source_name(SourceKind.FEED, "https://www.example.com/cars/feed.xml")
    'example.com/cars'
    """
    if kind is SourceKind.FOLDER:
        return excerpt(PurePath(location).name, LONGEST_NAME) or "folder"
    if kind is SourceKind.API:
        return excerpt(location.removeprefix(API_LOCATION), LONGEST_NAME) or "api"
    try:
        parts = urlsplit(location)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        host = ""
    if not host:
        return "feed"
    segments = [segment for segment in unquote(parts.path).split("/") if _tells(segment)]
    return excerpt("/".join([host, *segments]), LONGEST_NAME) or "feed"


def unique_name(wanted: str, taken: Container[str]) -> str:
    """Return ``wanted``, or with the first number that makes it a name of its own.

    >>> unique_name("example.com", {"example.com", "example.com 2"})
    'example.com 3'
    """
    if wanted not in taken:
        return wanted
    return next(name for number in count(2) if (name := f"{wanted} {number}") not in taken)


class FreshNames:
    """Gives many sources names of their own; the thousandth "News" costs no more than the second."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def give(self, wanted: str) -> str:
        """Return ``wanted``, or with a number that makes it a name that nobody was given.

        >>> names = FreshNames({"News"})
        >>> names.give("News"), names.give("News")
        ('News 2', 'News 3')
        """
        name = wanted
        while name in self._taken:
            number = self._next.get(wanted, 2)
            self._next[wanted] = number + 1
            name = f"{wanted} {number}"
        self._taken.add(name)
        return name


def feed_location(written: str) -> str:
    """Return the address of a feed as it is kept; raise InputError for what is none."""
    location = written.strip()
    try:
        parts = urlsplit(location)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or clean_line(location) != location or " " in location or len(location) > LONGEST_LOCATION:
        raise InputError(f"{excerpt(written, 100)!r} is no address of a feed; write http://… or https://…")
    return location


def _tells(segment: str) -> bool:
    """Return whether a part of a path says which feed it is."""
    return bool(segment.strip()) and segment.lower().partition(".")[0] not in _SAYS_NOTHING
