"""The pages for what went wrong: what it is, and what the reader can do. Never a stack trace."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from alerts.core.errors import NotFoundError, StorageError
from alerts.core.sentences import N_
from alerts.web.api.problems import is_for_programs, problem
from alerts.web.pages import Pages
from alerts.web.state import state_of

RETRY_AFTER_S = 60

_SAID = {
    400: (
        N_("We could not read that"),
        N_("Your browser sent something that we did not understand. Please try it once more."),
    ),
    404: (
        N_("Nothing here"),
        N_("There is no such page. It may have moved, or the link was cut short on its way to you."),
    ),
    405: (N_("That does not work here"), N_("This page cannot be used in that way. Open it as a link instead.")),
    408: (N_("That took too long"), N_("What your browser sent came too slowly. Please try it once more.")),
    413: (N_("That was too much"), N_("Your browser sent more than this page takes.")),
    421: (N_("Not under this name"), N_("This page is only shown under the site's own address.")),
    500: (N_("Something broke"), N_("The fault is ours, and it is in our log. Please try again in a little while.")),
    503: (
        N_("Please try again"),
        N_("We cannot reach our records right now, so nothing was changed. Try again in a minute."),
    ),
}


def error_page(pages: Pages, request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return the page for a status."""
    title, text = _SAID.get(status, _SAID[400] if status < 500 else _SAID[500])  # noqa: PLR2004 - whose fault it is
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return pages.answer(request, "error.html", status=status, headers=headers, title=title, text=text)


async def refused(request: Request, error: Exception) -> Response:
    """Answer what the framework or a page refused."""
    if is_for_programs(request):
        status = error.status_code if isinstance(error, HTTPException) else 404
        return problem(status, headers=getattr(error, "headers", None))
    if not isinstance(error, HTTPException):
        return error_page(state_of(request).pages, request, 404)
    return error_page(state_of(request).pages, request, error.status_code, dict(error.headers or {}))


async def unavailable(request: Request, _error: Exception) -> Response:
    """Answer while the database is down: never a 200, so that a mailbox's one-click comes again (U2)."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if is_for_programs(request):
        return problem(503, headers=headers)
    return error_page(state_of(request).pages, request, 503, headers)


HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    HTTPException: refused,
    NotFoundError: refused,
    StorageError: unavailable,
}
