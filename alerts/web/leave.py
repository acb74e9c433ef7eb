"""For whoever wants to leave: the page behind a mail's unsubscribe link, and the one-click of mailboxes (RFC 8058).

The token in the URL is all the authority there is: no cookie, no login, no check of where a request comes from.
Who pressed a button here may take it back for a minute, by a sealed field that says which press it was.
An unknown token gets the same status after the same work as a used one (U7); only the page's words differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.addresses import mask
from alerts.core.model import Subscriber, Subscription, SubscriptionState
from alerts.core.tokens import Purpose, TokenClaims, read, sign
from alerts.core.undo import last_leaving, mark_of, moment_of
from alerts.services.preferences import person_for_manage
from alerts.services.unsubscribe import channels_of_mail, undo, unsubscribe, unsubscribe_by_mail
from alerts.web.forms import read_form
from alerts.web.state import SiteState, state_of

ONE_CHANNEL = "channel:"  # then the slug
ALL = "all"
UNDO = "undo"  # a field; it holds a token of its own
_NOBODY = TokenClaims(subscriber_id=0, article_id=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailClaims:
    """Whose link it is, and which mail it came with: an alert about an article, or a digest; 0 where it is none."""

    subscriber_id: int
    article_id: int = 0
    digest_run_id: int = 0


_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom an unsubscribe link belongs to, and what the mail that it came with named."""

    subscriber: Subscriber | None
    held: tuple[Subscription, ...]
    named: tuple[Subscription, ...]

    @property
    def still_held(self) -> list[Subscription]:
        """The subscriptions that are not over."""
        return [one for one in self.held if one.state is not SubscriptionState.ENDED]

    def chosen(self, choice: str) -> tuple[Subscription, ...]:
        """Return the subscriptions that a choice is about: all, one, or those that the mail named."""
        if choice.startswith(ONE_CHANNEL):
            return tuple(one for one in self.held if one.channel_slug == choice.removeprefix(ONE_CHANNEL))
        return self.held if choice == ALL else self.named or self.held


class Leave(HTTPEndpoint):
    """``/u/{token}``; ``:path``, since a garbled token may hold anything."""

    async def get(self, request: Request) -> Response:
        """Show the choices as buttons; change nothing (U6)."""
        site = state_of(request)
        reader = await _look(site, _claims(site, request))
        if reader.subscriber is None:
            return _unknown(request)
        # A mail whose article is gone cannot say what it named; its one-click ends everything, so that is what we show.
        named = [one for one in reader.still_held if one in reader.named or not reader.named]
        return site.pages.answer(
            request,
            "leave.html",
            headers=_NO_STORE,
            person=reader.subscriber.language,
            address=mask(reader.subscriber.email),
            named=named,
            others=[one for one in reader.still_held if one not in named],
            undo=_undo_of(site, reader),
        )

    async def post(self, request: Request) -> Response:
        """Leave: the channels that the mail named, or what a button of the page says; the answer means durable (U2)."""
        site = state_of(request)
        claims = _claims(site, request)
        form = await read_form(request)
        if UNDO in form:  # never a one-click: mailboxes send no such field
            return await _undone(request, claims, form[UNDO])
        choice = form.get("leave", "")
        await _leave(site, claims, choice)
        reader = await _look(site, claims)
        if reader.subscriber is None:
            return _unknown(request)
        return site.pages.answer(
            request,
            "left.html",
            headers=_NO_STORE,
            person=reader.subscriber.language,
            address=mask(reader.subscriber.email),
            ended=[one for one in reader.chosen(choice) if one not in reader.still_held],
            still_held=reader.still_held,
            undo=_undo_of(site, reader),
            manage=sign(Purpose.MANAGE, reader.subscriber.id, 0, site.app.secrets),
        )


async def _leave(site: SiteState, claims: MailClaims, choice: str) -> None:
    """Do what was chosen; anything that is no choice of ours is the one-click of this mail (U9)."""
    db, now, person = site.app.db, site.now(), claims.subscriber_id
    if choice == ALL:
        await unsubscribe(db, subscriber_id=person, channel_ids=None, now=now)
        return
    if choice.startswith(ONE_CHANNEL):
        slug = choice.removeprefix(ONE_CHANNEL)
        found = await person_for_manage(db, person)
        ids = [one.channel_id for one in (found[1] if found else ()) if one.channel_slug == slug]
        await unsubscribe(db, subscriber_id=person, channel_ids=ids, now=now)
        return
    await unsubscribe_by_mail(
        db, subscriber_id=person, article_id=claims.article_id, digest_run_id=claims.digest_run_id, now=now
    )


async def _undone(request: Request, claims: MailClaims, sealed: str) -> Response:
    """Take back what a press of the button ended; say so, or that it is too late."""
    site = state_of(request)
    sealed_claims = read(sealed, Purpose.UNDO, site.app.secrets) or _NOBODY
    mine = sealed_claims.subscriber_id == claims.subscriber_id
    done = await undo(
        site.app.db,
        subscriber_id=claims.subscriber_id if mine else 0,
        moment=moment_of(sealed_claims.article_id),
        now=site.now(),
        enlist=site.app.queue.enlist,
    )
    reader = await _look(site, claims)
    if reader.subscriber is None:
        return _unknown(request)
    return site.pages.answer(
        request,
        "undone.html",
        headers=_NO_STORE,
        person=reader.subscriber.language,
        address=mask(reader.subscriber.email),
        done=done,
        still_held=reader.still_held,
        manage=sign(Purpose.MANAGE, reader.subscriber.id, 0, site.app.secrets),
    )


def _undo_of(site: SiteState, reader: Reader) -> str | None:
    """Seal the moment of the last leaving while it can be taken back."""
    moment = last_leaving(reader.held, site.now()) if reader.subscriber else None
    if moment is None or reader.subscriber is None:
        return None
    return sign(Purpose.UNDO, reader.subscriber.id, mark_of(moment), site.app.secrets)


async def _look(site: SiteState, claims: MailClaims) -> Reader:
    found = await person_for_manage(site.app.db, claims.subscriber_id)
    named = await channels_of_mail(
        site.app.db,
        subscriber_id=claims.subscriber_id,
        article_id=claims.article_id,
        digest_run_id=claims.digest_run_id,
    )
    return Reader(subscriber=found[0] if found else None, held=found[1] if found else (), named=named)


def _claims(site: SiteState, request: Request) -> MailClaims:
    """Read the token, for both purposes whatever it is; one that is not ours stands for nobody, and goes that way."""
    token = request.path_params["token"]
    of_digest = read(token, Purpose.UNSUBSCRIBE_DIGEST, site.app.secrets)
    of_alert = read(token, Purpose.UNSUBSCRIBE, site.app.secrets) or _NOBODY
    if of_digest is not None:
        return MailClaims(subscriber_id=of_digest.subscriber_id, digest_run_id=of_digest.article_id)
    return MailClaims(subscriber_id=of_alert.subscriber_id, article_id=of_alert.article_id)


def _unknown(request: Request) -> Response:
    site = state_of(request)
    return site.pages.answer(request, "link_unknown.html", headers=_NO_STORE, purpose="unsubscribe")


ROUTES = [Route("/u/{token:path}", Leave)]
