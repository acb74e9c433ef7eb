"""Reads a form as far as it can be read; what it means is the page's business."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_FIELDS = 50


async def read_form(request: Request) -> dict[str, str]:
    """Return the text fields of an urlencoded or multipart body; none of a body that is neither, or broken.

    Mailboxes post one-click bodies in both forms (RFC 8058), and a broken one still means what its URL says.
    """
    try:
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    except (HTTPException, ValueError):  # ValueError: a charset or a length that is none
        return {}
