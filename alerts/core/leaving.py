"""Leaving by the link of a mail: what its token says, what the mail named, what a choice on its page is about.

Pure: which channels a mail could name is looked up in ``storage.named``, and ``services.unsubscribe`` does what is
chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.core.model import Subscriber, Subscription, SubscriptionState
from alerts.core.tokens import Purpose, Secrets, TokenClaims, read

_NOTHING = TokenClaims(subscriber_id=0, article_id=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailClaims:
    """Whose link it is, and which mail it came with: an alert, a digest or a welcome; 0 where it is none."""

    subscriber_id: int
    article_id: int = 0
    digest_run_id: int = 0
    confirmation_id: int = 0  # that a welcome followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody wants to leave: one channel, everything, or, like a one-click, what the mail named."""

    slug: str | None = None
    everything: bool = False


THESE = Choice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A row that was merged into another: which one, and since when it had followed which channel."""

    subscriber_id: int
    since: Mapping[int, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """Whom an unsubscribe link belongs to, what it may end, and what the mail that it came with named."""

    subscriber: Subscriber | None  # None: the link is unknown
    held: tuple[Subscription, ...] = ()
    named: tuple[Subscription, ...] = ()
    moved: bool = False  # the mail went to an address that the person gave up

    @property
    def still_held(self) -> list[Subscription]:
        """The subscriptions that are not over."""
        return [one for one in self.held if one.state is not SubscriptionState.ENDED]

    def chosen(self, choice: Choice) -> tuple[Subscription, ...]:
        """Return the subscriptions that a choice is about.

        A mail whose article is gone can no longer say what it named; then it is all of them, since whoever presses
        that button must hear no more of it.
        """
        if choice.slug is not None:
            return tuple(one for one in self.held if one.channel_slug == choice.slug)
        return self.held if choice.everything else self.named or self.held

    def channels_to_leave(self, choice: Choice) -> list[int] | None:
        """Return the channels that a choice ends; None for everything, open requests included."""
        chosen = self.chosen(choice)
        is_all = choice.slug is None and (choice.everything or not self.named)
        return None if is_all and not self.moved else [one.channel_id for one in chosen]


def read_leaving(token: str, secrets: Secrets) -> MailClaims:
    """Read the token of an unsubscribe link; one that is not ours stands for nobody.

    It is read for every purpose whatever it is, so that each takes the same time (U7).
    """
    alert = read(token, Purpose.UNSUBSCRIBE, secrets)
    digest = read(token, Purpose.UNSUBSCRIBE_DIGEST, secrets)
    welcome = read(token, Purpose.UNSUBSCRIBE_WELCOME, secrets)
    found = alert or digest or welcome or _NOTHING
    return MailClaims(
        subscriber_id=found.subscriber_id,
        article_id=found.article_id if alert else 0,
        digest_run_id=found.article_id if digest else 0,
        confirmation_id=found.article_id if welcome else 0,
    )


def leaver(
    mail: MailClaims,
    person: Subscriber | None,
    held: Sequence[Subscription],
    *,
    former: Former | None,
    answered: Mapping[int, datetime],
) -> Leaver:
    """Say what a link may end: ``held`` is all that the person subscribes to, ended ones too.

    ``answered`` are the channels that the mail could name, each with the last moment by which one had to follow it. It
    counts when the person first came to a channel, not when the subscription last became active: the link of an old
    mail must still work for who left and came back. A link from a mailbox that the person gave up (``former``) reaches
    what they followed by that address, and nothing that the other row brought along.
    """
    if person is None:
        return Leaver(subscriber=None)
    since = former.since if former else {one.channel_id: one.created_at for one in held}
    mine = tuple(one for one in held if one.channel_id in since)
    if not answered and mail.confirmation_id and former is None and person.confirmed_at is not None:
        answered = dict.fromkeys(since, person.confirmed_at)  # the request is purged; a welcome follows the first one
    named = (one for one in mine if one.channel_id in answered)
    return Leaver(
        subscriber=person,
        held=mine,
        named=tuple(one for one in named if since[one.channel_id] <= answered[one.channel_id]),
        moved=former is not None,
    )
