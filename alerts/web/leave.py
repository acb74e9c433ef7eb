"""For whoever wants to leave: the page behind a mail's unsubscribe link, and the one-click of mailboxes (RFC 8058).

The token in the URL is all the authority there is: no cookie, no login, no check of where a request comes from.
Who pressed a button here may take it back for a minute, by a sealed field that says which press it was.
An unknown token gets the same status after the same work as a used one (U7); only the page's words differ.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.addresses import mask
from alerts.core.leaving import THESE, Choice, Leaver, MailClaims, read_leaving
from alerts.core.model import Subscriber
from alerts.core.tokens import Purpose, TokenClaims, read, sign
from alerts.core.undo import last_leaving, mark_of, moment_of
from alerts.services.unsubscribe import look_at_leaving, undo, unsubscribe_by_mail
from alerts.web.forms import read_form
from alerts.web.state import SiteState, state_of
from alerts.web.token_paths import ANY_TOKEN

ONE_CHANNEL = "channel:"  # then the slug
ALL = "all"
UNDO = "undo"  # a field; it holds a token of its own
_NOBODY = TokenClaims(subscriber_id=0, article_id=0)
_NO_STORE = {"Cache-Control": "no-store"}


class Leave(HTTPEndpoint):
    """``/u/{token}``."""

    async def get(self, request: Request) -> Response:
        """Show the choices as buttons; change nothing (U6)."""
        site = state_of(request)
        reader = await look_at_leaving(site.app.db, _claims(site, request))
        if reader.subscriber is None:
            return _unknown(request)
        about = reader.chosen(THESE)
        named = [one for one in reader.still_held if one in about]
        others = [one for one in reader.still_held if one not in named]
        return _page(request, "leave.html", reader.subscriber, reader, named=named, others=others)

    async def post(self, request: Request) -> Response:
        """Leave: the channels that the mail named, or what a button of the page says; the answer means durable (U2)."""
        site = state_of(request)
        claims = _claims(site, request)
        form = await read_form(request)
        if UNDO in form:  # never a one-click: mailboxes send no such field
            return await _undone(request, claims, form[UNDO])
        choice = _choice(form.get("leave", ""))
        await unsubscribe_by_mail(site.app.db, mail=claims, choice=choice, now=site.now())
        reader = await look_at_leaving(site.app.db, claims)
        if reader.subscriber is None:
            return _unknown(request)
        ended = [one for one in reader.chosen(choice) if one not in reader.still_held]
        return _page(request, "left.html", reader.subscriber, reader, ended=ended)


def _choice(pressed: str) -> Choice:
    """Read what was pressed; anything that is no choice of ours is the one-click of this mail (U9)."""
    if pressed.startswith(ONE_CHANNEL):
        return Choice(slug=pressed.removeprefix(ONE_CHANNEL))
    return Choice(everything=pressed == ALL)


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
    reader = await look_at_leaving(site.app.db, claims)
    if reader.subscriber is None:
        return _unknown(request)
    return _page(request, "undone.html", reader.subscriber, reader, done=done)


def _page(request: Request, name: str, person: Subscriber, reader: Leaver, **more: object) -> Response:
    """Show a page about leaving; a mailbox that the person gave up gets no link to the preferences."""
    site = state_of(request)
    return site.pages.answer(
        request,
        name,
        status=HTTPStatus.OK,
        headers=_NO_STORE,
        person=person.language,
        address=mask(person.email),
        still_held=reader.still_held,
        moved=reader.moved,
        undo=_undo_of(site, reader),
        manage=None if reader.moved else sign(Purpose.MANAGE, person.id, 0, site.app.secrets),
        **more,
    )


def _undo_of(site: SiteState, reader: Leaver) -> str | None:
    """Seal the moment of the last leaving while it can be taken back; not for a mailbox that the person gave up."""
    if reader.subscriber is None or reader.moved:
        return None
    moment = last_leaving(reader.held, site.now())
    return sign(Purpose.UNDO, reader.subscriber.id, mark_of(moment), site.app.secrets) if moment else None


def _claims(site: SiteState, request: Request) -> MailClaims:
    return read_leaving(request.path_params["token"], site.app.secrets)


def _unknown(request: Request) -> Response:
    site = state_of(request)
    return site.pages.answer(request, "link_unknown.html", headers=_NO_STORE, purpose="unsubscribe")


ROUTES = [Route("/u/" + ANY_TOKEN, Leave)]
