"""Polling, wired: which service reads which kind of source, with the fetcher and the parser that they share."""

from __future__ import annotations

import random
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from alerts.app import App
from alerts.core.model import Source, SourceKind, SourceState
from alerts.queue import Enlist
from alerts.services.ask_hub import ask_hub, due_hubs
from alerts.services.poll import poll_feed
from alerts.services.read_folder import read_folder
from alerts.services.sources import list_sources
from alerts.sources.fetch import Fetcher
from alerts.sources.hubs import Hubs
from alerts.sources.parser_process import ParserProcess
from alerts.storage import sources
from alerts.storage.floods import Holding

_log = structlog.get_logger(__name__)

_POLLED = (SourceState.OK, SourceState.FAILING)
_DUE_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """What one poll came to."""

    worked: bool
    new: int
    again_at: datetime | None = None  # when files that just changed are ready to be read
    held: int = 0  # of the new ones, as part of a flood


class Polling:
    """Polls the sources of an app; one fetcher and one parser for all of them."""

    def __init__(
        self, app: App, fetcher: Fetcher, parser: ParserProcess, hubs: Hubs, progress: Callable[[int, int], None]
    ) -> None:
        self._app = app
        self._progress = progress
        self._fetcher = fetcher
        self.parser = parser
        self._hubs = hubs

    @classmethod
    @asynccontextmanager
    async def open(
        cls, app: App, *, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> AsyncIterator[Polling]:
        """Give a ``Polling`` whose connections and children end with the block.

        ``progress`` hears how many files of how many a folder's poll has read.
        """
        about = app.config.site.url
        async with Fetcher(about=about) as fetcher, ParserProcess() as parser, Hubs(about=about) as hubs:
            yield cls(app, fetcher, parser, hubs, progress)

    async def due(self) -> list[int]:
        """Name the sources that are due."""
        async with self._app.db.reading() as tx:
            due = await sources.due_sources(tx, now=self._app.clock(), limit=_DUE_AT_ONCE)
        return [one.id for one in due]

    async def due_hubs(self) -> Sequence[int]:
        """Name the subscriptions at hubs about which these are to be asked."""
        return await due_hubs(self._app.db, now=self._app.clock()) if self._app.hub_callbacks else ()

    async def ask_hub(self, subscription_id: int) -> None:
        """Ask a hub to subscribe us, to renew that, or to end it."""
        base = self._app.hub_callbacks
        if base is None:
            return
        asked = await ask_hub(self._app.db, self._hubs, subscription_id, callback_base=base, now=self._app.clock())
        if asked.reason is not None:
            _log.warning("hub_refused", mode=asked.mode, hub=asked.hub, reason=asked.reason)
        elif asked.mode is not None:
            _log.info("hub_asked", mode=asked.mode, hub=asked.hub)

    async def all(self) -> list[Source]:
        """List every source that is polled, due or not."""
        known = await list_sources(self._app.db)
        return [one for one in known if one.state in _POLLED and one.kind is not SourceKind.API]

    async def folders(self) -> list[int]:
        """Name the folders."""
        return [one.id for one in await self.all() if one.kind is SourceKind.FOLDER]

    def watched(self) -> list[Path]:
        """Name the folders whose changes are worth a poke."""
        return [Path(one.location) for one in self._app.config.sources if one.kind is SourceKind.FOLDER]

    async def poll(self, source_id: int, *, once: bool = False, enlist: Enlist | None = None) -> PollOutcome:
        """Poll a source, unless it was removed or paused meanwhile; ``enlist`` asks for the matching of what is new."""
        async with self._app.db.reading() as tx:
            source = await sources.source_by_id(tx, source_id)
        if source is None or source.state not in _POLLED or source.kind is SourceKind.API:
            return PollOutcome(worked=True, new=0)
        if source.kind is SourceKind.FOLDER:
            return await self._poll_folder(source, once=once, enlist=enlist)
        return await self._poll_feed(source, once=once, enlist=enlist)

    async def _poll_folder(self, source: Source, *, once: bool, enlist: Enlist | None) -> PollOutcome:
        done = await read_folder(
            self._app.db,
            source,
            now=self._app.clock(),
            site_time_zone=ZoneInfo(self._app.config.site.time_zone),
            once=once,
            on_progress=self._progress,
            enlist=enlist,
        )
        tell_of_flood(source, done.holding, held=done.held)
        return PollOutcome(worked=done.worked, new=done.new, again_at=done.look_again_at, held=done.held)

    async def _poll_feed(self, source: Source, *, once: bool, enlist: Enlist | None) -> PollOutcome:
        done = await poll_feed(
            self._app.db,
            self._fetcher,
            self.parser,
            source.id,
            now=self._app.clock(),
            jitter=random.random(),  # noqa: S311 - spreads polls, hides nothing
            only_due=not once,
            enlist=enlist,
            may_subscribe=self._app.hub_callbacks is not None,
        )
        if not done.worked:
            _log.warning("poll_failed", source=source.name, reason=done.reason)
        tell_of_flood(source, done.holding, held=done.held)
        return PollOutcome(worked=done.worked, new=done.new, held=done.held)


def tell_of_flood(source: Source, holding: Holding | None, *, held: int) -> None:
    """Tell the operator that a source is held: once, when it begins."""
    if holding is not None and holding.began:
        _log.warning(
            "source_held",
            source=source.name,
            articles=held,
            most_in_24_hours=holding.most,
            next=f"alerts sources show {shlex.quote(source.name)}",
        )
