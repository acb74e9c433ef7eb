"""For probes: is the process alive, and can it do its work? Never a word about why to the outside but a name."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.core.errors import StorageError
from alerts.storage import migrations
from alerts.web.state import SiteState, state_of

ANSWER_WITHIN_S = 3
CLOCK_SILENT = timedelta(seconds=60)

_log = structlog.get_logger(__name__)


async def alive(_request: Request) -> Response:
    """Say that the process answers; asks nothing else, so that a slow database does not get it killed."""
    return _answer({"process": True})


async def ready(request: Request) -> Response:
    """Say whether work gets done: the database answers and is ours, and the clock ticks."""
    site = state_of(request)
    return _answer({"database": await _database_answers(site), "clock": _clock_ticks(site)})


async def _database_answers(site: SiteState) -> bool:
    db = site.app.db
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S), db.reading() as tx:
            return await tx.run_sync(migrations.is_current, db.where)
    except (StorageError, TimeoutError) as error:
        _log.warning("not_ready", reason=str(error) or "the database is slow")
        return False


def _clock_ticks(site: SiteState) -> bool:
    if site.last_tick is None:
        return True
    ticked_at = site.last_tick()
    return ticked_at is not None and site.now() - ticked_at < CLOCK_SILENT


def _answer(checks: dict[str, bool]) -> Response:
    good = all(checks.values())
    body = {"status": "ok" if good else "failing", "checks": checks}
    return JSONResponse(body, status_code=200 if good else 503, headers={"Cache-Control": "no-store"})


async def metrics(request: Request) -> Response:
    """Give this process's counters in the Prometheus text format; numbers only, nobody's address."""
    return Response(state_of(request).app.metrics.render(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
