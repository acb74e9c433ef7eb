"""What every page can reach: the opened app, the templates, the catcher, the daemon's last tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from starlette.requests import Request

from alerts.app import App
from alerts.services.post_articles import FeedParser
from alerts.services.take_push import PageReader
from alerts.web.finder import ChannelFinder
from alerts.web.pages import Pages

FORMS_AT_ONCE = 4
BODIES_AT_ONCE = 4

LastTick = Callable[[], datetime | None]


@dataclass(frozen=True, slots=True)
class SiteState:
    """The one thing that ``site.state`` holds."""

    app: App
    pages: Pages
    maildir: Path | None  # where the catcher keeps its mail; None without a catcher
    last_tick: LastTick | None  # None where no clock runs
    feed_parser: FeedParser | None = None  # reads what is brought to us
    page_reader: PageReader | None = None  # reads the pages that it links to
    finder: ChannelFinder = field(default_factory=ChannelFinder)
    #: The door for forms that may cause a mail: a flood of them waits there, and leaves pages and database alone.
    forms: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FORMS_AT_ONCE))

    #: The door for articles that are brought to us: so many bodies are held in memory, the rest waits.
    brought: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BODIES_AT_ONCE))

    def parser(self) -> FeedParser:
        """Return what reads posts and pushes; the pages that ask are not there without it."""
        if self.feed_parser is None:
            raise LookupError("this site was made without a parser")
        return self.feed_parser

    def now(self) -> datetime:
        """Return the time, once for a request."""
        return self.app.clock()


def state_of(request: Request) -> SiteState:
    """Return the state of the site that a request came to."""
    state = request.app.state.site
    if not isinstance(state, SiteState):
        raise TypeError("the site was not made by create_site")
    return state
