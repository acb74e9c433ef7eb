"""For a subscriber, by the link in every mail: what they get, a button to leave each channel, and to be forgotten."""

from __future__ import annotations

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.addresses import mask
from alerts.core.model import Subscription, SubscriptionState
from alerts.core.sentences import N_
from alerts.core.tokens import Purpose, read
from alerts.services.forget import forget
from alerts.services.preferences import Held, person_for_manage
from alerts.services.unsubscribe import unsubscribe
from alerts.web.forms import read_form
from alerts.web.state import SiteState, state_of

LEAVE_ONE = "leave:"  # then the slug
LEAVE_ALL = "leave-all"
FORGET = "forget"
Note = tuple[str, dict[str, str]]  # a sentence and what fills its places
_NO_STORE = {"Cache-Control": "no-store"}


class Manage(HTTPEndpoint):
    """``/m/{token}``."""

    async def get(self, request: Request) -> Response:
        """Show what the person subscribes to; change nothing."""
        site = state_of(request)
        held = await _person(site, request)
        return _unknown(request) if held is None else _shown(request, held, note=None)

    async def post(self, request: Request) -> Response:
        """Do what a button of the page says, and show what is then."""
        site = state_of(request)
        held = await _person(site, request)
        if held is None:
            return _unknown(request)
        wish = (await read_form(request)).get("do", "")
        if wish == FORGET:
            return await _forgotten(request, held)
        note = await _leave(site, held, wish)
        now_held = await person_for_manage(site.app.db, held[0].id)
        return _unknown(request) if now_held is None else _shown(request, now_held, note=note)


async def _person(site: SiteState, request: Request) -> Held | None:
    claims = read(request.path_params["token"], Purpose.MANAGE, site.app.secrets)
    return await person_for_manage(site.app.db, claims.subscriber_id if claims else 0)


async def _leave(site: SiteState, held: Held, wish: str) -> Note | None:
    """Leave one channel or all; return what to say about it, None for a wish that is none."""
    subscriber, subscriptions = held
    if wish == LEAVE_ALL:
        await unsubscribe(site.app.db, subscriber_id=subscriber.id, channel_ids=None, now=site.now())
        return N_("You have left all channels."), {}
    slug = wish.removeprefix(LEAVE_ONE)
    found = [one for one in subscriptions if wish.startswith(LEAVE_ONE) and one.channel_slug == slug]
    if not found:
        return None
    ids = [one.channel_id for one in found]
    await unsubscribe(site.app.db, subscriber_id=subscriber.id, channel_ids=ids, now=site.now())
    return N_("You have left {channel}."), {"channel": found[0].channel_name}


async def _forgotten(request: Request, held: Held) -> Response:
    site = state_of(request)
    await forget(site.app.db, address=held[0].email, now=site.now())
    return site.pages.answer(request, "forgotten.html", headers=_NO_STORE, person=held[0].language)


def _shown(request: Request, held: Held, *, note: Note | None) -> Response:
    site = state_of(request)
    subscriber, subscriptions = held

    def in_state(state: SubscriptionState) -> list[Subscription]:
        return [one for one in subscriptions if one.state is state]

    return site.pages.answer(
        request,
        "manage.html",
        headers=_NO_STORE,
        person=subscriber.language,
        address=mask(subscriber.email),
        active=in_state(SubscriptionState.ACTIVE),
        pending=in_state(SubscriptionState.PENDING),
        note=note,
    )


def _unknown(request: Request) -> Response:
    site = state_of(request)
    return site.pages.answer(request, "link_unknown.html", status=404, headers=_NO_STORE, purpose="manage")


ROUTES = [Route("/m/{token:path}", Manage)]
