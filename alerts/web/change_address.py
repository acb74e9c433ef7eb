"""For whoever wants another address: the page behind the link of our mail to the new one, and its one button."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from alerts.core.addresses import mask
from alerts.core.tokens import Purpose, sign
from alerts.services.change_address import AddressChange, ChangeOutcome, change_address, look_at_change
from alerts.web.state import state_of

_NO_STORE = {"Cache-Control": "no-store"}
_GONE = 410


async def change_page(request: Request) -> Response | None:
    """Show the button, or change the address when it was pressed; None for a token that is about something else."""
    site = state_of(request)
    db, token, now = site.app.db, request.path_params["token"], site.now()
    if request.method == "POST":
        found = await change_address(db, token=token, now=now, enlist=site.app.queue.enlist)
    else:
        found = await look_at_change(db, token=token, now=now)
    return None if found is None else _shown(request, found)


def _shown(request: Request, found: AddressChange) -> Response:
    site, changed = state_of(request), found.outcome is ChangeOutcome.CHANGED
    return site.pages.answer(
        request,
        "change_address.html",
        status=_GONE if found.outcome is ChangeOutcome.EXPIRED else 200,
        headers=_NO_STORE,
        person=found.subscriber.language,
        outcome=found.outcome.value,
        address=mask(found.email),
        manage=sign(Purpose.MANAGE, found.subscriber.id, 0, site.app.secrets) if changed else None,
    )
