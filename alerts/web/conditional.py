"""Answers that may be kept: with validators, and with "not modified" for whoever has them already (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response


def kept(
    request: Request, content: bytes, *, media_type: str, seconds: int, modified_at: datetime | None = None
) -> Response:
    """Return content that anybody may keep for so many seconds; 304 without it where the request's validators hold."""
    headers = {"Cache-Control": f"public, max-age={seconds}", "ETag": f'"{hashlib.sha256(content).hexdigest()[:24]}"'}
    if modified_at is not None:
        headers["Last-Modified"] = format_datetime(modified_at.astimezone(UTC), usegmt=True)
    if is_known(request, headers["ETag"], modified_at):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers | {"Content-Type": media_type})


def is_known(request: Request, etag: str, modified_at: datetime | None = None) -> bool:
    """Say whether the asker has this already; a tag counts before a date, as it is exact."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since = _date(request.headers.get("if-modified-since", ""))
    return since is not None and modified_at is not None and modified_at.replace(microsecond=0) <= since


def _date(written: str) -> datetime | None:
    """Read an HTTP date; None for anything else, as strangers write it."""
    try:
        date = parsedate_to_datetime(written)
    except (ValueError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
