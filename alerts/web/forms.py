"""Reads a form as far as it can be read; what it means is the page's business."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_FIELDS = 50

Fields = dict[str, list[str]]


async def read_form(request: Request) -> dict[str, str]:
    """Return the text fields of an urlencoded or multipart body; none of a body that is neither, or broken.

    Mailboxes post one-click bodies in both forms (RFC 8058), and a broken one still means what its URL says.
    """
    return {name: values[-1] for name, values in (await read_fields(request)).items()}


async def read_fields(request: Request, *, most: int = MAX_FIELDS) -> Fields:
    """Return likewise every value of each field, as ticked boxes have several; none where there are too many."""
    fields: Fields = {}
    try:
        async with request.form(max_files=0, max_fields=most) as form:
            for name, value in form.multi_items():
                if isinstance(value, str):
                    fields.setdefault(name, []).append(value)
    except (HTTPException, ValueError):  # ValueError: a charset or a length that is none
        return {}
    return fields
