"""The stylesheet and the icon: a handful of our own files, cached by their content's hash."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.web.pages import STATIC, version_of
from alerts.web.state import state_of

FOR_EVER = "public, max-age=31536000, immutable"
FOR_NOW = "public, max-age=60"


async def static_file(request: Request) -> Response:
    """Give a file; for ever under the hash of its content, for a minute under any other."""
    name = request.path_params["name"]
    try:
        content = state_of(request).pages.static(name)
    except KeyError as error:
        raise HTTPException(404) from error
    version = version_of(content)
    cached = FOR_EVER if request.query_params.get("v") == version else FOR_NOW
    headers = {"Content-Type": STATIC[name], "Cache-Control": cached, "ETag": f'"{version}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)


ROUTES = [Route("/static/{name}", static_file)]
