"""For hubs: the callback of each subscription (https://www.w3.org/TR/websub/). Its address is the secret of two."""

from __future__ import annotations

import re

import structlog
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alerts.services.take_push import Intent, Push, confirm_intent, is_callback, take_push
from alerts.web.state import state_of

UNDER = "/websub/"
MAX_PUSH_BYTES = 10 << 20  # as much as a feed may be
_LONGEST_CHALLENGE = 1_000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)
_NOT_OURS = PlainTextResponse("There is no such subscription.\n", status_code=404)
_PLAIN = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}  # a challenge is no page of ours

_log = structlog.get_logger(__name__)


class Callback(HTTPEndpoint):
    """``/websub/{token}``."""

    async def get(self, request: Request) -> Response:
        """Confirm what we asked a hub for. It changes state on a GET, as the protocol has it; only a hub knows it."""
        site, asked = state_of(request), request.query_params
        intent = Intent(
            mode=asked.get("hub.mode", ""),
            topic=asked.get("hub.topic", ""),
            lease_seconds=asked.get("hub.lease_seconds"),
            reason=asked.get("hub.reason"),
        )
        challenge = asked.get("hub.challenge", "")
        if not challenge and intent.mode != "denied":
            return _NOT_OURS
        if len(challenge) > _LONGEST_CHALLENGE:
            return _NOT_OURS
        if not await confirm_intent(site.app.db, request.path_params["token"], intent, now=site.now()):
            return _NOT_OURS
        _log.info("hub_answered", mode=intent.mode, topic=intent.topic)
        return PlainTextResponse(challenge, headers=_PLAIN)

    async def post(self, request: Request) -> Response:
        """Take what a hub pushes; what we ignore is answered alike, so that nobody learns why (WebSub, 7.1)."""
        site, token = state_of(request), request.path_params["token"]
        if not await is_callback(site.app.db, token):
            return _NOT_OURS
        charset = _CHARSET.search(request.headers.get("content-type", ""))
        async with site.brought:
            push = Push(
                body=await request.body(),
                signature=request.headers.get("x-hub-signature"),
                charset=charset[1] if charset else None,
            )
            done = await take_push(
                site.app.db,
                site.parser(),
                token,
                push,
                now=site.now(),
                enlist=site.app.queue.enlist,
                page_reader=site.page_reader,
            )
        if not done.is_known:
            return _NOT_OURS
        if done.ignored:
            _log.warning("push_ignored", source=done.source, reason=done.ignored)
        else:
            _log.info("pushed", source=done.source, new=done.new)
        return Response(status_code=202)


ROUTES = [Route(UNDER + "{token}", Callback)]
