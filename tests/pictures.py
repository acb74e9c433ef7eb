"""Draw docs/pictures: a mail about one of our own seeds, and every page of a site that runs the shipped configuration.

``make pictures`` runs it. Needs Chromium; nothing is fetched. What is drawn here can be looked at by hand; what a page
must keep to, whatever it shows, is proved in ``tests/web``.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent / "servers"))  # as pytest has it

import httpx2
from chromium import ARGUMENTS, chromium
from daemon import free_port, own_environment
from every_page import Place, Stage, every_page, visit
from mail_rules import texts_of
from mails import AT, SITE, XIAOMI, alert
from PIL import Image
from playwright.async_api import Browser as AsyncBrowser
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import select
from website import Website

from alerts.app import App
from alerts.config import load_config
from alerts.core.model import Article, Disposition
from alerts.mail.caught import list_mails
from alerts.mail.opened import heading
from alerts.sources.folder import look_at, read_file
from alerts.sources.formats import read_items
from alerts.storage import schema
from alerts.web.server import WebServer
from alerts.web.site import create_site

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "xiaomi-yu7-waiting-time.txt"
PICTURES = ROOT / "docs" / "pictures"
PICTURE = PICTURES / "alert-mail.png"
PAGES = PICTURES / "pages"
LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (390, 1280)
HIGHEST = 1_600  # pixels of a page that are drawn
COLOURS = 48  # enough for ink, paper and what lies between
# Pages that look like another here, or like anything.
LEFT_OUT = ("foreign mail", "channel, older", "channel, closed", "box in a frame, closed")

FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Alert</title><style>
body {{ margin: 0; padding: 36px 40px; background: #d9dde1; display: flex; gap: 36px; align-items: flex-start; }}
img {{ display: block; border-radius: 10px; box-shadow: 0 2px 4px #0002, 0 12px 36px #0003; }}
</style></head><body><img src="{desk}" alt="" width="680"><img src="{phone}" alt="" width="360"></body></html>"""


def seed_mail() -> str:
    """Compose the alert about the seed and return its HTML."""
    parsed = read_items(SEED.name, read_file(look_at(SEED)), time_zone=ZoneInfo("UTC"))
    about = Article(
        id=1,
        source_id=1,
        source_name="seeds",
        item=parsed.items[0].item,
        content_hash="",
        first_seen_at=datetime(2026, 1, 4, tzinfo=UTC),
        disposition=Disposition.ALERT,
    )
    _, html = texts_of(alert(about, channels=[XIAOMI], site=SITE, dated_at=AT))
    return html


def shot(browser: Browser, html: str, *, width: int, scheme: str, scale: float = 1) -> bytes:
    """Render a page and return it as a PNG."""
    dark = scheme == "dark"
    page = browser.new_page(
        viewport={"width": width, "height": 400}, color_scheme="dark" if dark else "light", device_scale_factor=scale
    )
    page.set_content(html)
    png = page.screenshot(full_page=True)
    page.close()
    return png


