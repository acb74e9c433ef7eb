"""One round of matching: the articles that wait, put to the channels as they are now, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.boilerplate import learnable, trim
from alerts.core.model import Article, Disposition
from alerts.core.stories import judge, marks_of, telling_of
from alerts.core.text import excerpt
from alerts.queue import Enlist, Job, Step
from alerts.services.match.cache import ChannelCache
from alerts.storage import boilerplate, matches, stories
from alerts.storage.engine import Database
from alerts.storage.matches import Match

BATCH = 50  # articles read, asked about and committed together
MOST_FAULTS = 3  # tries; then the article is set aside and the others go on
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What one call did."""

    articles: int  # that were asked about
    matches: int
    fan_outs: tuple[int, ...]  # articles that now owe mails
    faults: tuple[tuple[int, str], ...]  # articles on which our code failed, with the reason
    set_aside: tuple[int, ...]  # those of them that were given up
    unreadable: tuple[tuple[str, str], ...]  # slugs of channels whose query cannot be read, with the reason
    more: bool  # there may be more to do


_NOTHING = Matched(articles=0, matches=0, fan_outs=(), faults=(), set_aside=(), unreadable=(), more=False)


async def something_to_match(db: Database) -> bool:
    """Say whether an article waits; costs one look at an index."""
    async with db.reading() as tx:
        return await matches.is_anything_unmatched(tx)


async def match_articles(
    db: Database,
    *,
    now: datetime,
    cache: ChannelCache,
    limit: int = BATCH,
    enlist: Enlist | None = None,
    same_story: timedelta | None = None,
) -> Matched:
    """Ask the channels about up to ``limit`` articles that are not matched yet; write all of it in one transaction.

    ``enlist`` asks in it for the fan-outs. ``same_story`` says for how long a story that another source tells is the
    same one; None: never.
    Harmless to repeat and to run twice at once: an article is marked matched together with its matches, and only once.
    """
    async with db.reading() as tx:
        waiting = await matches.unmatched(tx, limit=limit)
        if not waiting:
            return _NOTHING
    await cache.refresh(db)
    async with db.reading() as tx:
        learnt = await boilerplate.learnt_lines(tx, waiting)
    found: dict[int, list[Match]] = {}
    faults: list[tuple[int, str]] = []
    for article in waiting:
        # Each in a thread of its own turn: a long article keeps neither the web nor the senders waiting.
        try:
            found[article.id] = await asyncio.to_thread(_ask, cache, article, learnt[article.source_id])
        except Exception as error:  # noqa: BLE001 - whatever it is, the other articles go on
            faults.append((article.id, excerpt(f"matching failed: {type(error).__name__}: {error}", _LONGEST_REASON)))

    async with db.transaction() as tx:
        if same_story is not None:
            await stories.take_turn(tx)
            await stories.purge_marks(tx, before=now - same_story)
        news = {one.id: await _record(tx, one, found[one.id], now, same_story) for one in waiting if one.id in found}
        recorded = {key for key, told in news.items() if told is not None}
        await _learn(tx, [article for article in waiting if article.id in recorded], now=now)
        given_up = [
            key for key, reason in faults if await matches.record_fault(tx, key, reason=reason, most=MOST_FAULTS)
        ]
        owing = tuple(one.id for one in waiting if news.get(one.id) and one.disposition is Disposition.ALERT)
        if enlist is not None:
            for article_id in owing:
                await enlist(tx, Job(Step.FAN_OUT, article_id))
    return Matched(
        articles=len(recorded),
        matches=sum(len(found[key]) for key in recorded),
        fan_outs=owing,
        faults=tuple(faults),
        set_aside=tuple(given_up),
        unreadable=cache.unreadable,
        more=len(waiting) == limit or len(faults) > len(given_up),
    )


async def _record(
    tx: AsyncConnection, article: Article, answers: Sequence[Match], now: datetime, same_story: timedelta | None
) -> Sequence[Match] | None:
    """Write an article's matches, but for channels that were told its story; return them, or None if it was matched."""
    # 1. Whose story is it?
    marks = marks_of(telling_of(article.item)) if answers and same_story is not None else ()
    story = await _story(tx, article, marks, same_story) if same_story is not None else None
    told = await stories.told_channels(tx, story) if story is not None else {}
    # 2. What is new to a channel is a match.
    new = [answer for answer in answers if answer.channel_id not in told]
    if not await matches.record_matches(tx, article.id, found=new, now=now):
        return None
    # 3. The rest repeats.
    if story is not None:
        repeated = {one.channel_id: told[one.channel_id] for one in answers if one.channel_id in told}
        await stories.record_story(tx, article, story=story, told=repeated, nothing_new=bool(answers) and not new)
        if article.disposition is Disposition.ALERT:
            keys = [one.channel_id for one in new]
            await stories.let_held_give_way(tx, article.id, story=story, channel_ids=keys)
    if marks and article.disposition in (Disposition.ALERT, Disposition.HELD):
        await stories.record_marks(tx, article, marks)
    return new


async def _story(tx: AsyncConnection, article: Article, marks: Sequence[int], window: timedelta) -> int | None:
    """Return the article that told this one's story first; None where it is the first."""
    telling = telling_of(article.item)
    for one in await stories.candidates(tx, article, marks, window=window):
        if judge(telling, telling_of(one.item)).same:
            return one.same_story_as or one.id
    return None


def _ask(cache: ChannelCache, article: Article, learnt: frozenset[str]) -> list[Match]:
    """Ask about an article without what its source prints under everything."""
    return cache.ask(replace(article, item=trim(article.item, learnt).item))


async def _learn(tx: AsyncConnection, recorded: Sequence[Article], *, now: datetime) -> None:
    """Remember the lines of articles that were marked matched just now, so each is counted once."""
    lines: dict[int, list[frozenset[str]]] = {}
    for article in recorded:
        lines.setdefault(article.source_id, []).append(learnable(article.item))
    for source_id in sorted(lines):  # two nodes never lock crosswise
        await boilerplate.learn_lines(tx, source_id, articles=lines[source_id], now=now)
        await boilerplate.forget_lines(tx, source_id, now=now)
