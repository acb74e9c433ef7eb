"""For whoever lost the link to their preferences: they name their address, and the link goes there by mail.

The page says the same, and takes the same time, whether we know the address or not (C2).
"""

from __future__ import annotations

import time
from http import HTTPStatus

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.errors import AddressError
from alerts.services.send_manage_link import send_manage_link
from alerts.web.forms import read_form
from alerts.web.neutral import answer_after
from alerts.web.state import state_of
from alerts.web.visitor import network_of

_NO_STORE = {"Cache-Control": "no-store"}


class LostLink(HTTPEndpoint):
    """``/manage``."""

    async def get(self, request: Request) -> Response:
        """Show the form."""
        return _form(request)

    async def post(self, request: Request) -> Response:
        """Mail the link to who is known; answer everybody the same."""
        started, site = time.monotonic(), state_of(request)
        typed = (await read_form(request)).get("email", "")
        try:
            await send_manage_link(
                site.app.db,
                address=typed,
                network=network_of(request),
                site_limit=site.app.config.subscribe.mails_an_hour,
                now=site.now(),
                secrets=site.app.secrets,
                enlist=site.app.queue.enlist,
            )
        except AddressError:
            return _form(request, typed=typed, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        answer = site.pages.answer(request, "lost_link_sent.html", headers=_NO_STORE)
        await answer_after(started)
        return answer


def _form(request: Request, *, typed: str | None = None, status: int = HTTPStatus.OK) -> Response:
    """Show the form, with what was typed if that was no address."""
    pages = state_of(request).pages
    return pages.answer(request, "lost_link.html", status=status, headers=_NO_STORE, typed=typed)


ROUTES = [Route("/manage", LostLink)]
