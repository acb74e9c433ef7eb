"""For a publisher's system: post articles, and ask what became of one. What may be in a post is ``core.posted``'s."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import NoReturn

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.core.api_keys import bearer_of
from alerts.core.errors import InputError
from alerts.core.model import Novelty
from alerts.core.posted import Post, check_post
from alerts.core.text import excerpt
from alerts.services.post_articles import (
    BudgetSpentError,
    Placed,
    Report,
    RestingError,
    holder_of,
    post_articles,
    report_on,
)
from alerts.storage.api_keys import ApiKey
from alerts.web.api.problems import problem
from alerts.web.state import SiteState, state_of

PATH = "/api/v1/articles"
MAX_POST_BYTES = 2 << 20
TAKEN = ("application/json", "application/feed+json")
_ASK_FOR_KEY = {"WWW-Authenticate": 'Bearer realm="articles"'}
_LARGEST_ID = 1 << 53
_LONGEST_NUMBER = 100  # digits; nothing that is posted needs a tenth of it
_NO_STORE = {"Cache-Control": "no-store"}


class Articles(HTTPEndpoint):
    """``/api/v1/articles``."""

    async def post(self, request: Request) -> Response:
        """Store an article or a list of them: all of it, or nothing."""
        site, now = state_of(request), state_of(request).now()
        key = await _holder(site, request)
        if key is None:
            return _unknown_key()
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in TAKEN:
            return problem(415, f"Send the articles as {TAKEN[0]}.", headers={"Accept": ", ".join(TAKEN)})
        if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            return problem(
                415, "Send the articles as they are, not compressed.", headers={"Accept-Encoding": "identity"}
            )
        async with site.brought:
            return await _take(site, key, await request.body(), now)


async def one_article(request: Request) -> Response:
    """Say what became of an article."""
    site = state_of(request)
    key = await _holder(site, request)
    if key is None:
        return _unknown_key()
    article_id = int(request.path_params["id"])
    report = await report_on(site.app.db, key, article_id) if article_id < _LARGEST_ID else None
    if report is None:
        return problem(404, "No article of this key has this number.")
    return JSONResponse(_reported(site, report), headers=_NO_STORE)


async def _take(site: SiteState, key: ApiKey, body: bytes, now: datetime) -> Response:
    """Answer a post from a known key."""
    try:
        document = _load(body)
    except ValueError as error:
        return problem(400, f"The body is no sound JSON: {error}")
    post = check_post(document, now=now)
    if not isinstance(post, Post):
        return problem(422, "Nothing was stored: mend what errors names, and send it all again.", errors=post)
    try:
        placed = await post_articles(site.app.db, site.parser(), key, post, now=now, enlist=site.app.queue.enlist)
    except InputError as error:
        return problem(422, f"Nothing was stored: {error}")
    except RestingError as error:
        return problem(403, f"Nothing was stored: {error}.")
    except BudgetSpentError as error:
        wait = max(1, math.ceil(error.retry_after.total_seconds()))
        told = f"Nothing was stored: this key may post {key.articles_an_hour} articles an hour. Go on in {wait} s."
        return problem(429, told, headers={"Retry-After": str(wait)})
    return _answer(site, post, placed)


async def _holder(site: SiteState, request: Request) -> ApiKey | None:
    key_hash = bearer_of(request.headers.get("authorization"))
    return None if key_hash is None else await holder_of(site.app.db, key_hash)


def _unknown_key() -> Response:
    return problem(401, "Send Authorization: Bearer and a key; `alerts keys add` makes one.", headers=_ASK_FOR_KEY)


def _load(body: bytes) -> object:
    """Read JSON as RFC 8259 has it; raise ValueError that says where it is not."""
    try:
        text = body.decode("utf-8")
        return json.loads(text, parse_constant=_no_number, parse_int=_integer, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object; of two members of one name nobody knows which is meant (RFC 8259, 4)."""
    made: dict[str, object] = {}
    for name, value in members:
        if name in made:
            raise ValueError(f"{excerpt(name, 60)!r} stands twice in one object")
        made[name] = value
    return made


def _integer(written: str) -> int:
    if len(written) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(written)} digits is too long")
    return int(written)


def _no_number(written: str) -> NoReturn:
    raise ValueError(f"{written} is no JSON")


def _answer(site: SiteState, post: Post, placed: list[Placed]) -> Response:
    status = 201 if any(one.novelty is Novelty.NEW for one in placed) else 200
    told = [_placed(site, one) for one in placed]
    if post.is_list:
        return JSONResponse({"articles": told}, status_code=status, headers=_NO_STORE)
    return JSONResponse(told[0], status_code=status, headers={**_NO_STORE, "Location": str(told[0]["status_url"])})


def _placed(site: SiteState, one: Placed) -> dict[str, object]:
    return {
        "article": one.article_id,
        "id": one.item_id,
        "novelty": one.novelty.value,
        "disposition": one.disposition.value,
        "status_url": _status_url(site, one.article_id),
    }


def _reported(site: SiteState, report: Report) -> dict[str, object]:
    article = report.article
    return {
        "article": article.id,
        "id": article.item.item_id,
        "title": article.item.title,
        "url": article.item.url,
        "disposition": article.disposition.value,
        "first_seen_at": article.first_seen_at.isoformat(),
        "matched_at": article.matched_at and article.matched_at.isoformat(),
        "set_aside": report.set_aside,
        "fanned_out": report.is_fanned_out,
        "channels": [{"slug": one.slug, "name": one.name} for one in report.channels],
        "deliveries": {state.value: count for state, count in report.deliveries.items()},
        "status_url": _status_url(site, article.id),
    }


def _status_url(site: SiteState, article_id: int) -> str:
    return f"{site.app.config.site.url.rstrip('/')}{PATH}/{article_id}"


ROUTES = [Route(PATH, Articles), Route(f"{PATH}/{{id:int}}", one_article)]
