"""What a claimed delivery needs to become a message: the address, the article, the channels still wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Channel, Delivery, DeliveryKind, SubscriberState, SubscriptionState
from alerts.storage.articles import select_articles, to_article
from alerts.storage.channels import channels_by_ids
from alerts.storage.prepared import Prepared
from alerts.storage.schema import articles, confirmations, matches, subscribers, subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A claimed delivery with all that its message is made from.

    ``channels`` are those the mail may name: for an alert, the matching channels that this person still subscribes
    to and did when the article was matched; empty means that nobody wants the mail any more.
    """

    delivery: Delivery
    recipient: str | None  # None: the subscriber was forgotten
    state: SubscriberState | None
    language: str | None
    article: Article | None = None
    channels: tuple[Channel, ...] = ()
    confirmation_salt: bytes | None = None

    @property
    def wanted(self) -> bool:
        """Whether this mail may still be sent."""
        if self.recipient is None:
            return False
        match self.delivery.kind:
            case DeliveryKind.ALERT:
                return self.state is not SubscriberState.SUPPRESSED and self.article is not None and bool(self.channels)
            case DeliveryKind.CONFIRMATION:
                return self.confirmation_salt is not None
            case DeliveryKind.TEST:
                return True
            case DeliveryKind.DIGEST:
                return self.state is not SubscriberState.SUPPRESSED


async def load_letters(tx: AsyncConnection, claimed: Sequence[Delivery]) -> list[Letter]:
    """Load what the claimed deliveries need, with a fixed number of queries however many they are."""
    people = await _people(tx, {one.subscriber_id for one in claimed})
    stories = await _articles(tx, _present(one.article_id for one in claimed))
    alerted = await _alert_channels(tx, [one for one in claimed if one.article_id is not None])
    asked = await _confirmations(tx, _present(one.confirmation_id for one in claimed))
    named = set().union(*alerted.values(), *(ids for _, ids in asked.values())) if alerted or asked else set()
    channels = {it.id: it for it in await channels_by_ids(tx, sorted(named))}
    letters = []
    for one in claimed:
        email, state, language = people.get(one.subscriber_id, (None, None, None))
        salt, confirming = asked.get(one.confirmation_id or 0, (None, []))
        ids = confirming if one.kind is DeliveryKind.CONFIRMATION else alerted.get(one.id, [])
        letters.append(
            Letter(
                delivery=one,
                recipient=email,
                state=SubscriberState(state) if state else None,
                language=language,
                article=stories.get(one.article_id or 0),
                channels=tuple(channels[it] for it in ids if it in channels),
                confirmation_salt=salt,
            )
        )
    return letters


def _present(ids: Iterable[int | None]) -> list[int]:
    return sorted({it for it in ids if it is not None})


_LEFT = Prepared(select(subscriptions.c.subscriber_id).where(subscriptions.c.ended_at >= bindparam("since")))


async def left_since(tx: AsyncConnection, since: datetime) -> set[int]:
    """Find who ended a subscription since then: their letters must be looked at anew (U3)."""
    return set(await _LEFT.column(tx, {"since": since}))


async def addresses_of(tx: AsyncConnection, subscriber_ids: Collection[int]) -> dict[int, str]:
    """Find the addresses of these subscribers; forgotten ones have none."""
    statement = select(subscribers.c.id, subscribers.c.email).where(subscribers.c.id.in_(subscriber_ids))
    return dict((await tx.execute(statement)).all())


async def _articles(tx: AsyncConnection, ids: list[int]) -> dict[int, Article]:
    rows = (await tx.execute(select_articles().where(articles.c.id.in_(ids)))).all()
    return {article.id: article for article in map(to_article, rows)}


async def _people(tx: AsyncConnection, ids: set[int]) -> dict[int, tuple[str, str, str | None]]:
    columns = subscribers.c
    statement = select(columns.id, columns.email, columns.state, columns.language).where(columns.id.in_(ids))
    return {key: (email, state, language) for key, email, state, language in (await tx.execute(statement)).all()}


async def _alert_channels(tx: AsyncConnection, claimed: Sequence[Delivery]) -> dict[int, list[int]]:
    """Find the channels that each alert names, in the order of the match's score, then of the channel.

    Two look-ups by key, joined here: a database that has not counted its rows yet joins them row by row.
    """
    named = await _matches(tx, _present(one.article_id for one in claimed))
    channel_ids = {channel_id for story in named.values() for channel_id, _ in story}
    active = await _active(tx, {one.subscriber_id for one in claimed}, channel_ids)
    found: dict[int, list[int]] = {}
    for one in claimed:
        since = active.get(one.subscriber_id, {})
        found[one.id] = [
            channel_id
            for channel_id, matched_at in named.get(one.article_id or 0, [])
            if channel_id in since and since[channel_id] <= matched_at
        ]
    return found


async def _matches(tx: AsyncConnection, article_ids: list[int]) -> dict[int, list[tuple[int, datetime]]]:
    """Find the channels that matched each article, the best match first, with the time that the article was matched."""
    statement = (
        select(matches.c.article_id, matches.c.channel_id, articles.c.matched_at)
        .join(articles, articles.c.id == matches.c.article_id)
        .where(matches.c.article_id.in_(article_ids), articles.c.matched_at.is_not(None))
        .order_by(matches.c.article_id, matches.c.score.desc(), matches.c.channel_id)
    )
    found: defaultdict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for article_id, channel_id, matched_at in (await tx.execute(statement)).all() if article_ids else []:
        found[article_id].append((channel_id, matched_at))
    return found


async def _active(
    tx: AsyncConnection, subscriber_ids: set[int], channel_ids: set[int]
) -> dict[int, dict[int, datetime]]:
    """Find to which of the channels each person subscribes now, and since when."""
    columns = subscriptions.c
    statement = select(columns.subscriber_id, columns.channel_id, columns.activated_at).where(
        columns.subscriber_id.in_(subscriber_ids),
        columns.channel_id.in_(channel_ids),
        columns.state == SubscriptionState.ACTIVE,
        columns.activated_at.is_not(None),
    )
    found: defaultdict[int, dict[int, datetime]] = defaultdict(dict)
    for subscriber_id, channel_id, activated_at in (await tx.execute(statement)).all() if channel_ids else []:
        found[subscriber_id][channel_id] = activated_at
    return found


async def _confirmations(tx: AsyncConnection, ids: list[int]) -> dict[int, tuple[bytes, list[int]]]:
    """Find the open confirmations: what is confirmed already needs no mail."""
    if not ids:
        return {}
    statement = select(confirmations.c.id, confirmations.c.salt, confirmations.c.channel_ids).where(
        confirmations.c.id.in_(ids), confirmations.c.confirmed_at.is_(None)
    )
    return {key: (salt, channel_ids) for key, salt, channel_ids in (await tx.execute(statement)).all()}
