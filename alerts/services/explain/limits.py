"""What holds mails to one person back, and which channels one mail names: parts of an explanation, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.addresses import normalise
from alerts.core.model import (
    Article,
    Disposition,
    Frequency,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from alerts.storage import traces
from alerts.storage.breakers import shut_breakers
from alerts.storage.matches import Match
from alerts.storage.secrets import load_secrets
from alerts.storage.suppressions import reason_of
from alerts.storage.traces import Progress, Trace

_OF_ARTICLE = {
    Disposition.SEEN: "first poll: what was there when its source was first polled is mailed to nobody",
    Disposition.STALE: "max_age: it was older than its source allows when it was first seen",
}


async def limits_of(
    tx: AsyncConnection, article: Article, subscriber: Subscriber, subscriptions: Sequence[Subscription]
) -> list[str]:
    """Return a sentence for each limit in force: of the article, the person, their subscriptions, their domain."""
    address = normalise(subscriber.email)
    found = [_OF_ARTICLE[article.disposition]] if article.disposition in _OF_ARTICLE else []
    if subscriber.state is SubscriberState.SUPPRESSED:
        reason = await reason_of(tx, address.key, secrets=await load_secrets(tx))
        found.append(f"suppressed: the address {reason.value if reason else 'is'}; it is never mailed again")
    if subscriber.paused_until_at is not None:
        found.append(
            f"paused: no alerts before {subscriber.paused_until_at:%Y-%m-%d %H:%M} UTC, by the person's own wish"
        )
    found += [
        f"frequency: {one.channel_slug} is {one.frequency.value}, not mailed at once"
        for one in subscriptions
        if one.state is SubscriptionState.ACTIVE and one.frequency is not Frequency.IMMEDIATE
    ]
    if any(one.state is SubscriptionState.PENDING for one in subscriptions):
        found.append(_of_confirmation(await traces.confirmation_of(tx, subscriber.id)))
    breaker = (await shut_breakers(tx)).get(address.domain_ascii)
    if breaker is not None:
        found.append(
            f"breaker: {breaker.domain} refuses us ({breaker.reason}); "
            f"tried again {breaker.probe_at:%Y-%m-%d %H:%M} UTC"
        )
    return found


def named_in(
    subscriptions: Sequence[Subscription], matched: Sequence[Match], delivery: Trace | None
) -> tuple[str, ...]:
    """Return the channels that the one mail about an article names: those that it matched and the person followed."""
    ids = {match.channel_id for match in matched}
    return tuple(
        one.channel_slug
        for one in subscriptions
        if delivery is not None and one.channel_id in ids and _mailed(one, delivery)
    )


def paused(subscriber: Subscriber | None, article: Article, progress: Progress | None) -> str | None:
    """Say that the person paused when the article would have been mailed, if so."""
    until = subscriber.paused_until_at if subscriber else None
    at = (progress and (progress.fanned_out_at or progress.matched_at)) or article.first_seen_at
    if until is None or until <= at:
        return None
    return f"alerts are paused until {until:%Y-%m-%d %H:%M} UTC, by the person's own wish"


def _mailed(subscription: Subscription, delivery: Trace) -> bool:
    """Say whether a subscription was active and immediate when the mail went out, or is while it waits."""
    if subscription.frequency is not Frequency.IMMEDIATE or subscription.activated_at is None:
        return False
    if subscription.state is SubscriptionState.ACTIVE:
        return subscription.activated_at <= (delivery.finished_at or subscription.activated_at)
    ended_at, finished_at = subscription.ended_at, delivery.finished_at
    return ended_at is not None and finished_at is not None and ended_at > finished_at


def _of_confirmation(asked: Trace | None) -> str:
    if asked is None:
        return "confirmation: no mail asks for it: the forms' budgets were spent, or it is no longer kept"
    reply = f" ({asked.reply})" if asked.reply else ""
    return f"confirmation: not given yet; the mail that asks for it is {asked.state.value}{reply}"
