"""Where a feed is asked for, once its server says that it moved for good. Follows no redirect."""

from __future__ import annotations

from urllib.parse import urlsplit

from alerts.core.model import Source


def new_address(source: Source, *, moved_to: str | None, gave_the_feed: bool) -> str | None:
    """Return where the feed is from now on, if not where the operator wrote; it counts once it gave the feed."""
    if moved_to is None or not gave_the_feed:
        return source.moved_to
    return moved_to if moved_to != source.location else None


def may_be_kept(source: Source) -> bool:
    """Return whether a new address may take the place of the old one: not where that holds a password to go along."""
    return "@" not in urlsplit(source.location).netloc
