"""For readers: the channels, what is in each, and an alert as a web page. Everything here may be read by anybody."""

from __future__ import annotations

import re

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.core.channel_search import question
from alerts.core.model import Channel, ChannelState
from alerts.storage import articles, channels, directory, stories
from alerts.storage.history import mails_a_month_of
from alerts.web.page_number import PageNumber, page_number
from alerts.web.slugs import channel_asked_for
from alerts.web.state import SiteState, state_of
from alerts.web.why import why

NEWEST = 3
CHANNELS_A_PAGE = 48  # fills two, three and four columns
ARTICLES_A_PAGE = 20
MORE_CHANNELS = 6  # beside the one that a box is for

_KEY = re.compile(r"\A[1-9][0-9]{0,17}\Z", re.ASCII)  # any of these fits the database's integer


async def channel_directory(request: Request) -> Response:
    """Show the channels with their newest articles: a page of all, or of those that a search finds."""
    site = state_of(request)
    asked = question(request.query_params.get("q", ""))
    async with site.app.db.reading() as tx:
        total, page, shown = await _listed(tx, site, asked, request.query_params.get("page", ""))
        listings = await directory.listings_of(tx, shown, newest=NEWEST)
    return site.pages.answer(request, "channels.html", listings=listings, total=total, page=page, asked=asked)


async def _listed(tx: AsyncConnection, site: SiteState, asked: str, page: str) -> tuple[int, PageNumber, list[Channel]]:
    """Return how many channels there are to list, which page of them is meant, and those on it."""
    if asked:
        found = await site.finder.search(tx, asked)
        place = page_number(page, total=len(found), size=CHANNELS_A_PAGE)
        return len(found), place, found[place.offset : place.offset + place.size]
    total = await channels.count_active_channels(tx)
    place = page_number(page, total=total, size=CHANNELS_A_PAGE)
    return total, place, await channels.active_channels(tx, limit=place.size, offset=place.offset)


async def channel_page(request: Request) -> Response:
    """Show what a channel collects, the box to subscribe, and its articles with the reason why each is here."""
    site = state_of(request)
    before = request.query_params.get("before", "")
    async with site.app.db.reading() as tx:
        channel = await channel_asked_for(tx, request)
        if channel is None:
            return _unknown_channel(request)
        total = await directory.count_articles_of(tx, channel.id)
        found = await directory.articles_of(
            tx, channel.id, limit=ARTICLES_A_PAGE + 1, before=int(before) if _KEY.match(before) else None
        )
        copies = await stories.copies_of(tx, [one.article.id for one in found], channel.id)
        mails = (await mails_a_month_of(tx, now=site.now(), channel_ids=[channel.id])).get(channel.id)
        more = await more_channels(tx, channel)
    shown = found[:ARTICLES_A_PAGE]
    return site.pages.answer(
        request,
        "channel.html",
        channel=channel,
        is_open=channel.state is ChannelState.ACTIVE,
        more=more,
        total=total,
        mails=mails,
        entries=[(one.article, why(one.hits), copies.get(one.article.id, ())) for one in shown],
        older=shown[-1].article.id if len(found) > ARTICLES_A_PAGE else None,
    )


async def more_channels(tx: AsyncConnection, channel: Channel) -> list[Channel]:
    """Return a few other channels that a box may offer, in the operator's order."""
    first = await channels.active_channels(tx, limit=MORE_CHANNELS + 1)
    return [one for one in first if one.id != channel.id][:MORE_CHANNELS]


def _unknown_channel(request: Request) -> Response:
    """Say that there is no such channel, and help to find the one that was meant."""
    words = question(request.path_params["slug"].replace("-", " "))
    headers = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
    return state_of(request).pages.answer(request, "channel_unknown.html", status=404, headers=headers, asked=words)


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
