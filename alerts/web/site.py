"""Puts the site together: routes, error pages, the guard around everything. No page is written here."""

from __future__ import annotations

from jinja2 import BytecodeCache
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from alerts.app import App
from alerts.mail.catcher import Catcher
from alerts.services.post_articles import FeedParser
from alerts.services.take_push import PageReader
from alerts.web import catcher as catcher_pages
from alerts.web import confirm, embed, feeds, health, leave, lost_link, manage, public, static, subscribe, websub
from alerts.web.api import articles, openapi
from alerts.web.api.problems import is_for_programs, problem
from alerts.web.errors import HANDLERS, error_page
from alerts.web.guard import Guard
from alerts.web.pages import Pages
from alerts.web.state import LastTick, SiteState


def create_site(
    app: App,
    *,
    catcher: Catcher | None = None,
    last_tick: LastTick | None = None,
    only_health: bool = False,
    compiled: BytecodeCache | None = None,
    parser: FeedParser | None = None,
    page_reader: PageReader | None = None,
) -> Starlette:
    """Return the ASGI site of an opened app; raise ConfigError for a page template that cannot be read.

    ``only_health`` leaves out all that readers see: for a node that is not there for them.

    ``catcher`` gives it the pages that show what was caught; ``last_tick`` tells ``/readyz`` when the clock ticked;
    ``compiled`` keeps compiled templates from one site to the next.
    ``parser`` reads what is posted or pushed to us: without one there is no door for it. ``page_reader`` reads the
    pages of what is pushed, for sources that want them.
    """
    pages = Pages(app, has_catcher=catcher is not None, compiled=compiled)
    pages.check()

    async def broken(request: Request, status: int) -> Response:
        return problem(status) if is_for_programs(request) else error_page(pages, request, status)

    parts = [health] if only_health else [*_PARTS, *(_FED if parser is not None else ())]
    routes = [route for part in parts for route in part.ROUTES]
    guard = Middleware(Guard, error_page=broken, larger=_LARGER)
    site = Starlette(routes=routes, exception_handlers=HANDLERS, middleware=[guard])
    site.router.redirect_slashes = False  # it would redirect to whatever Host the request named
    site.state.site = SiteState(
        app=app,
        pages=pages,
        maildir=catcher.maildir if catcher else None,
        last_tick=last_tick,
        feed_parser=parser,
        page_reader=page_reader,
    )
    return site


_PARTS = (public, feeds, embed, subscribe, leave, manage, lost_link, confirm, catcher_pages, health, static)
_FED = (articles, openapi, websub)  # what somebody brings us articles by
_LARGER = {articles.PATH: articles.MAX_POST_BYTES, websub.UNDER: websub.MAX_PUSH_BYTES}
