"""A furnished site behind a real port, for browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from every_page import HARSH, Place, Stage, Texts, every_page, furnish
from website import Website, website

from alerts.mail.catcher import Catcher
from alerts.storage.engine import Database
from alerts.web.server import WebServer


@dataclass(frozen=True, slots=True)
class Visit:
    """A site on a port, with something on every page."""

    web: Website
    origin: str
    stage: Stage
    places: dict[str, Place]
    maildir: Path


@asynccontextmanager
async def furnished_site(folder: Path, now: datetime, texts: Texts = HARSH) -> AsyncIterator[Visit]:
    """Serve a site of its own."""
    db = await Database.open(f"sqlite:///{folder / 'alerts.db'}")
    catcher = Catcher(folder / "caught", port=0)
    try:
        async with website(db, folder, now, catcher=catcher) as web:
            stage = await furnish(web, now, catcher.maildir, texts)
            places = await every_page(web, now, stage)
            server = WebServer(web.site, "127.0.0.1", 0)
            await server.start()
            host, port = server.address
            yield Visit(web, f"http://{host}:{port}", stage, places, catcher.maildir)
            await server.stop()
    finally:
        await db.close()
