"""Which of the feeds that a page offers is meant: their order, and the one chosen. Reads no page, asks no server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.core.errors import InputError

MOST_LINKS = 50  # of one page
_COMMENTS = re.compile(r"comment|kommentar|commentaire|comentario|评论|評論|コメント", re.IGNORECASE)
# Where feeds stand when no page says so; asked in this order, on the page's own server.
WELL_KNOWN = ("/feed", "/rss", "/feed.xml", "/rss.xml", "/atom.xml", "/index.xml", "/feed.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """A feed that a page offers."""

    url: str
    title: str = ""  # what the page calls it

    @property
    def is_of_comments(self) -> bool:
        """Say whether it brings what readers answered, not what the site published."""
        return bool(_COMMENTS.search(self.title) or _COMMENTS.search(self.url))


def in_order(links: Iterable[FeedLink]) -> tuple[FeedLink, ...]:
    """Return each feed once, in the page's order, those of comments last; at most 50."""
    each: dict[str, FeedLink] = {}
    for link in links:
        each.setdefault(link.url, link)
    return tuple(sorted(each.values(), key=lambda link: link.is_of_comments))[:MOST_LINKS]


def choose(links: Sequence[FeedLink], number: int | None) -> FeedLink:
    """Return the feed of this number, from 1; without one, the only feed.

    Raises InputError with the numbered list where there are several and none is named, or none of that number.
    """
    if number is None and len(links) == 1:
        return links[0]
    if number is not None and 1 <= number <= len(links):
        return links[number - 1]
    offered = "\n".join(f"  {place}  {_shown(link)}" for place, link in enumerate(links, 1))
    what = f"the page offers {len(links)} feed{'' if len(links) == 1 else 's'}"
    wrong = "" if number is None else f", and none has the number {number}"
    raise InputError(f"{what}{wrong}; add --choose NUMBER, or give its address:\n{offered}")


def _shown(link: FeedLink) -> str:
    return f"{link.url}  {link.title}".rstrip()
