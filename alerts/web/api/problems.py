"""What went wrong, for programs: problem details (RFC 9457), with each mistake by its JSON Pointer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse

from alerts.core.posted import Problem

MEDIA_TYPE = "application/problem+json"
UNDER = "/api/"  # where answers are for programs
_SAID = {
    404: "There is nothing here; /api/v1/openapi.json names what there is.",
    405: "This cannot be done here; the Allow header names what can.",
    408: "The body came too slowly, and was not read to its end. Nothing was stored; send it again.",
    413: "The body is larger than this takes; send fewer or shorter articles at once.",
    500: "The fault is ours, and it is in our log. Nothing was stored; try again later.",
    503: "We cannot reach our records right now. Nothing was stored; try again in a minute.",
}


def is_for_programs(request: Request) -> bool:
    """Say whether who asks for this path is a program."""
    return request.url.path.startswith(UNDER)


def problem(
    status: int,
    detail: str | None = None,
    *,
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem; without ``detail`` the usual one of its status."""
    told: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    detail = detail or _SAID.get(status)
    if detail:
        told["detail"] = detail
    if errors:
        told["errors"] = [{"pointer": one.pointer, "detail": one.detail} for one in errors]
    return JSONResponse(
        told, status_code=status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", **(headers or {})}
    )
