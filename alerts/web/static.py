"""The stylesheet and the icon: a handful of our own files, cached by their content's hash."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.web.conditional import is_known
from alerts.web.pages import STATIC, version_of
from alerts.web.state import state_of

FOR_EVER = "public, max-age=31536000, immutable"
FOR_NOW = "public, max-age=60"
FOR_AN_HOUR = "public, max-age=3600"
FOREIGN = frozenset({"embed.js"})  # what foreign pages load, by an address that never changes


async def static_file(request: Request) -> Response:
    """Give a file; for ever under the hash of its content, for a minute under any other."""
    name = request.path_params["name"]
    try:
        content = state_of(request).pages.static(name)
    except KeyError as error:
        raise HTTPException(404) from error
    version = version_of(content)
    unversioned = FOR_AN_HOUR if name in FOREIGN else FOR_NOW
    cached = FOR_EVER if request.query_params.get("v") == version else unversioned
    headers = {"Content-Type": STATIC[name], "Cache-Control": cached, "ETag": f'"{version}"'}
    if name in FOREIGN:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)


ROUTES = [Route("/static/{name}", static_file)]
