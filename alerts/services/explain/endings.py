"""What came of an article for a person, in one sentence: the mail's end, or the first thing in its way."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from alerts.core.model import (
    Article,
    DeliveryState,
    Disposition,
    Frequency,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from alerts.services.explain.limits import paused
from alerts.storage.matches import Match
from alerts.storage.traces import Progress, Trace

_OF_DISPOSITION = {
    Disposition.SEEN: "it was there when its source was first polled, so nobody is alerted of it",
    Disposition.STALE: "it was older than its source's max_age when it was first seen, so nobody is alerted of it",
    Disposition.HELD: "its source brought far more than its habit: it is held until the operator releases or drops it",
    Disposition.DIGEST: "it was held as part of a flood and went out in a digest, of which this person is owed none",
    Disposition.DROPPED: "it was held as part of a flood, which the operator dropped",
    Disposition.REPEATED: "another source told its story before, in every channel that it answers",
}


def ending(  # noqa: PLR0917 - all that is known of it
    article: Article,
    progress: Progress | None,
    trace: Trace | None,
    subscriber: Subscriber | None,
    wanted: Sequence[Subscription],
    matched: Sequence[Match],
) -> str:
    """Say in one sentence what came of the article for this person, or what stands in the way.

    ``wanted``: the person's subscriptions to channels that the article answers now; ``matched``: what it answered when
    it was matched.
    """
    if trace is not None:
        what = "the digest that has it, delivery" if trace.in_digest else "delivery"
        why = _of_delivery(trace, _of_person(subscriber, wanted) or paused(subscriber, article, progress))
        return f"{what} {trace.delivery_id} is {trace.state.value}{f': {why}' if why else ''}"
    if progress is not None and progress.counted:
        return "whether a mail was sent is no longer known: the deliveries of that time are only counted"
    obstacle = (
        _of_person(subscriber, wanted)
        or paused(subscriber, article, progress)
        or _of_article(article, progress)
        or _of_time(article, progress, wanted, {match.channel_id for match in matched})
    )
    return f"no mail: {obstacle}" if obstacle else "would get it: the article is not stored"


def _of_delivery(trace: Trace, unwanted: str | None) -> str | None:
    """Say why a delivery stands where it does; ``unwanted`` is why the person gets no such mail now."""
    match trace.state:
        case DeliveryState.PENDING if trace.attempts:
            return f"deferred, tried again {trace.due_at:%Y-%m-%d %H:%M} UTC: {trace.reply or 'no reply'}"
        case DeliveryState.CANCELLED:
            return unwanted or "it was no longer wanted before its turn came"
        case DeliveryState.EXPIRED:
            return f"no server took it in time; the last reply: {trace.reply or 'none'}"
    return trace.reply


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
        return f"the subscription is {wanted[0].state.value}{_since(wanted[0])}"
    if all(one.frequency is not Frequency.IMMEDIATE for one in active):
        return f"the subscription is {active[0].frequency.value}"
    return None


def _since(subscription: Subscription) -> str:
    """Say why and when a subscription ended."""
    if subscription.ended_at is None:
        return ""
    reason = f"{subscription.end_reason.value} " if subscription.end_reason else ""
    return f": {reason}{subscription.ended_at:%Y-%m-%d %H:%M} UTC"


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


def _of_time(
    article: Article, progress: Progress | None, wanted: Sequence[Subscription], matched: Collection[int]
) -> str | None:
    """Say why a mail that this person would get today was not owed when the article was matched."""
    if progress is None or progress.matched_at is None:
        return None
    if not progress.owes and progress.repeats:  # held, until others had told it
        return _OF_DISPOSITION[Disposition.REPEATED]
    if not progress.owes:
        return "when the article was matched, no channel answered"
    in_time = [it for it in _mailed(wanted) if it.activated_at is not None and it.activated_at <= progress.matched_at]
    if not in_time:
        return "the subscription began after the article was matched"
    if article.same_story_as is None and not any(one.channel_id in matched for one in in_time):
        return f"{in_time[0].channel_slug} did not answer when the article was matched; its query changed since"
    return _of_fan_out(progress, article)


def _of_fan_out(progress: Progress, article: Article) -> str:
    if progress.fanned_out_at is None:
        return "its fan-out is still under way"
    if article.same_story_as is not None:
        return f"its fan-out is over; who was to get the same story as article {article.same_story_as} was left out"
    return "its fan-out is over"


def _mailed(wanted: Sequence[Subscription]) -> list[Subscription]:
    return [one for one in wanted if (one.state, one.frequency) == (SubscriptionState.ACTIVE, Frequency.IMMEDIATE)]
