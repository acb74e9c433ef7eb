"""Takes the pictures of the site, from the running product, with Chromium: `python docs/pictures/make_web.py`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

REPOSITORY = Path(__file__).parents[2]
PICTURES = REPOSITORY / "docs" / "pictures"
ARTICLE = "xiaomi-yu7-waiting-time.txt"  # arrives while we look
WIDTH, HEIGHT = 1280, 860
PATIENCE_S = 30


def main() -> None:
    """Take `channels.png` and `catcher.png`."""
    with tempfile.TemporaryDirectory() as name, daemon(Path(name)) as (folder, site):
        alerts(folder, "subscribers", "add", "alice@reader.example", "xiaomi", "--confirmed")
        alerts(folder, "subscribers", "add", "bob@reader.example", "tesla", "nio")
        shutil.copy(REPOSITORY / "seeds" / ARTICLE, folder / "seeds")
        mail = wait_for(f"{site}/catcher", r'href="(/catcher/[^"?]+)"><bdi>Xiaomi')
        with browser_page() as page:
            picture(page, f"{site}/", "channels.png")
            picture(page, f"{site}{mail}", "catcher.png")


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run the shipped configuration in a folder of its own; give the folder and the site's URL."""
    shutil.copy(REPOSITORY / "config.yaml", folder)
    shutil.copytree(REPOSITORY / "seeds", folder / "seeds", ignore=shutil.ignore_patterns(ARTICLE))
    web, smtp = free_port(), free_port()
    site = f"http://127.0.0.1:{web}"
    os.environ |= {
        "ALERTS_SITE__URL": site,
        "ALERTS_WEB__LISTEN": f"127.0.0.1:{web}",
        "ALERTS_MAIL__CATCHER__LISTEN": f"127.0.0.1:{smtp}",
        "PYTHONPATH": str(REPOSITORY),
    }
    process = subprocess.Popen([sys.executable, "-m", "alerts", "run"], cwd=folder)
    try:
        wait_for(f"{site}/", "NIO")  # the first poll is done
        yield folder, site
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def alerts(folder: Path, *arguments: str) -> None:
    """Run a command as an operator would."""
    subprocess.run([sys.executable, "-m", "alerts", *arguments], cwd=folder, check=True)  # noqa: S603 - our own program


def wait_for(url: str, pattern: str) -> str:
    """Wait until a page matches; return the first group, or the match."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:  # noqa: S310 - our own site
            found = re.search(pattern, answer.read().decode())
            if found:
                return found[found.lastindex or 0]
        time.sleep(0.2)
    raise TimeoutError(f"{url} never showed {pattern}")


@contextlib.contextmanager
def browser_page() -> Iterator[Page]:
    """Open a page in the Chromium of this machine."""
    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        browser.close()


def picture(page: Page, url: str, name: str) -> None:
    """Keep a picture of what a visitor sees first."""
    page.goto(url)
    page.screenshot(path=PICTURES / name)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
