"""For feed readers: a channel as RSS, Atom and JSON Feed. How each is written is ``feed_formats``' business."""

from __future__ import annotations

from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.config import Site
from alerts.core.model import Channel
from alerts.core.sentences import N_
from alerts.core.text import clean_line, excerpt
from alerts.storage import directory
from alerts.storage.directory import MatchedArticle
from alerts.web.conditional import kept
from alerts.web.feed_formats import FORMATS, Feed, FeedEntry, uri
from alerts.web.pages import web_link
from alerts.web.slugs import channel_asked_for
from alerts.web.state import SiteState, state_of

ENTRIES = 30
KEEP_S = 300
_MOST_TAGS = 20
_LONGEST_LEAD = 500  # characters of the text, where there is no summary

_TITLE = N_("{channel} · {site}")
_DESCRIPTION = N_("New articles about {channel}")


async def channel_feed(request: Request) -> Response:
    """Give a channel's newest articles in the format that the path names."""
    site = state_of(request)
    kind = request.path_params["kind"]
    if kind not in FORMATS:
        raise HTTPException(404)
    async with site.app.db.reading() as tx:
        channel = await channel_asked_for(tx, request)
        if channel is None:
            raise HTTPException(404)
        changed_at = (await directory.dates_of(tx, channel.id)).changed_at
        found = await directory.articles_of(tx, channel.id, limit=ENTRIES)
    made = FORMATS[kind]
    feed = _feed(site, channel, found, kind=kind, changed_at=changed_at)
    return kept(request, made.write(feed), media_type=made.media_type, seconds=KEEP_S, modified_at=feed.updated_at)


def _feed(site: SiteState, channel: Channel, found: list[MatchedArticle], *, kind: str, changed_at: datetime) -> Feed:
    """Make the feed in the site's own language: it is kept by caches, so it cannot be in each reader's."""
    ours = site.app.config.site
    language = site.pages.site_language()
    say = site.pages.translator(language)
    root = ours.url.rstrip("/")
    home = f"{root}/c/{channel.slug}"
    # By when we got to know of things, not by what an article says of itself: so nothing new hides behind an old date.
    changes = [changed_at, *(moment for one in found for moment in (one.matched_at, one.changed_at) if moment)]
    return Feed(
        title=clean_line(say(_TITLE, channel=channel.name, site=ours.name)),
        description=clean_line(say(_DESCRIPTION, channel=channel.name)),
        home=home,
        url=f"{home}/feed.{kind}",
        language=language,
        author=clean_line(ours.name),
        updated_at=max(changes).replace(microsecond=0),
        entries=[_entry(one, ours) for one in found],
    )


def _entry(one: MatchedArticle, site: Site) -> FeedEntry:
    item = one.article.item
    page = f"{site.url.rstrip('/')}/a/{one.article.id}"
    lines = [clean_line(line) for line in item.summary] or [excerpt(item.body, _LONGEST_LEAD)]
    published_at = item.published_at or one.article.first_seen_at
    return FeedEntry(
        id=page,  # the same for ever, wherever the article itself moves
        link=uri(web_link(item.url) or page),
        title=clean_line(item.title),
        lines=[line for line in lines if line],
        author=clean_line(item.author or "") or None,
        tags=[tag for tag in map(clean_line, item.tags[:_MOST_TAGS]) if tag],
        language=item.language,
        published_at=published_at.replace(microsecond=0),
        updated_at=max(published_at, one.changed_at or published_at).replace(microsecond=0),
    )


ROUTES = [Route("/c/{slug}/feed.{kind}", channel_feed)]
