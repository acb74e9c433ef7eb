"""Back-test: what another query would have changed in the last 30 days; reads in pieces, writes nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.core.boilerplate import trim
from alerts.core.edits import Edit
from alerts.core.errors import QueryError
from alerts.core.history import mails_a_month
from alerts.core.model import Article
from alerts.core.query import Aliases, Glance, Query, evaluate, parse, prepare
from alerts.storage import boilerplate, history
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database

PIECE = 100  # articles in memory at once
KEPT = 20  # titles to show, gained and lost each; all are counted

Progress = Callable[[int, int], None]  # articles asked about so far, and in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """As much of an article as is shown."""

    id: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTest:
    """What an edit would have changed."""

    edit: Edit
    articles: int  # of the last 30 days, that were asked about
    before: int  # that the old query matches
    after: int
    gained: int
    lost: int
    newest_gained: tuple[Headline, ...]  # the newest first
    newest_lost: tuple[Headline, ...]
    mails_before: int | None  # about so many mails a month; None: too young to say
    mails_after: int | None


@dataclass(slots=True)
class _Tally:
    """The counts of one edit while the articles go by."""

    old: int | None  # numbers of its queries; None: there is none, or none that can be read
    new: int
    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    newest_gained: deque[Headline] = field(default_factory=lambda: deque(maxlen=KEPT))
    newest_lost: deque[Headline] = field(default_factory=lambda: deque(maxlen=KEPT))


class _Asked:
    """The queries of all edits, each once, and how they are asked about a piece of the month."""

    def __init__(self, edits: Sequence[Edit], aliases: Aliases, read: Callable[[str], Query]) -> None:
        self._queries: list[Query] = []
        self.tallies = [
            _Tally(old=self._number(_readable(edit.old, aliases)), new=self._added(read(edit.new))) for edit in edits
        ]
        self._glance = Glance(self._queries)

    def glance(self, piece: Sequence[Article]) -> list[tuple[Article, set[int]]]:
        """Return the articles that some query could match, with the numbers of those; takes no laying out."""
        looked = ((it, self._glance.candidates(it.item, source_name=it.source_name)) for it in piece)
        return [(article, numbers) for article, numbers in looked if numbers]

    def ask(self, found: Sequence[tuple[Article, set[int]]], learnt: Mapping[int, frozenset[str]]) -> None:
        """Ask the queries that could match, and count."""
        for article, numbers in found:
            prepared = prepare(trim(article.item, learnt[article.source_id]).item, source_name=article.source_name)
            matched = {number for number in numbers if evaluate(self._queries[number], prepared).matched}
            headline = Headline(id=article.id, title=article.item.title)
            for tally in self.tallies:
                _count(tally, headline, old=tally.old in matched, new=tally.new in matched)

    def _number(self, query: Query | None) -> int | None:
        return None if query is None else self._added(query)

    def _added(self, query: Query) -> int:
        if query not in self._queries:
            self._queries.append(query)
        return self._queries.index(query)


async def back_test(
    db: Database,
    edits: Sequence[Edit],
    *,
    now: datetime,
    progress: Progress | None = None,
    read: Callable[[str], Query] = parse,
) -> list[BackTest]:
    """Ask the old and the new queries about every article of the last 30 days; all edits in one pass.

    ``read`` makes a new query of its text; an old one has the aliases that are in force. Raises QueryError for a new
    query that cannot be read; an old one that cannot be read matches nothing. The event loop stays free: each piece is
    asked about in a thread. May be cancelled at any time.
    """
    if not edits:
        return []
    async with db.reading() as tx:
        aliases = await known_aliases(tx)
        month = await history.month_of(tx, now=now)
    asked, done, last = _Asked(edits, aliases, read), 0, 0
    while piece := await _piece(db, now, last):
        if found := await asyncio.to_thread(asked.glance, piece):
            async with db.reading() as tx:
                learnt = await boilerplate.learnt_lines(tx, [article for article, _ in found])
            await asyncio.to_thread(asked.ask, found, learnt)
        done, last = done + len(piece), piece[-1].id
        if progress is not None:
            progress(done, max(done, month.articles))
    age = now - month.begun_at if month.begun_at else timedelta()
    return [_result(edit, tally, done, age) for edit, tally in zip(edits, asked.tallies, strict=True)]


async def _piece(db: Database, now: datetime, after: int) -> list[Article]:
    async with db.reading() as tx:
        return await history.articles_of_month(tx, now=now, after=after, limit=PIECE)


def _readable(query: str | None, aliases: Aliases) -> Query | None:
    try:
        return None if query is None else parse(query, aliases)
    except QueryError:
        return None


def _count(tally: _Tally, headline: Headline, *, old: bool, new: bool) -> None:
    tally.before += old
    tally.after += new
    if new and not old:
        tally.gained += 1
        tally.newest_gained.appendleft(headline)
    elif old and not new:
        tally.lost += 1
        tally.newest_lost.appendleft(headline)


def _result(edit: Edit, tally: _Tally, asked: int, age: timedelta) -> BackTest:
    return BackTest(
        edit=edit,
        articles=asked,
        before=tally.before,
        after=tally.after,
        gained=tally.gained,
        lost=tally.lost,
        newest_gained=tuple(tally.newest_gained),
        newest_lost=tuple(tally.newest_lost),
        mails_before=mails_a_month(tally.before, age=age),
        mails_after=mails_a_month(tally.after, age=age),
    )
