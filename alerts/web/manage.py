"""For a subscriber, by the link in every mail: what they get, and a button for all that they may change of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from zoneinfo import ZoneInfo

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.addresses import mask
from alerts.core.model import Channel, Subscription, SubscriptionState
from alerts.core.pause import first_day, last_day
from alerts.core.sentences import spoken
from alerts.core.tokens import Purpose, read, sign
from alerts.core.undo import last_leaving, mark_of
from alerts.services.export_person import export_person
from alerts.services.forget import forget
from alerts.services.preferences import Held, channels_to_follow, person_for_manage
from alerts.web.filtered import filtered, page_of, read_filter, read_page
from alerts.web.forms import read_form
from alerts.web.state import SiteState, state_of
from alerts.web.token_paths import ANY_TOKEN
from alerts.web.wishes import Said, Visit, fulfil

FORGET = "forget"
A_PAGE = 30  # channels, of each list
_NO_STORE = {"Cache-Control": "no-store"}


class Manage(HTTPEndpoint):
    """``/m/{token}``."""

    async def get(self, request: Request) -> Response:
        """Show what the person subscribes to; change nothing."""
        held = await _person(state_of(request), request)
        return _unknown(request) if held is None else await _shown(request, held, said=None)

    async def post(self, request: Request) -> Response:
        """Do what a button of the page says, and show what is then."""
        site = state_of(request)
        held = await _person(site, request)
        if held is None:
            return _unknown(request)
        form = await read_form(request)
        if form.get("do") == FORGET:
            return await _forgotten(request, held)
        said = await fulfil(Visit(request=request, site=site, held=held, form=form))
        now_held = await person_for_manage(site.app.db, held[0].id)
        return _unknown(request) if now_held is None else await _shown(request, now_held, said=said)


async def my_data(request: Request) -> Response:
    """Give everything that is kept about the person, as a file; it changes nothing."""
    site = state_of(request)
    claims = read(request.path_params["token"], Purpose.MANAGE, site.app.secrets)
    data = await export_person(
        site.app.db,
        subscriber_id=claims.subscriber_id if claims else 0,
        now=site.now(),
        secrets=site.app.secrets,
    )
    if data is None:
        return _unknown(request)
    headers = {**_NO_STORE, "Content-Disposition": 'attachment; filename="news-alerts.json"'}
    # Plain ASCII: half a surrogate pair in a title is no UTF-8.
    text = json.dumps({"site": site.app.config.site.url, **data}, indent=2) + "\n"
    return Response(text, media_type="application/json", headers=headers)


async def _person(site: SiteState, request: Request) -> Held | None:
    claims = read(request.path_params["token"], Purpose.MANAGE, site.app.secrets)
    return await person_for_manage(site.app.db, claims.subscriber_id if claims else 0)


async def _forgotten(request: Request, held: Held) -> Response:
    site = state_of(request)
    await forget(site.app.db, address=held[0].email, now=site.now())
    return site.pages.answer(request, "forgotten.html", headers=_NO_STORE, person=held[0].language)


async def _shown(request: Request, held: Held, *, said: Said | None) -> Response:
    site = state_of(request)
    (subscriber, subscriptions), now = held, site.now()
    zone = ZoneInfo(site.app.config.site.time_zone)
    paused = subscriber.paused_until_at
    return site.pages.answer(
        request,
        "manage.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if said and said.problem else HTTPStatus.OK,
        headers=_NO_STORE,
        person=subscriber.language,
        address=mask(subscriber.email),
        suppressed=subscriber.state.value == "suppressed",
        **await _lists(request, subscriptions),
        said=said,
        undo=_undo_of(site, subscriber.id, subscriptions),
        paused_until=paused if paused and paused > now else None,
        first_day=first_day(now, zone),
        last_day=last_day(now, zone),
        languages=site.pages.languages(),
        language_chosen=spoken([subscriber.language], site.pages.languages()),
        data=f"/m/{request.path_params['token']}/data.json",
    )


async def _lists(request: Request, subscriptions: Sequence[Subscription]) -> dict[str, object]:
    """Give the two lists, of what is followed and of what could be, as the filter and the pages have them."""
    query = request.query_params
    wanted = read_filter(query.get("q", ""))
    held = [one for one in subscriptions if one.state is not SubscriptionState.ENDED]
    held.sort(key=lambda one: one.state is SubscriptionState.PENDING)  # what waits comes last
    taken = {one.channel_id for one in held}
    others = [one for one in await channels_to_follow(state_of(request).app.db) if one.id not in taken]
    return {
        "wanted": wanted,
        "follows": len(held),
        "could_follow": len(others),
        "a_page": A_PAGE,
        "held": page_of(filtered(held, wanted, name=_name_held), read_page(query.get("page", "")), size=A_PAGE),
        "others": page_of(filtered(others, wanted, name=_name), read_page(query.get("more", "")), size=A_PAGE),
    }


def _name_held(one: Subscription) -> str:
    return f"{one.channel_name} {one.channel_slug}"


def _name(one: Channel) -> str:
    return f"{one.name} {one.slug}"


def _undo_of(site: SiteState, subscriber_id: int, held: Sequence[Subscription]) -> str | None:
    """Seal the moment of the last leaving while it can be taken back."""
    moment = last_leaving(held, site.now())
    return sign(Purpose.UNDO, subscriber_id, mark_of(moment), site.app.secrets) if moment else None


def _unknown(request: Request) -> Response:
    site = state_of(request)
    return site.pages.answer(request, "link_unknown.html", status=404, headers=_NO_STORE, purpose="manage")


ROUTES = [Route("/m/{token}/data.json", my_data), Route("/m/" + ANY_TOKEN, Manage)]