def draw_mail(program: str) -> None:
    """Draw the mail, on a desk by day and on a phone at night."""
    html = seed_mail()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        pictures = {
            "desk": shot(browser, html, width=680, scheme="light"),
            "phone": shot(browser, html, width=360, scheme="dark"),
        }
        urls = {name: "data:image/png;base64," + base64.b64encode(png).decode() for name, png in pictures.items()}
        PICTURE.write_bytes(shot(browser, FRAME.format(**urls), width=1156, scheme="light"))
        browser.close()
    say(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KiB")


async def draw_pages() -> None:
    """Draw every page at both widths in both lights; a page that answers a press is asked for once."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    with tempfile.TemporaryDirectory() as name:
        async with running_site(Path(name)) as (origin, places), chromium() as browser:
            for title, place in places.items():
                if not title.startswith(LEFT_OUT):
                    await draw_page(browser, origin, title, place)
    drawn = sorted(PAGES.iterdir())
    say(f"{PAGES.relative_to(ROOT)}: {len(drawn)} pictures, {sum(one.stat().st_size for one in drawn) // 1024} KiB")


async def draw_page(browser: AsyncBrowser, origin: str, title: str, place: Place) -> None:
    """Keep the top of one page as a reader sees it."""
    page = await browser.new_page()
    await visit(page, origin, place)
    for width in WIDTHS:
        for light in LIGHTS:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme=light)
            height = min(HIGHEST, await page.evaluate("document.documentElement.scrollHeight"))
            await page.set_viewport_size({"width": width, "height": height})
            name = f"{re.sub('[^a-z]+', '-', title.lower())}-{width}-{light}.png"
            (PAGES / name).write_bytes(fewer_colours(await page.screenshot()))
    await page.close()


def fewer_colours(png: bytes) -> bytes:
    """Make a picture small enough to lie in a repository."""
    kept = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
    return kept.getvalue()


@asynccontextmanager
async def running_site(folder: Path) -> AsyncIterator[tuple[str, dict[str, Place]]]:
    """Serve the shipped configuration after a morning's work; give its origin and every page."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    environ = {"ALERTS_SITE__URL": origin, "ALERTS_MAIL__CATCHER__LISTEN": f"127.0.0.1:{free_port()}"}
    await asyncio.to_thread(a_morning, folder, environ)
    async with await App.open(load_config(folder / "config.yaml", environ)) as app, httpx2.AsyncClient() as visitor:
        now = app.clock()
        app.clock = lambda: now  # what can be taken back for a minute still can when its picture is drawn
        stage = await stage_of(app)
        await touch_up(app, stage, now)
        site = create_site(app, catcher=app.catcher())
        server = WebServer(site, "127.0.0.1", port)
        await server.start()
        yield origin, await every_page(Website(app, site, visitor), now, stage)
        await server.stop()


async def touch_up(app: App, stage: Stage, now: datetime) -> None:
    """Let one article lead elsewhere, as no seed of ours does, and let all be news to the people on the pages."""
    elsewhere = schema.articles.update().where(schema.articles.c.id == stage.article)
    async with app.db.transaction() as tx:
        await tx.execute(elsewhere.values(url="https://daily.example/supervised-driving"))
        await tx.execute(schema.matches.update().values(matched_at=now))


def a_morning(folder: Path, environ: dict[str, str]) -> None:
    """Let the product do what it does: two people come, and an article appears."""
    shutil.copy(ROOT / "config.yaml", folder)
    shutil.copytree(SEED.parent, folder / "seeds", ignore=shutil.ignore_patterns(SEED.name))
    product(folder, environ, "run", "--once")
    product(folder, environ, "subscribers", "add", "alice@reader.example", "xiaomi", "--confirmed")
    product(folder, environ, "subscribers", "add", "li@reader.example", "xiaomi", "--confirmed", "--language", "zh")
    product(folder, environ, "subscribers", "add", "bob@reader.example", "tesla", "nio")
    shutil.copy(SEED, folder / "seeds")
    product(folder, environ, "run", "--once")


def product(folder: Path, environ: dict[str, str], *arguments: str) -> None:
    """Run a command as an operator would."""
    whole = {**own_environment(), **environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "alerts", *arguments], cwd=folder, env=whole, check=True, capture_output=True)


async def stage_of(app: App) -> Stage:
    """Find what there is to be seen: the article that went out, another one, the mails by what they are."""
    matched = select(schema.matches.c.article_id).join(schema.articles).order_by(schema.articles.c.id.desc())
    async with app.db.reading() as tx:
        newest, *others = dict.fromkeys((await tx.scalars(matched)).all())
    caught = await asyncio.to_thread(list_mails, app.maildir)
    mails = {}
    for one in caught.mails:
        to = heading(one.raw).recipient.partition("@")[0]
        mails[{"alice": "alert mail", "li": "alert mail in Chinese", "bob": "confirmation mail"}[to]] = one.id
    return Stage(newest, others[0], mails)


def say(text: str) -> None:
    """Tell whoever runs this."""
    sys.stdout.write(text + "\n")


def main() -> int:
    """Draw everything."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        say("no Chromium here")
        return 1
    draw_mail(program)
    asyncio.run(draw_pages())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
