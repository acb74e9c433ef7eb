"""Explain: why an article answers a channel or does not, and why a subscriber gets it or does not; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alerts.core.addresses import normalise
from alerts.core.boilerplate import trim
from alerts.core.errors import NotFoundError, QueryError
from alerts.core.model import (
    Article,
    Channel,
    ChannelState,
    Hit,
    SubscriberState,
    Subscription,
)
from alerts.core.query import Aliases, Prepared, evaluate, parse, prepare
from alerts.core.query.quotes import Quote, quotes_of
from alerts.services.explain.endings import ending
from alerts.services.explain.limits import limits_of, named_in
from alerts.storage import boilerplate, channels, traces
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database
from alerts.storage.matches import matches_of
from alerts.storage.subscribers import subscriber_by_key
from alerts.storage.subscriptions import subscriptions_of
from alerts.storage.traces import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one channel says of the article."""

    channel: Channel
    matched: bool
    score: float
    hits: tuple[Hit, ...]
    why: str
    quotes: tuple[Quote, ...] = ()  # the first places of each hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the article is to one subscriber."""

    email: str
    state: SubscriberState | None  # None: nobody has this address
    subscriptions: tuple[Subscription, ...]  # to the channels asked about
    delivery: Trace | None
    why: str
    named: tuple[str, ...]  # the channels that the one mail names, whichever were asked about
    limits: tuple[str, ...]  # whatever holds mails to this person, or of this article, back


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an article went where it went."""

    article: Article
    answers: tuple[Answer, ...]
    person: Person | None


async def explain_article(
    db: Database, article: Article, *, slug: str | None = None, email: str | None = None, stored: bool = True
) -> Explanation:
    """Ask the active channels (or the one of ``slug``) about an article as they are now, and follow it to ``email``.

    ``stored`` is False for an article read from a file, which nothing was ever done with. Raises NotFoundError for an
    unknown slug and AddressError for what is no address.
    """
    address = normalise(email) if email is not None else None
    async with db.reading() as tx:
        aliases = await known_aliases(tx)
        asked = await channels.active_channels(tx) if slug is None else await channels.channels_by_slugs(tx, [slug])
        if slug is not None and not asked:
            raise NotFoundError(f'There is no channel "{slug}"; `alerts channels list` shows them.')
        learnt = await boilerplate.learnt_lines(tx, [article])
        subscriber = await subscriber_by_key(tx, address.key) if address else None
        subscriptions = await subscriptions_of(tx, [subscriber.id]) if subscriber else []
        progress = await traces.progress_of(tx, article.id) if stored else None
        trace = None
        if subscriber and stored:
            trace = await traces.trace_of(tx, article_id=article.id, subscriber_id=subscriber.id)
        matched = await matches_of(tx, article.id) if stored else []
        named = named_in(subscriptions, matched, trace)
        limits = await limits_of(tx, article, subscriber, subscriptions) if subscriber else []
    answers = tuple(await asyncio.to_thread(_ask, asked, article, aliases, learnt[article.source_id]))
    person = None
    if address is not None:
        ids = {channel.id for channel in asked}
        held = tuple(one for one in subscriptions if one.channel_id in ids)
        person = Person(
            email=address.email,
            state=subscriber.state if subscriber else None,
            subscriptions=held,
            delivery=trace,
            why=ending(article, progress, trace, subscriber, _wanted(held, answers), matched),
            named=named,
            limits=tuple(limits),
        )
    return Explanation(article=article, answers=answers, person=person)


def _ask(asked: Sequence[Channel], article: Article, aliases: Aliases, learnt: frozenset[str]) -> list[Answer]:
    trimmed = trim(article.item, learnt)
    prepared = prepare(trimmed.item, source_name=article.source_name)
    answers = (_answer(channel, prepared, aliases) for channel in asked)
    return [_quoted(_say_left_out(answer, trimmed.left_out), article) for answer in answers]


def _say_left_out(answer: Answer, lines: int) -> Answer:
    """Add how many lines no query was asked about: captions, notes, and what the source prints under everything."""
    if not lines:
        return answer
    return replace(answer, why=f"{answer.why}; {lines} {'line' if lines == 1 else 'lines'} left out as no part of it")


def _quoted(answer: Answer, article: Article) -> Answer:
    return replace(answer, quotes=quotes_of(answer.hits, article))


def _answer(channel: Channel, prepared: Prepared, aliases: Aliases) -> Answer:
    try:
        verdict = evaluate(parse(channel.query, aliases), prepared)
    except QueryError as error:
        return Answer(channel=channel, matched=False, score=0.0, hits=(), why=f"its query cannot be read: {error}")
    retired = channel.state is ChannelState.RETIRED
    why = f"the channel is retired and matches nothing; asked all the same: {verdict.why}" if retired else verdict.why
    return Answer(
        channel=channel, matched=verdict.matched and not retired, score=verdict.score, hits=verdict.hits, why=why
    )


def _wanted(held: Sequence[Subscription], answers: Sequence[Answer]) -> list[Subscription]:
    """Return the subscriptions to channels that the article answers."""
    answering = {answer.channel.id for answer in answers if answer.matched}
    return [one for one in held if one.channel_id in answering]
