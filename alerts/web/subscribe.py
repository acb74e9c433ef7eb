"""For who wants alerts: takes the form, of our own pages or of a publisher's, and asks to look into the mailbox.

The answer is the same, to the byte and in time, whatever we know of the address (C2); so the page does not show it.
What was typed wrong is said in a page with the form again, before anything is looked up.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.addresses import normalise
from alerts.core.errors import AddressError, NotFoundError
from alerts.core.model import Channel, ChannelState
from alerts.core.sentences import N_
from alerts.core.text import clean_line
from alerts.core.tokens import SALT_SIZE
from alerts.services.subscribe import Form, FormOutcome, subscribe_by_form
from alerts.storage.channels import active_channels, channels_by_slugs
from alerts.web.forms import Fields, read_fields
from alerts.web.frame import FRAME_HEADERS, chosen_colours, colours_link
from alerts.web.neutral import answer_after
from alerts.web.proof import STALE, Again, Judged, Verdict, asks_again, judge
from alerts.web.state import SiteState, state_of
from alerts.web.visitor import network_of

MOST_CHANNELS = 100  # ticked in one form
OFFERED = 12  # channels that the page with the form offers beside those that were ticked
_LONGEST_SHOWN = 320  # characters of what was typed as an address
_SLUG = re.compile(r"\A[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?\Z")
_NO_STORE = {"Cache-Control": "no-store"}

NO_ADDRESS = N_("Type the address that the alerts should go to.")
BAD_ADDRESS = N_("That does not look like an email address. Please look at it once more: name@example.com")
NO_CHANNEL = N_("Tick at least one channel.")
UNKNOWN_CHANNEL = N_("A channel that was ticked is not there any more. Please choose from these.")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What stood in the form."""

    address: str = ""
    slugs: tuple[str, ...] = ()
    in_frame: bool = False  # the box on a page of somebody else's
    colours: Mapping[str, str] = field(default_factory=dict)  # of that page

    @classmethod
    def of(cls, fields: Fields) -> Typed:
        """Read it from the form's fields."""
        return cls(
            address=fields.get("email", [""])[-1].strip(),
            slugs=tuple(dict.fromkeys(fields.get("channel", []))),
            in_frame=fields.get("from", [""])[-1] == "embed",
            colours=chosen_colours({name: values[-1] for name, values in fields.items()}),
        )


class Subscribe(HTTPEndpoint):
    """``/subscribe``."""

    async def get(self, request: Request) -> Response:
        """Show the form, for who came here by hand; ``?channel=`` ticks channels."""
        slugs = tuple(request.query_params.getlist("channel")[:MOST_CHANNELS])
        return await _form_again(request, Typed(slugs=slugs), note=None, status=200)

    async def post(self, request: Request) -> Response:
        """Take the form."""
        started = time.monotonic()
        site = state_of(request)
        fields = await read_fields(request, most=MOST_CHANNELS + 10)
        async with site.forms:
            typed, judged = Typed.of(fields), judge(site.app, fields, site.now())
            if judged.verdict is not Verdict.BOT:
                again = _what_is_wrong(typed) or asks_again(judged) or await _take(request, typed, judged)
                if again is not None:
                    return await _form_again(request, typed, note=again.note, status=again.status)
            answer = _subscribed(request, typed)
        await answer_after(started)
        return answer


def _what_is_wrong(typed: Typed) -> Again | None:
    """Say what cannot be meant, by the form alone."""
    if not typed.address:
        return Again(NO_ADDRESS, 422)
    try:
        normalise(typed.address)
    except AddressError:
        return Again(BAD_ADDRESS, 422)
    return None if typed.slugs else Again(NO_CHANNEL, 422)


async def _take(request: Request, typed: Typed, judged: Judged) -> Again | None:
    """Subscribe; return why the form has to be pressed once more, if it has to."""
    if not all(_SLUG.match(slug) for slug in typed.slugs):
        return Again(UNKNOWN_CHANNEL, 422)
    form = Form(
        address=typed.address,
        slugs=typed.slugs,
        language=state_of(request).pages.language(request),
        network=network_of(request),
        proof=judged.spends,
    )
    try:
        outcome = await _subscribe(state_of(request), form)
    except NotFoundError:
        return Again(UNKNOWN_CHANNEL, 422)
    if outcome is FormOutcome.OVER_BUDGET:
        _log.info("form_over_budget", form="subscribe")
    return Again(STALE, 422) if outcome is FormOutcome.PROOF_SPENT else None


async def _subscribe(site: SiteState, form: Form) -> FormOutcome:
    return await subscribe_by_form(
        site.app.db,
        form,
        mails_an_hour=site.app.config.subscribe.mails_an_hour,
        now=site.now(),
        secrets=site.app.secrets,
        salt=secrets.token_bytes(SALT_SIZE),
        enlist=site.app.queue.enlist,
    )


def _subscribed(request: Request, typed: Typed) -> Response:
    return _answer(request, "subscribed.html", typed, status=200)


async def _form_again(request: Request, typed: Typed, *, note: str | None, status: int) -> Response:
    """Show the form, with what was typed, and the channels that were ticked before some others."""
    site = state_of(request)
    ticked = await _channels(site, typed.slugs)
    async with site.app.db.reading() as tx:
        others = [one for one in await active_channels(tx, limit=OFFERED + len(ticked)) if one not in ticked]
    return _answer(
        request,
        "subscribe.html",
        typed,
        status=status,
        address=clean_line(typed.address[:_LONGEST_SHOWN]),
        ticked=ticked,
        others=others[:OFFERED],
        note=note,
        is_wrong=note in {NO_ADDRESS, BAD_ADDRESS},
        wait=note is not None,
    )


def _answer(request: Request, name: str, typed: Typed, *, status: int, **values: Any) -> Response:
    """Render a page, or what stands in the frame in its place."""
    site = state_of(request)
    if not typed.in_frame:
        return site.pages.answer(request, name, status=status, headers=_NO_STORE, layout="layout.html", **values)
    return site.pages.answer(
        request,
        name,
        status=status,
        headers={**_NO_STORE, **FRAME_HEADERS},
        layout="frame.html",
        colours=typed.colours,
        colours_link=colours_link(typed.colours),
        **values,
    )


async def _channels(site: SiteState, slugs: Sequence[str]) -> list[Channel]:
    """Find the channels that are meant and can be had."""
    shaped = [slug for slug in slugs if _SLUG.match(slug)]
    if not shaped:
        return []
    async with site.app.db.reading() as tx:
        return [one for one in await channels_by_slugs(tx, shaped) if one.state is ChannelState.ACTIVE]


ROUTES = [Route("/subscribe", Subscribe)]
