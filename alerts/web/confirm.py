"""For whoever asked for a channel: the page behind the link of our confirmation mail, and its one button (C1)."""

from __future__ import annotations

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.tokens import Purpose, sign
from alerts.services.confirm import Confirmed, ConfirmOutcome, confirm, look_at_confirmation
from alerts.web.change_address import change_page
from alerts.web.state import state_of
from alerts.web.token_paths import ANY_TOKEN

_STATUS = {ConfirmOutcome.EXPIRED: 410, ConfirmOutcome.UNKNOWN: 404}
_NO_STORE = {"Cache-Control": "no-store"}


class Confirm(HTTPEndpoint):
    """``/confirm/{token}``."""

    async def get(self, request: Request) -> Response:
        """Show the button; mail scanners follow every link, so this confirms nothing."""
        changing = await change_page(request)
        if changing is not None:
            return changing
        site = state_of(request)
        token = request.path_params["token"]
        return _shown(request, await look_at_confirmation(site.app.db, token=token, now=site.now()))

    async def post(self, request: Request) -> Response:
        """Confirm; a second press is a friendly success."""
        changing = await change_page(request)
        if changing is not None:
            return changing
        site = state_of(request)
        token = request.path_params["token"]
        found = await confirm(
            site.app.db,
            token=token,
            now=site.now(),
            welcome=site.app.config.subscribe.welcome,
            enlist=site.app.queue.enlist,
        )
        return _shown(request, found)


def _shown(request: Request, found: Confirmed) -> Response:
    site = state_of(request)
    manage = None
    if found.subscriber_id is not None and found.outcome is ConfirmOutcome.CONFIRMED:
        manage = sign(Purpose.MANAGE, found.subscriber_id, 0, site.app.secrets)
    return site.pages.answer(
        request,
        "confirm.html",
        status=_STATUS.get(found.outcome, 200),
        headers=_NO_STORE,
        person=found.language,
        outcome=found.outcome.value,
        subscriptions=found.subscriptions,
        manage=manage,
    )


ROUTES = [Route("/confirm/" + ANY_TOKEN, Confirm)]
