"""Draw docs/pictures/alert-mail.png: the mail about one of our own seeds, on a desk by day and on a phone at night.

Run it from the repository's root: ``.venv/bin/python tests/pictures.py``. Needs Chromium; nothing is fetched.
"""

from __future__ import annotations

import base64
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mail_rules import texts_of
from mails import AT, SITE, XIAOMI, alert
from playwright.sync_api import Browser, sync_playwright

from alerts.core.model import Article, Disposition
from alerts.sources.folder import look_at, read_file
from alerts.sources.formats import read_items

ROOT = Path(__file__).parents[1]
SEED = ROOT / "seeds" / "xiaomi-yu7-waiting-time.txt"
PICTURE = ROOT / "docs" / "pictures" / "alert-mail.png"

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


def main() -> int:
    """Draw the picture."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium here", file=sys.stderr)  # noqa: T201 - a script speaks
        return 1
    html = seed_mail()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pictures = {
            "desk": shot(browser, html, width=680, scheme="light"),
            "phone": shot(browser, html, width=360, scheme="dark"),
        }
        urls = {name: "data:image/png;base64," + base64.b64encode(png).decode() for name, png in pictures.items()}
        PICTURE.write_bytes(shot(browser, FRAME.format(**urls), width=1156, scheme="light"))
        browser.close()
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KiB")  # noqa: T201 - a script speaks
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
