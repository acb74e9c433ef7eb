"""Finds the channel that a path names; a slug that can be none does not reach the database."""

from __future__ import annotations

import re

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from alerts.core.model import Channel
from alerts.storage.channels import channel_by_slug

_SLUG = re.compile(r"\A[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?\Z")


async def channel_asked_for(tx: AsyncConnection, request: Request) -> Channel | None:
    """Return the channel of ``/…/{slug}``, retired or not; None where there is none."""
    slug = request.path_params["slug"]
    return await channel_by_slug(tx, slug) if _SLUG.match(slug) else None
