"""The active channels' queries, ready to be asked: read once, and again only where they changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

from alerts.core.errors import QueryError
from alerts.core.model import Article
from alerts.core.query import (
    NO_ALIASES,
    Aliases,
    Entry,
    Percolator,
    Query,
    QueryTable,
    evaluate,
    literals,
    parse,
    prepare,
)
from alerts.core.query.percolator import QueryIndex
from alerts.storage.aliases import known_aliases
from alerts.storage.channels import ChangedChannel, Place, changed_channels
from alerts.storage.engine import Database
from alerts.storage.matches import Match
from alerts.storage.revisions import Counted, current_revisions

_PAGE = 2_000  # channels read at once
_TURN = 32  # queries read before others have their turn: about a millisecond
_PARSED = 4_096  # queries kept parsed, those asked last; the others are texts


class ChannelCache:
    """The channels as this process knows them; the caller keeps it between calls.

    A refresh costs one look at a revision. What changed goes into the percolator's delta; when that has grown, a new
    base is made in a thread of its own while matching goes on with the old one.
    """

    def __init__(self) -> None:
        self.percolator = Percolator()
        self._aliases = NO_ALIASES
        self._read = _reader(NO_ALIASES)
        self._unreadable: dict[int, tuple[str, str]] = {}  # slug and reason, by id
        self._seen: Mapping[Counted, int] | None = None
        self._place = Place(-1, 0)
        self._refreshing = asyncio.Lock()
        self._builder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="channels")
        self._new_base: Future[QueryIndex] | None = None
        self._since: set[int] = set()  # ids that changed since the new base was begun

    @property
    def unreadable(self) -> tuple[tuple[str, str], ...]:
        """Slugs of channels whose query cannot be read, with the reason."""
        return tuple(sorted(self._unreadable.values()))

    @property
    def is_rebuilding(self) -> bool:
        """Whether a new base is being made, or waits to take its place."""
        return self._new_base is not None

    async def refresh(self, db: Database) -> None:
        """Take over the channels and the aliases as they are in the ledger now; in transactions of its own.

        Each page is read in one: a million channels take half a minute, and for so long nothing else should wait for a
        reader to end, neither the ledger's tidying nor the event loop. What changed meanwhile is read after that.
        """
        async with self._refreshing:
            while (revisions := await self._look(db)) != self._seen:
                await self._take_changes(db, until=revisions[Counted.CHANNELS])
                self._seen = revisions
            await self._keep_small()

    def ask(self, article: Article) -> list[Match]:
        """Return the matches of one article, by channel; from any thread."""
        prepared = prepare(article.item, source_name=article.source_name)
        verdicts = [
            (channel_id, evaluate(self._read(query), prepared))
            for channel_id, query in self.percolator.candidates(prepared)
        ]
        return [
            Match(channel_id=channel_id, score=verdict.score, hits=verdict.hits)
            for channel_id, verdict in verdicts
            if verdict.matched
        ]

    async def _look(self, db: Database) -> Mapping[Counted, int]:
        """Return how often things changed; queries are read with the aliases of that moment from here on."""
        async with db.reading() as tx:
            revisions = await current_revisions(tx)
            if self._seen is not None and revisions[Counted.ALIASES] == self._seen[Counted.ALIASES]:
                return revisions
            aliases = await known_aliases(tx)
        await asyncio.to_thread(self._take_aliases, aliases)
        return revisions

    async def _take_changes(self, db: Database, *, until: int) -> None:
        ids: set[int] = set()
        is_first = self.percolator.is_empty  # then nothing is replaced, and a million ids need not be kept
        table = QueryTable()
        place = self._place
        while page := await _page(db, after=place, until=until):
            for start in range(0, len(page), _TURN):
                self._read_some(page[start : start + _TURN], table)
                await asyncio.sleep(0)
            if not is_first:
                ids.update(changed.place.id for changed in page)
            place = page[-1].place
        if ids or len(table):
            await asyncio.to_thread(self._change, ids, table)
        self._place = place

    def _read_some(self, some: Sequence[ChangedChannel], table: QueryTable) -> None:
        for changed in some:
            self._unreadable.pop(changed.place.id, None)
            if changed.query is None:
                continue
            try:
                needed = literals(parse(changed.query, self._aliases))
            except QueryError as error:
                self._unreadable[changed.place.id] = (changed.slug, str(error))
            else:
                table.extend([Entry(changed.place.id, changed.query, sorted(needed))])

    def _take_aliases(self, aliases: Aliases) -> None:
        """Read those queries again that write a name whose aliases changed."""
        names = self._aliases.changed_names(aliases)
        if not names:
            return
        again = self.percolator.texts_with(names)
        self._aliases, self._read = aliases, _reader(aliases)
        if again:
            entries = (Entry(key, text, sorted(literals(parse(text, aliases)))) for key, text in again)
            self._change({key for key, _ in again}, QueryTable(entries))

    def _change(self, ids: set[int], table: QueryTable) -> None:
        if self._new_base is not None:
            self._since |= ids
        if self.percolator.is_empty:  # the first of all, or nothing to keep: what came is a base at once
            self.percolator = Percolator(base=QueryIndex(table))
        else:
            self.percolator = self.percolator.changed(ids, table)

    async def _keep_small(self) -> None:
        """Put a new base in its place once it is made; have one made when the delta has grown."""
        if self._new_base is not None and self._new_base.done():
            made, self._new_base = self._new_base, None
            self.percolator = await asyncio.to_thread(self.percolator.rebased, made.result(), since=self._since)
        if self._new_base is None and self.percolator.has_grown:
            self._since = set()
            self._new_base = self._builder.submit(self.percolator.compacted)


async def _page(db: Database, *, after: Place, until: int) -> list[ChangedChannel]:
    async with db.reading() as tx:
        return await changed_channels(tx, after=after, until=until, limit=_PAGE)


def _reader(aliases: Aliases) -> Callable[[str], Query]:
    return lru_cache(_PARSED)(partial(parse, aliases=aliases))
