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
from alerts.core.query import Query, evaluate, parse, prepare
from alerts.storage import boilerplate, history
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

    old: Query | None
    new: Query
    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    newest_gained: deque[Headline] = field(default_factory=lambda: deque(maxlen=KEPT))
    newest_lost: deque[Headline] = field(default_factory=lambda: deque(maxlen=KEPT))


async def back_test(
    db: Database,
    edits: Sequence[Edit],
    *,
    now: datetime,
    progress: Progress | None = None,
    read: Callable[[str], Query] = parse,
) -> list[BackTest]:
    """Ask the old and the new queries about every article of the last 30 days; all edits in one pass.

    ``read`` makes a query of its text. Raises QueryError for a new query that cannot be read; an old one that cannot
    be read matches nothing. The event loop stays free: each piece is asked about in a thread.
    """
    tallies = [_Tally(old=_readable(edit.old, read), new=read(edit.new)) for edit in edits]
    if not tallies:
        return []
    async with db.reading() as tx:
        month = await history.month_of(tx, now=now)
    asked, last = 0, 0
    while piece := await _piece(db, now, last):
        async with db.reading() as tx:
            learnt = await boilerplate.learnt_lines(tx, piece)
        await asyncio.to_thread(_ask, tallies, piece, learnt)
        asked, last = asked + len(piece), piece[-1].id
        if progress is not None:
            progress(asked, max(asked, month.articles))
    age = now - month.begun_at if month.begun_at else timedelta()
    return [_result(edit, tally, asked, age) for edit, tally in zip(edits, tallies, strict=True)]


async def _piece(db: Database, now: datetime, after: int) -> list[Article]:
    async with db.reading() as tx:
        return await history.articles_of_month(tx, now=now, after=after, limit=PIECE)


def _readable(query: str | None, read: Callable[[str], Query]) -> Query | None:
    try:
        return None if query is None else read(query)
    except QueryError:
        return None


def _ask(tallies: Sequence[_Tally], piece: Sequence[Article], learnt: Mapping[int, frozenset[str]]) -> None:
    for article in piece:
        prepared = prepare(trim(article.item, learnt[article.source_id]).item, source_name=article.source_name)
        headline = Headline(id=article.id, title=article.item.title)
        for tally in tallies:
            matched_old = tally.old is not None and evaluate(tally.old, prepared).matched
            _count(tally, headline, old=matched_old, new=evaluate(tally.new, prepared).matched)


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
