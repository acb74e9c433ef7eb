"""What a claimed delivery needs to become a message: the address, the article, the channels still wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Channel, Delivery, DeliveryKind, SubscriberState, SubscriptionState
from alerts.storage.articles import select_articles, to_article
from alerts.storage.channels import channels_by_ids
from alerts.storage.digests import DigestOf, channels_of_runs, load_digests
from alerts.storage.prepared import Prepared, Transaction, among
from alerts.storage.schema import articles, confirmations, matches, subscribers, subscriptions

WELCOME_ARTICLES = 3  # so many a welcome shows


class Digest(NamedTuple):
    """What a digest lists: some of its articles with the channels that they answer, and how many there are in all."""

    stories: tuple[tuple[Article, tuple[Channel, ...]], ...]
    total: int


class Letter(NamedTuple):
    """A claimed delivery with all that its message is made from; a tuple, as each mail costs one.

    ``channels`` are those the mail may name: for an alert, the matching channels that this person still subscribes
    to and did when the article was matched; for a digest, those of all its articles; empty means that nobody wants the
    mail any more.
    """

    delivery: Delivery
    recipient: str | None  # None: the subscriber was forgotten
    state: SubscriberState | None
    language: str | None
    article: Article | None = None
    channels: tuple[Channel, ...] = ()
    confirmation_salt: bytes | None = None
    latest: tuple[Article, ...] = ()  # for a welcome: the newest articles of its channels
    new_email: str | None = None  # the address that the mail is about, where one is changed
    digest: Digest | None = None

    @property
    def wanted(self) -> bool:
        """Whether this mail may still be sent."""
        if self.recipient is None:
            return False
        match self.delivery.kind:
            case DeliveryKind.ALERT:
                return self.state is not SubscriberState.SUPPRESSED and self.article is not None and bool(self.channels)
            case DeliveryKind.CONFIRMATION | DeliveryKind.ADDRESS_CONFIRMATION:
                return self.confirmation_salt is not None
            case DeliveryKind.TEST | DeliveryKind.ADDRESS_CHANGED:
                return True
            case DeliveryKind.WELCOME:
                return self.state is SubscriberState.ACTIVE and bool(self.channels)
            case DeliveryKind.MANAGE_LINK | DeliveryKind.DIGEST:
                is_owed = self.digest is None or bool(self.channels)
                return self.state is not SubscriberState.SUPPRESSED and is_owed


class _Asked(NamedTuple):
    """What a confirmation asks, as its mails need it."""

    salt: bytes
    channel_ids: tuple[int, ...]
    email: str | None
    former_email: str | None
    open: bool


_NOTHING_ASKED = _Asked(b"", (), None, None, open=False)
_STATES = {state.value: state for state in SubscriberState}
_UNKNOWN = (None, None, None, None)


async def load_letters(tx: AsyncConnection, claimed: Sequence[Delivery]) -> list[Letter]:
    """Load what the claimed deliveries need, with a fixed number of queries however many they are."""
    people = await _people(tx, [one.subscriber_id for one in claimed])
    stories = await _articles(tx, _present(one.article_id for one in claimed))
    alerted = await _alert_channels(tx, [one for one in claimed if one.article_id is not None])
    asked = await _confirmations(tx, _present(one.confirmation_id for one in claimed))
    confirming = {key: it.channel_ids for key, it in asked.items()}
    welcomed = await _welcomed(tx, [one for one in claimed if one.kind is DeliveryKind.WELCOME], confirming)
    newest = {ids: await _newest_articles(tx, ids) for ids in set(welcomed.values())}
    digests = await _digests(tx, [one for one in claimed if one.digest_run_id is not None])
    listed = {one.channel_ids for one in digests.values()}
    named = set().union(*set(alerted.values()), *confirming.values(), *listed)
    known = {it.id: it for it in await channels_by_ids(tx, sorted(named))}
    channels = {
        ids: tuple(known[it] for it in ids if it in known)
        for ids in {*alerted.values(), *confirming.values(), *newest, *listed}
    }
    letters = []
    for one in claimed:
        email, state, language, paused_until_at = people.get(one.subscriber_id, _UNKNOWN)
        request = asked.get(one.confirmation_id or 0, _NOTHING_ASKED)
        listing = digests.get(one.id)
        ids = alerted.get(one.id, welcomed.get(one.id, confirming.get(one.confirmation_id or 0)))
        ids = listing.channel_ids if listing is not None else ids
        is_news = one.article_id is not None or listing is not None
        if paused_until_at is not None and is_news and one.dated_at < paused_until_at:
            ids = ()  # a fan-out was under way when the person paused; nothing is saved up
        letters.append(
            Letter(
                one,
                _recipient(one.kind, request, email),
                _STATES[state] if state else None,
                language,
                stories.get(one.article_id or 0),
                channels[ids] if ids else (),
                request.salt if request.open else None,
                newest.get(welcomed[one.id], ()) if one.id in welcomed else (),
                request.email,
                _digest(listing, known) if listing is not None else None,
            )
        )
    return letters


def _present(ids: Iterable[int | None]) -> list[int]:
    return sorted({it for it in ids if it is not None})


_LEFT = Prepared(select(subscriptions.c.subscriber_id).where(subscriptions.c.ended_at >= bindparam("since")), "since")


async def left_since(tx: Transaction, since: datetime) -> set[int]:
    """Find who ended a subscription since then: their letters must be looked at anew (U3)."""
    return set(await _LEFT.column(tx, since))


async def addresses_of(tx: AsyncConnection, subscriber_ids: Collection[int]) -> dict[int, str]:
    """Find the addresses of these subscribers; forgotten ones have none."""
    statement = select(subscribers.c.id, subscribers.c.email).where(subscribers.c.id.in_(subscriber_ids))
    return dict((await tx.execute(statement)).all())


async def _articles(tx: AsyncConnection, ids: list[int]) -> dict[int, Article]:
    rows = (await tx.execute(select_articles().where(articles.c.id.in_(ids)))).all()
    return {article.id: article for article in map(to_article, rows)}


_PEOPLE = Prepared(
    select(
        subscribers.c.id,
        subscribers.c.email,
        subscribers.c.state,
        subscribers.c.language,
        subscribers.c.paused_until_at,
    ).where(among(subscribers.c.id, "ids")),
    "ids",
)


async def _people(tx: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[str, str, str | None, datetime | None]]:
    return {key: (email, state, language, until) for key, email, state, language, until in await _PEOPLE.rows(tx, ids)}


async def _alert_channels(tx: AsyncConnection, claimed: Sequence[Delivery]) -> dict[int, tuple[int, ...]]:
    """Find the channels that each alert names, in the order of the match's score, then of the channel.

    Two look-ups by key, joined here: a database that has not counted its rows yet joins them row by row.
    """
    named = await _matches(tx, _present(one.article_id for one in claimed))
    channel_ids = {channel_id for story in named.values() for channel_id, _ in story}
    active = await _active(tx, {one.subscriber_id for one in claimed}, channel_ids)
    found: dict[int, tuple[int, ...]] = {}
    for one in claimed:
        since = active.get(one.subscriber_id)
        story = named.get(one.article_id or 0)
        found[one.id] = tuple([it for it, at in story if it in since and since[it] <= at]) if since and story else ()
    return found


async def _digests(tx: AsyncConnection, claimed: Sequence[Delivery]) -> dict[int, DigestOf]:
    """Find what each digest lists."""
    if not claimed:
        return {}
    reached = await channels_of_runs(tx, {one.digest_run_id for one in claimed if one.digest_run_id is not None})
    asked = {channel_id for run in reached.values() for channel_id in run}
    active = await _active(tx, {one.subscriber_id for one in claimed}, asked)
    return await load_digests(tx, claimed, reached, active)


def _digest(listing: DigestOf, known: Mapping[int, Channel]) -> Digest:
    stories = ((article, tuple(known[it] for it in ids if it in known)) for article, ids in listing.stories)
    return Digest(tuple(stories), listing.total)


_MATCHES = Prepared(
    select(matches.c.article_id, matches.c.channel_id, articles.c.matched_at)
    .join(articles, articles.c.id == matches.c.article_id)
    .where(among(matches.c.article_id, "ids"), articles.c.matched_at.is_not(None))
    .order_by(matches.c.article_id, matches.c.score.desc(), matches.c.channel_id),
    "ids",
)


async def _matches(tx: AsyncConnection, article_ids: list[int]) -> dict[int, list[tuple[int, datetime]]]:
    """Find the channels that matched each article, the best match first, with the time that the article was matched."""
    found: defaultdict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for article_id, channel_id, matched_at in await _MATCHES.rows(tx, article_ids) if article_ids else []:
        found[article_id].append((channel_id, matched_at))
    return found


_HELD = Prepared(
    select(
        subscriptions.c.subscriber_id,
        subscriptions.c.channel_id,
        subscriptions.c.state,
        subscriptions.c.activated_at,
    ).where(among(subscriptions.c.subscriber_id, "subscribers")),
    "subscribers",
)


async def _active(
    tx: AsyncConnection, subscriber_ids: set[int], channel_ids: set[int]
) -> dict[int, dict[int, datetime]]:
    """Find to which of the channels each person subscribes now, and since when.

    Asked by person alone, who has few: a database that has not counted lately may take anything else for the rarer, and
    looks through all that subscribe to a channel.
    """
    if not channel_ids:
        return {}
    found: dict[int, dict[int, datetime]] = {}
    for subscriber_id, channel_id, state, activated_at in await _HELD.rows(tx, sorted(subscriber_ids)):
        if channel_id not in channel_ids or state != SubscriptionState.ACTIVE or activated_at is None:
            continue
        if subscriber_id in found:
            found[subscriber_id][channel_id] = activated_at
        else:
            found[subscriber_id] = {channel_id: activated_at}
    return found


async def _welcomed(
    tx: AsyncConnection, welcomes: Sequence[Delivery], confirmed: Mapping[int, tuple[int, ...]]
) -> dict[int, tuple[int, ...]]:
    """Find the channels that each welcome names: those confirmed by it that the person did not leave since."""
    found: dict[int, tuple[int, ...]] = {}
    for one in welcomes:
        ids = confirmed.get(one.confirmation_id or 0, ())
        active = await _active(tx, {one.subscriber_id}, set(ids))
        found[one.id] = tuple(it for it in ids if it in active.get(one.subscriber_id, {}))
    return found


async def _newest_articles(tx: AsyncConnection, channel_ids: tuple[int, ...]) -> tuple[Article, ...]:
    """Find the newest articles of some channels together, the newest first; each channel asked by its index."""
    found: set[int] = set()
    for channel_id in channel_ids:
        newest = select(matches.c.article_id).where(matches.c.channel_id == channel_id)
        found |= set(await tx.scalars(newest.order_by(matches.c.article_id.desc()).limit(WELCOME_ARTICLES)))
    latest = sorted(found, reverse=True)[:WELCOME_ARTICLES]
    known = await _articles(tx, latest)
    return tuple(known[it] for it in latest if it in known)


async def _confirmations(tx: AsyncConnection, ids: list[int]) -> dict[int, _Asked]:
    """Find what was asked for; what is confirmed already needs no question any more."""
    if not ids:
        return {}
    it = confirmations.c
    statement = select(it.id, it.salt, it.channel_ids, it.email, it.former_email, it.confirmed_at.is_(None))
    rows = (await tx.execute(statement.where(it.id.in_(ids)))).all()
    return {
        key: _Asked(bytes(salt), tuple(channel_ids), email, former, bool(still_open))
        for key, salt, channel_ids, email, former, still_open in rows
    }


def _recipient(kind: DeliveryKind, request: _Asked, email: str | None) -> str | None:
    """Say to which address of a person a mail goes; to none when the person was forgotten."""
    if email is None:
        return None
    match kind:
        case DeliveryKind.ADDRESS_CONFIRMATION:
            return request.email
        case DeliveryKind.ADDRESS_CHANGED:
            return request.former_email
        case _:
            return email
