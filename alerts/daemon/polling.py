"""Polling, wired: which service reads which kind of source, with the fetcher and the parser that they share."""

from __future__ import annotations

import random
import shlex
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from alerts.app import App
from alerts.core.hosts import host_of, take_turns
from alerts.core.model import Source, SourceKind, SourceState
from alerts.queue import Enlist
from alerts.services.ask_hub import ask_hub, due_hubs
from alerts.services.poll import Health, Polled, poll_feed
from alerts.services.read_folder import read_folder
from alerts.services.sources import list_sources
from alerts.sources.fetch import Fetcher
from alerts.sources.hubs import Hubs
from alerts.sources.page_reader import PageReader
from alerts.sources.parser_process import ParserProcess
from alerts.sources.room import Room
from alerts.storage import polls, sources
from alerts.storage.floods import Holding
from alerts.storage.shared import SharedTransactions

_log = structlog.get_logger(__name__)

_POLLED = (SourceState.OK, SourceState.FAILING)
_DUE_AT_ONCE = 128  # jobs a tick
_LOOKED_AT = 5_000  # rows a tick: more feeds than that, all overdue and all of one host, keep the others waiting
_NEWS_OF_HEALTH = {
    Health.FAILING: "source_failing",
    Health.STOPPED: "source_stopped",
    Health.RECOVERED: "source_recovered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """What one poll came to."""

    worked: bool
    new: int
    again_at: datetime | None = None  # when files that just changed are ready to be read
    held: int = 0  # of the new ones, as part of a flood
    health: Health = Health.SAME
    follows: int | None = None  # the next of the same host, which waited until it had room


class Polling:
    """Polls the sources of an app; one fetcher and one parser for all of them."""

    def __init__(
        self,
        app: App,
        fetcher: Fetcher,
        parser: ParserProcess,
        hubs: Hubs,
        page_reader: PageReader,
        *,
        progress: Callable[[int, int], None],
        worker: Callable[[], str | None],
    ) -> None:
        self._app = app
        self._progress = progress
        self._fetcher = fetcher
        self.parser = parser
        self.page_reader = page_reader
        self._hubs = hubs
        self._worker = worker
        self._shared = SharedTransactions(app.db)
        self._room = Room()
        #: What the last look held back, by host; a tick finds what is lost of it.
        self._behind: dict[str, deque[int]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        app: App,
        *,
        worker: Callable[[], str | None] = lambda: None,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> AsyncIterator[Polling]:
        """Give a ``Polling`` whose connections and children end with the block.

        ``worker`` tells who polls, as the ledger knows it now. ``progress`` hears how many files of how many
        a folder's poll has read.
        """
        about = app.config.site.url
        async with (
            Fetcher(about=about) as fetcher,
            ParserProcess() as parser,
            Hubs(about=about) as hubs,
            PageReader(fetcher) as page_reader,
        ):
            polling = cls(app, fetcher, parser, hubs, page_reader, progress=progress, worker=worker)
            try:
                yield polling
            finally:
                await polling.close()

    async def close(self) -> None:
        """Wait for what polls have still to write; the ledger may be closed after that."""
        await self._shared.close()

    async def due(self) -> list[int]:
        """Name the sources that are due and may be polled now, with few polls of one host at a time."""
        now = self._app.clock()
        async with self._app.db.reading() as tx:
            due = await polls.due_places(tx, now=now, limit=_LOOKED_AT)
            polled = await polls.polled_places(tx, now=now) if due else []
        hosts = [(source_id, None if url is None else host_of(url)) for source_id, url in due]
        turn = take_turns(hosts, polled=map(host_of, polled), limit=_DUE_AT_ONCE)
        self._behind = {host: deque(ids) for host, ids in turn.behind.items()}
        return list(turn.now)

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
        done = await self._poll_feed(source_id, once=once, enlist=enlist)
        if done.source is not None:
            return self._told(done.source, done, once=once)
        async with self._app.db.reading() as tx:  # it is no feed, or none that may be polled now
            source = await sources.source_by_id(tx, source_id)
        if source is None or source.state not in _POLLED or source.kind is SourceKind.API:
            return PollOutcome(worked=True, new=0)
        if source.kind is SourceKind.FOLDER:
            return await self._poll_folder(source, once=once, enlist=enlist)
        return self._told(source, done, once=once)

    async def _poll_folder(self, source: Source, *, once: bool, enlist: Enlist | None) -> PollOutcome:
        done = await read_folder(
            self._app.db,
            source,
            now=self._app.clock(),
            site_time_zone=ZoneInfo(self._app.config.site.time_zone),
            once=once,
            on_progress=self._progress,
            enlist=enlist,
            worker=self._worker(),
        )
        tell_of_flood(source, done.holding, held=done.held)
        return PollOutcome(worked=done.worked, new=done.new, again_at=done.look_again_at, held=done.held)

    async def _poll_feed(self, source_id: int, *, once: bool, enlist: Enlist | None) -> Polled:
        return await poll_feed(
            self._app.db,
            self._fetcher,
            self.parser,
            source_id,
            now=self._app.clock(),
            jitter=random.random(),  # noqa: S311 - spreads polls, hides nothing
            only_due=not once,
            enlist=enlist,
            may_subscribe=self._app.hub_callbacks is not None,
            worker=self._worker(),
            shared=self._shared,
            page_reader=self.page_reader,
            room=self._room,
        )

    def _told(self, source: Source, done: Polled, *, once: bool) -> PollOutcome:
        """Log what is worth it, and say what comes next."""
        self._tell(source, done)
        tell_of_flood(source, done.holding, held=done.held)
        return PollOutcome(
            worked=done.worked,
            new=done.new,
            held=done.held,
            health=done.health,
            follows=None if once else self._follower(source),
        )

    def _follower(self, source: Source) -> int | None:
        """Name the source that had to wait for this one's host, without waiting for the next tick."""
        waiting = self._behind.get(host_of(source.moved_to or source.location))
        return waiting.popleft() if waiting else None

    def _tell(self, source: Source, done: Polled) -> None:
        """Log what an operator wants to know: a source that fails for long, once, and that it works again."""
        for url, reason in done.pages.failures.items():
            _log.info("page_not_read", source=source.name, page=url, reason=reason)
        if done.health is Health.SAME:
            if not done.worked:
                _log.debug("poll_failed", source=source.name, reason=done.reason)
            return
        tell = _log.info if done.health is Health.RECOVERED else _log.warning
        since = source.failing_since_at.isoformat() if source.failing_since_at else None
        tell(_NEWS_OF_HEALTH[done.health], source=source.name, since=since, reason=done.reason)


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
