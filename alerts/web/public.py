"""For readers: the channels, what is in each, and an alert as a web page. Everything here may be read by anybody."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.storage import articles, directory
from alerts.storage.channels import channel_by_slug
from alerts.web.state import state_of
from alerts.web.why import why

NEWEST = 3
ARTICLES_A_PAGE = 20

_SLUG = re.compile(r"\A[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?\Z")
_KEY = re.compile(r"\A[1-9][0-9]{0,17}\Z", re.ASCII)  # any of these fits the database's integer


async def channel_directory(request: Request) -> Response:
    """Show the channels with their newest articles."""
    site = state_of(request)
    async with site.app.db.reading() as tx:
        listings = await directory.directory(tx, newest=NEWEST)
    return site.pages.answer(request, "channels.html", listings=listings)


async def channel_page(request: Request) -> Response:
    """Show what a channel collects, and its articles with the reason why each is here."""
    site = state_of(request)
    slug, before = request.path_params["slug"], request.query_params.get("before", "")
    if not _SLUG.match(slug):
        raise HTTPException(404)
    async with site.app.db.reading() as tx:
        channel = await channel_by_slug(tx, slug)
        if channel is None:
            raise HTTPException(404)
        total = await directory.count_articles_of(tx, channel.id)
        found = await directory.articles_of(
            tx, channel.id, limit=ARTICLES_A_PAGE + 1, before=int(before) if _KEY.match(before) else None
        )
    shown = found[:ARTICLES_A_PAGE]
    return site.pages.answer(
        request,
        "channel.html",
        channel=channel,
        total=total,
        entries=[(one.article, why(one.hits)) for one in shown],
        older=shown[-1].article.id if len(found) > ARTICLES_A_PAGE else None,
    )


async def alert_page(request: Request) -> Response:
    """Show an alert on the web: what its mail said, for somebody whose mail does not show it."""
    site = state_of(request)
    key = request.path_params["id"]
    if not _KEY.match(key):
        raise HTTPException(404)
    async with site.app.db.reading() as tx:
        article = await articles.article_by_id(tx, int(key))
        matched = await directory.channels_of(tx, int(key))
    if article is None or not matched:
        raise HTTPException(404)
    reasons = [(one.channel, why(one.hits)) for one in matched]
    return site.pages.answer(request, "alert.html", article=article, reasons=reasons)


ROUTES = [Route("/", channel_directory), Route("/c/{slug}", channel_page), Route("/a/{id}", alert_page)]
