"""Reads the lists ``sources`` and ``channels``: what we poll, and what it is matched against."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alerts.config import options
from alerts.config.examples import read_examples
from alerts.config.keys import Reader, refuse_repeated
from alerts.config.model import ChannelConfig, SourceConfig
from alerts.core.model import SourceKind

_DECLARED = (SourceKind.FOLDER, SourceKind.FEED)  # a key makes the source of what is posted, not the file
DEFAULT_EVERY_AT_MOST = timedelta(hours=1)


def read_sources(reader: Reader, folder: Path) -> tuple[SourceConfig, ...]:
    """Read ``sources``; without the key, the folder ``seeds``."""
    if "sources" not in reader:
        return (_folder_source(Reader.of({"folder": "seeds"}), folder),)
    items = reader.each("sources")
    sources = [_read_source(item, folder) for item in items]
    known = [(item, source) for item, source in zip(items, sources, strict=True) if source is not None]
    for kind in _DECLARED:
        refuse_repeated(kind.value, ((item, source.location) for item, source in known if source.kind is kind))
    refuse_repeated("name", ((item, source.name) for item, source in known))
    return tuple(source for source in sources if source is not None)


def _read_source(reader: Reader, folder: Path) -> SourceConfig | None:
    kinds = [kind for kind in _DECLARED if kind.value in reader]
    if kinds == [SourceKind.FOLDER]:
        return _folder_source(reader, folder)
    if kinds == [SourceKind.FEED]:
        return _feed_source(reader)
    reader.refuse_unknown(options.SOURCE_KEYS)
    reader.problems.note(reader.place, f"{reader.path!r} must have 'folder' or 'feed', and not both")
    return None


def _folder_source(reader: Reader, folder: Path) -> SourceConfig:
    written = reader.take(options.FOLDER) or ""
    taken = reader.take_all((options.EVERY_FOLDER, options.FIRST_POLL, options.MAX_AGE_FOLDER, options.FLOOD))
    name = reader.take(options.SOURCE_NAME)
    reader.refuse_unknown(["folder", "name", *taken])
    place = Path(os.path.normpath(folder / written.replace("\0", "?")))
    return SourceConfig(
        kind=SourceKind.FOLDER,
        location=str(place),
        name=name or place.name or str(place),
        allow_private=False,
        **taken,
    )


def _feed_source(reader: Reader) -> SourceConfig:
    url = reader.take(options.FEED) or ""
    taken = reader.take_all(
        (
            options.EVERY_FEED,
            options.FIRST_POLL,
            options.MAX_AGE_FEED,
            options.ALLOW_PRIVATE,
            options.FLOOD,
            options.EVERY_AT_MOST,
            options.CONTENT,
        )
    )
    _settle_interval(reader, taken)
    name = reader.take(options.SOURCE_NAME)
    reader.refuse_unknown(["feed", "name", *taken])
    return SourceConfig(kind=SourceKind.FEED, location=url, name=name or _name_of(url), **taken)


def _settle_interval(reader: Reader, taken: dict[str, Any]) -> None:
    """Let an ``every`` that stands alone mean what it says; without one, a feed's pace moves its interval."""
    most = taken["every_at_most"]
    if most is None and "every" not in reader:
        taken["every_at_most"] = max(DEFAULT_EVERY_AT_MOST, taken["every"])
    if most is not None and most < taken["every"]:
        reader.note("every_at_most", "is shorter than 'every'; write a longer one, or leave it out")


def _name_of(url: str) -> str:
    """Return a feed's usual name: its URL without the scheme, short enough to type."""
    parts = urlsplit(url)
    return f"{parts.netloc.removeprefix('www.')}{parts.path.rstrip('/')}{'?' if parts.query else ''}{parts.query}"[:200]


def read_channels(reader: Reader, folder: Path) -> tuple[ChannelConfig, ...]:
    """Read ``channels``."""
    items = reader.each("channels")
    channels = [_read_channel(item, folder) for item in items]
    refuse_repeated("slug", ((item, channel.slug) for item, channel in zip(items, channels, strict=True)))
    return tuple(channels)


def _read_channel(reader: Reader, folder: Path) -> ChannelConfig:
    taken = reader.take_all(options.CHANNEL)
    reader.refuse_unknown([*taken, *options.EXAMPLES])
    return ChannelConfig(
        slug=taken["slug"] or "",
        name=taken["name"] or "",
        query=taken["query"] or "",
        examples=read_examples(reader, folder),
    )
