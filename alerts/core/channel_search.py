"""Finds a channel by what a reader types. Reads no rows; what an article is searched by is ``query``'s business."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from alerts.core.model import Channel
from alerts.core.text import clean_line, fold

LONGEST_QUESTION = 100  # characters, as long as a channel's name
_NOT_AT_ALL = 3


def question(typed: str) -> str:
    """Return what was typed as one tidy line, cut to a length that makes sense.

    >>> question("  li   auto ")
    'li auto'
    """
    return clean_line(typed[: 4 * LONGEST_QUESTION])[:LONGEST_QUESTION].strip()


class ChannelIndex:
    """Channels, folded once: that is what a search among thousands of them would cost."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._entries = [_entry(channel) for channel in channels]

    def search(self, asked: str) -> list[Channel]:
        """Return the channels whose name or slug holds every word of ``asked``: the name itself first, then beginnings.

        Case, width, hyphens and spaces make no difference: "ｌｉ-auto", "LIAUTO" and "Li Auto" are one. Equals stay in
        the order given.
        """
        words = fold(asked).split()
        if not words:
            return []
        found = [(_rank(entry, words), entry.channel) for entry in self._entries]
        return [channel for rank, channel in sorted(found, key=lambda one: one[0]) if rank < _NOT_AT_ALL]


class _Entry(NamedTuple):
    channel: Channel
    name: str  # folded, its words run together
    slug: str
    words: str  # of both


def _entry(channel: Channel) -> _Entry:
    name, slug = fold(channel.name), fold(channel.slug)
    return _Entry(channel, name.replace(" ", ""), slug.replace(" ", ""), f"{name}\n{slug}")


def _rank(entry: _Entry, words: list[str]) -> int:
    joined = "".join(words)
    if joined in {entry.name, entry.slug}:
        return 0
    if entry.name.startswith(joined) or entry.slug.startswith(joined):
        return 1
    if joined in entry.name or joined in entry.slug or all(word in entry.words for word in words):
        return 2
    return _NOT_AT_ALL
