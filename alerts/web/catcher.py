"""For whoever tries the product: the mails that the catcher caught. There only with a catcher, and for this machine.

Mails are hostile, so their HTML is shown in a sandbox that runs nothing, loads nothing and belongs to no origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.mail.caught import CaughtMail, list_mails, read_mail
from alerts.mail.opened import OpenedMail, heading, open_mail
from alerts.web.state import SiteState, state_of

MAILS_A_PAGE = 25
SOURCE_SHOWN = 256 << 10
REFRESH_S = 5
VIEWS = ("html", "text", "headers", "source")

# Links open outside the sandbox, so that one can try them; nothing else gets out, nothing at all gets in.
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = (
    f"sandbox {_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_PRIVATE = {"Cache-Control": "no-store"}
_HEAD_TAG = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_LINK = re.compile(r"(https?://[^\s<>\"'\x00-\x1f]+[^\s<>\"'\x00-\x1f.,;:!?)\]])")


async def caught_list(request: Request) -> Response:
    """Show what was caught, newest first."""
    site, folder = _opened(request)
    before = request.query_params.get("before")
    page = await asyncio.to_thread(list_mails, folder, limit=MAILS_A_PAGE, before=before)
    return site.pages.answer(
        request,
        "caught.html",
        headers=_PRIVATE,
        page=page,
        mails=[(mail, heading(mail.raw), _caught_at(mail)) for mail in page.mails],
        refresh=REFRESH_S if before is None and request.query_params.get("refresh") != "off" else None,
    )


async def caught_mail(request: Request) -> Response:
    """Show a mail in one of its views; the HTML if it has any, unless another was asked for."""
    site, folder = _opened(request)
    mail, opened = await _read(folder, request.path_params["id"])
    view = request.path_params.get("view") or ("text" if opened.html is None else "html")
    if view not in VIEWS:
        raise HTTPException(404)
    return site.pages.answer(
        request,
        "caught_mail.html",
        headers=_PRIVATE,
        mail=mail,
        opened=opened,
        caught_at=_caught_at(mail),
        view=view,
        sandbox=_SANDBOX,
        text_pieces=_with_links(opened.text or ""),
        source=mail.raw[:SOURCE_SHOWN].decode("utf-8", "backslashreplace"),
        source_is_cut=len(mail.raw) > SOURCE_SHOWN,
    )


async def caught_document(request: Request) -> Response:
    """Give a mail's HTML as it came, for the sandboxed frame only."""
    _site, folder = _opened(request)
    _mail, opened = await _read(folder, request.path_params["id"])
    if opened.html is None:
        raise HTTPException(404)
    document = _HEAD_TAG.sub(lambda head: head[0] + '<base target="_blank">', opened.html, count=1)
    headers = {"Content-Security-Policy": MAIL_POLICY, **_PRIVATE}
    return Response(document.encode("utf-8", "replace"), media_type="text/html", headers=headers)


async def caught_file(request: Request) -> Response:
    """Give a mail's bytes exactly as they were received."""
    _site, folder = _opened(request)
    mail, _ = await _read(folder, request.path_params["id"])
    headers = {"Content-Disposition": f'attachment; filename="{mail.id}.eml"', **_PRIVATE}
    return Response(mail.raw, media_type="message/rfc822", headers=headers)


def _opened(request: Request) -> tuple[SiteState, Path]:
    """Return the catcher's folder; refuse where there is none, and strangers' names for this machine."""
    site = state_of(request)
    if site.maildir is None:
        raise HTTPException(404)
    if not _is_own_name(request.headers.get("host", ""), site.app.config.site.url):
        raise HTTPException(421)
    return site, site.maildir


def _is_own_name(host: str, site_url: str) -> bool:
    """Say whether a Host is an address, localhost or the site's own name.

    A page elsewhere could point a name of its own at 127.0.0.1 and read the mails here; it cannot forge this header.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        own = urlsplit(site_url).hostname
    except ValueError:
        return False
    if name in {"localhost", own}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _read(folder: Path, mail_id: str) -> tuple[CaughtMail, OpenedMail]:
    mail = await asyncio.to_thread(read_mail, folder, mail_id)
    return mail, await asyncio.to_thread(open_mail, mail.raw)


def _caught_at(mail: CaughtMail) -> datetime:
    return datetime.fromtimestamp(mail.caught_at, UTC)


def _with_links(text: str) -> list[tuple[str, bool]]:
    """Part a text into (piece, is a link)."""
    return [(piece, number % 2 == 1) for number, piece in enumerate(_LINK.split(text)) if piece]


ROUTES = [
    Route("/catcher", caught_list),
    Route("/catcher/{id}", caught_mail),
    Route("/catcher/{id}/document", caught_document),
    Route("/catcher/{id}/file", caught_file),
    Route("/catcher/{id}/{view}", caught_mail),
]
