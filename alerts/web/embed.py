"""For other sites: a channel's box as a page that stands in their frame, in their colours (docs/embedding.md)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.model import ChannelState
from alerts.web.conditional import kept
from alerts.web.frame import FRAME_HEADERS, chosen_colours, colours_link, stylesheet
from alerts.web.public import more_channels
from alerts.web.slugs import channel_asked_for
from alerts.web.state import state_of

KEEP_COLOURS_S = 86_400


async def embedded_box(request: Request) -> Response:
    """Show a channel's box; where it is closed or there is none, say so in the frame, with a way on."""
    site = state_of(request)
    async with site.app.db.reading() as tx:
        channel = await channel_asked_for(tx, request)
        more = await more_channels(tx, channel) if channel else []
    chosen = chosen_colours(request.query_params)
    return site.pages.answer(
        request,
        "embed.html",
        status=404 if channel is None else 200,
        headers=FRAME_HEADERS,
        channel=channel,
        is_open=channel is not None and channel.state is ChannelState.ACTIVE,
        more=more,
        colours=chosen,
        colours_link=colours_link(chosen),
    )


async def embed_colours(request: Request) -> Response:
    """Give the stylesheet of the colours in the URL."""
    content = stylesheet(request.query_params).encode()
    return kept(request, content, media_type="text/css; charset=utf-8", seconds=KEEP_COLOURS_S)


ROUTES = [Route("/embed/{slug}", embedded_box), Route("/embed.css", embed_colours)]
