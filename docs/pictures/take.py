"""Takes the README's picture of a mail, in light and dark, with Chromium: `python docs/pictures/take.py`."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

REPOSITORY = Path(__file__).parents[2]
ARTICLE = REPOSITORY / "seeds" / "xiaomi-yu7-waiting-time.txt"
PICTURE = REPOSITORY / "docs" / "pictures" / "mail.png"
WIDTH, HEIGHT = 620, 750


def preview() -> str:
    """Return the mail's HTML, made with the shipped config and a database that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(REPOSITORY / "config.yaml", folder)
        html = Path(folder) / "mail.html"
        command = [sys.executable, "-m", "alerts", "mail", "preview", str(ARTICLE), "xiaomi", "--html", str(html)]
        command += ["--config", str(Path(folder) / "config.yaml")]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        return html.read_text(encoding="utf-8")


def shot(browser: Browser, html: str, *, dark: bool) -> str:
    """Return a picture of the mail as a data URL."""
    page = browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light", device_scale_factor=1.5
    )
    page.set_content(html)
    return "data:image/png;base64," + base64.b64encode(page.screenshot()).decode()


def main() -> None:
    """Put both pictures side by side."""
    html = preview()
    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        images = "".join(f'<img src="{shot(browser, html, dark=dark)}" width="{WIDTH}">' for dark in (False, True))
        page = browser.new_page(viewport={"width": 2 * WIDTH, "height": HEIGHT})
        page.set_content(f"<style>body{{margin:0;display:flex}}</style>{images}")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
