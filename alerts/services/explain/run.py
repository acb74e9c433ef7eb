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
    Disposition,
    Frequency,
    Hit,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from alerts.core.query import Aliases, Prepared, evaluate, parse, prepare
from alerts.core.query.quotes import Quote, quotes_of
from alerts.services.explain.limits import limits_of, named_in, paused
from alerts.storage import boilerplate, channels, traces
from alerts.storage.aliases import known_aliases
from alerts.storage.engine import Database
from alerts.storage.matches import matches_of
from alerts.storage.subscribers import subscriber_by_key
from alerts.storage.subscriptions import subscriptions_of
from alerts.storage.traces import Progress, Trace

_OF_DISPOSITION = {
    Disposition.SEEN: "it was there when its source was first polled, so nobody is alerted of it",
    Disposition.STALE: "it was older than its source's max_age when it was first seen, so nobody is alerted of it",
    Disposition.HELD: "its source brought far more than its habit: it is held until the operator releases or drops it",
    Disposition.DIGEST: "it was held as part of a flood and went out in a digest, of which this person is owed none",
    Disposition.DROPPED: "it was held as part of a flood, which the operator dropped",
    Disposition.REPEATED: "another source told its story before, in every channel that it answers",
}


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
        named = named_in(subscriptions, await matches_of(tx, article.id) if stored else [], trace)
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
            why=_why(article, progress, trace, subscriber, _wanted(held, answers)),
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


def _why(
    article: Article,
    progress: Progress | None,
    trace: Trace | None,
    subscriber: Subscriber | None,
    wanted: Sequence[Subscription],
) -> str:
    """Say in one sentence what came of the article for this person, or what stands in the way."""
    if trace is not None:
        what = "the digest that has it, delivery" if trace.in_digest else "delivery"
        return f"{what} {trace.delivery_id} is {trace.state.value}{f': {trace.reply}' if trace.reply else ''}"
    if progress is not None and progress.counted:
        return "whether a mail was sent is no longer known: the deliveries of that time are only counted"
    obstacle = (
        _of_person(subscriber, wanted)
        or paused(subscriber, article, progress)
        or _of_article(article, progress)
        or _of_time(article, progress, wanted)
    )
    return f"no mail: {obstacle}" if obstacle else "would get it: the article is not stored"


def _of_person(subscriber: Subscriber | None, wanted: Sequence[Subscription]) -> str | None:
    """Say why this person gets no mail of it at once, whatever became of the article."""
    if subscriber is None:
        return "nobody has subscribed with this address"
    if subscriber.state is SubscriberState.SUPPRESSED:
        return "the address is suppressed, it is never mailed again"
    if not wanted:
        return "no subscription to a channel that the article answers"
    active = [one for one in wanted if one.state is SubscriptionState.ACTIVE]
    if not active:
        return f"the subscription is {wanted[0].state.value}"
    if all(one.frequency is not Frequency.IMMEDIATE for one in active):
        return f"the subscription is {active[0].frequency.value}"
    return None


def _of_article(article: Article, progress: Progress | None) -> str | None:
    """Say why nobody, or nobody yet, gets a mail of this article."""
    if progress is None:
        return None
    if progress.set_aside is not None:
        return f"the article was set aside: {progress.set_aside}"
    if progress.matched_at is None:
        return "the article still waits to be matched"
    if article.disposition is Disposition.REPEATED:
        return f"{_OF_DISPOSITION[article.disposition]}: article {article.same_story_as}"
    return _OF_DISPOSITION.get(article.disposition)


def _of_time(article: Article, progress: Progress | None, wanted: Sequence[Subscription]) -> str | None:
    """Say why a mail that this person would get today was not owed when the article was matched."""
    if progress is None or progress.matched_at is None:
        return None
    if not progress.owes and progress.repeats:  # held, until others had told it
        return _OF_DISPOSITION[Disposition.REPEATED]
    if not progress.owes:
        return "when the article was matched, no channel answered"
    if all(one.activated_at is None or one.activated_at > progress.matched_at for one in _mailed(wanted)):
        return "the subscription began after the article was matched"
    return _of_fan_out(progress, article)


def _of_fan_out(progress: Progress, article: Article) -> str:
    if progress.fanned_out_at is None:
        return "its fan-out is still under way"
    if article.same_story_as is not None:
        return f"its fan-out is over; who was to get the same story as article {article.same_story_as} was left out"
    return "its fan-out is over"


def _mailed(wanted: Sequence[Subscription]) -> list[Subscription]:
    return [one for one in wanted if (one.state, one.frequency) == (SubscriptionState.ACTIVE, Frequency.IMMEDIATE)]
