"""The site over a ledger, asked as a browser asks it, but without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import httpx2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from starlette.applications import Starlette

from alerts.app import App
from alerts.config import Config, load_config
from alerts.core.messages import Templates
from alerts.core.tokens import Purpose, sign
from alerts.mail.catcher import Catcher
from alerts.mail.templates import load_templates
from alerts.services.post_articles import FeedParser
from alerts.sources.entries import ParsedFeed
from alerts.sources.feed import parse_feed
from alerts.storage.engine import Database
from alerts.storage.facts import ledger_id
from alerts.storage.secrets import load_secrets
from alerts.web.site import create_site

ORIGIN = "http://127.0.0.1:8000"
CONFIG = """
site:
  name: EV Daily
  url: {origin}
  postal_address: 1 Main Street, Springfield
database: sqlite:///alerts.db
sources: [folder: seeds]
channels:
  - {{slug: xiaomi, name: Xiaomi, query: "about:Xiaomi"}}
  - {{slug: tesla, name: Tesla, query: "about:Tesla"}}
  - {{slug: byd, name: BYD, query: "about:BYD"}}
"""


@dataclass(frozen=True, slots=True)
class Website:
    """A site and somebody who visits it."""

    app: App
    site: Starlette
    visitor: httpx2.AsyncClient

    def leave_link(self, subscriber_id: int, article_id: int) -> str:
        return "/u/" + sign(Purpose.UNSUBSCRIBE, subscriber_id, article_id, self.app.secrets)

    def manage_link(self, subscriber_id: int) -> str:
        return "/m/" + sign(Purpose.MANAGE, subscriber_id, 0, self.app.secrets)


class ParserHere:
    """Reads feeds in this very process: starting another takes longer than most tests."""

    async def parse(self, body: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        return parse_feed(body, url=url, charset=charset)


def config_in(folder: Path, *, origin: str = ORIGIN, more: str = "") -> Config:
    """Write a config file and read it."""
    (folder / "seeds").mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(origin=origin) + more)
    return load_config(path, {})


class Compiled(BytecodeCache):
    """Compiled templates of pages: compiling them takes longer than most tests, and they are the same in every one."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


@cache
def compiled_pages() -> Compiled:
    """Give the compiled templates of this process; one that changed is noticed by its checksum."""
    return Compiled()


@cache
def shipped_templates() -> Templates:
    """Read the mails' templates once: they are the same in every test."""
    return load_templates(None)


async def app_over(db: Database, config: Config, clock: Callable[[], datetime]) -> App:
    """Make an app of a ledger that is open already."""
    async with db.transaction() as tx:
        secrets, ledger = await load_secrets(tx), await ledger_id(tx)
    app = App(config, db, shipped_templates(), secrets, ledger)
    app.clock = clock
    return app


@asynccontextmanager
async def website(
    db: Database,
    folder: Path,
    now: datetime,
    *,
    catcher: Catcher | None = None,
    last_tick: Callable[[], datetime | None] | None = None,
    more: str = "",
    parser: FeedParser | None = None,
) -> AsyncIterator[Website]:
    """Give a site over ``db`` at the hour ``now``."""
    app = await app_over(db, config_in(folder, more=more), lambda: now)
    site = create_site(app, catcher=catcher, last_tick=last_tick, compiled=compiled_pages(), parser=parser)
    transport = httpx2.ASGITransport(app=site)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as visitor:
        yield Website(app, site, visitor)
