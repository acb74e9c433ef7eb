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

from alerts.core.addresses import normalise
from alerts.core.errors import AddressError
from alerts.core.sentences import N_
from alerts.core.text import clean_line
from alerts.services.send_manage_link import send_manage_link
from alerts.web.forms import read_fields
from alerts.web.neutral import answer_after
from alerts.web.proof import STALE, Again, Judged, Verdict, asks_again, judge
from alerts.web.state import state_of
from alerts.web.visitor import network_of

BAD_ADDRESS = N_("That is no address that we can mail to. Write it like name@example.com.")
MOST_FIELDS = 10
LONGEST_SHOWN = 320  # characters of what was typed as an address
_NO_STORE = {"Cache-Control": "no-store"}


class LostLink(HTTPEndpoint):
    """``/manage``."""

    async def get(self, request: Request) -> Response:
        """Show the form."""
        return _form(request)

    async def post(self, request: Request) -> Response:
        """Mail the link to who is known; answer everybody the same."""
        started, site = time.monotonic(), state_of(request)
        fields = await read_fields(request, most=MOST_FIELDS)
        typed = fields.get("email", [""])[-1].strip()
        async with site.forms:
            judged = judge(site.app, fields, site.now())
            if judged.verdict is not Verdict.BOT:
                again = _what_is_wrong(typed) or asks_again(judged) or await _send(request, typed, judged)
                if again is not None:
                    return _form(request, typed=typed, again=again)
            answer = site.pages.answer(request, "lost_link_sent.html", headers=_NO_STORE)
        await answer_after(started)
        return answer


def _what_is_wrong(typed: str) -> Again | None:
    try:
        normalise(typed)
    except AddressError:
        return Again(BAD_ADDRESS, HTTPStatus.UNPROCESSABLE_ENTITY)
    return None


async def _send(request: Request, typed: str, judged: Judged) -> Again | None:
    """Mail the link; return why the form has to be pressed once more, if it has to."""
    site = state_of(request)
    sent = await send_manage_link(
        site.app.db,
        address=typed,
        network=network_of(request),
        site_limit=site.app.config.subscribe.mails_an_hour,
        now=site.now(),
        secrets=site.app.secrets,
        proof=judged.spends,
        enlist=site.app.queue.enlist,
    )
    return None if sent else Again(STALE, HTTPStatus.UNPROCESSABLE_ENTITY)


def _form(request: Request, *, typed: str = "", again: Again | None = None) -> Response:
    """Show the form, with what was typed and what is wrong with it, if anything is."""
    return state_of(request).pages.answer(
        request,
        "lost_link.html",
        status=again.status if again else HTTPStatus.OK,
        headers=_NO_STORE,
        typed=clean_line(typed[:LONGEST_SHOWN]),
        note=again.note if again else None,
        is_wrong=again is not None and again.note == BAD_ADDRESS,
    )


ROUTES = [Route("/manage", LostLink)]
