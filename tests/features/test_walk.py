"""A reader's whole way in a browser, with a daemon: a box on a page elsewhere, a mail, a press, an alert, and out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chromium import ARGUMENTS, find_chromium
from daemon import CATCHER, Site, article, free_port
from playwright.sync_api import Browser, BrowserContext, Frame, Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

AS_LONG_AS_ONE_TYPES_MS = 2_000  # a form that comes back sooner is taken for a program's
PATIENCE_MS = 15_000
LOOKS = 60
FOREIGN_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Other Daily</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><h1>Xiaomi opens a plant</h1><p>All about it.</p>{snippet}<p>More stories</p></body></html>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give an installation whose daemon runs, its mails caught."""
    listen = {"ALERTS_MAIL__CATCHER__LISTEN": f"127.0.0.1:{free_port()}"}
    site = Site(tmp_path_factory.mktemp("site"), relays=CATCHER, environ=listen)
    with site.daemon():
        yield site


@pytest.fixture(scope="module")
def snippet(site: Site) -> str:
    """Give what the operator is told to paste into a page."""
    return str(site.json("channels", "show", "xiaomi")["embed"])


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def published_elsewhere(html: str) -> Iterator[str]:
    """Serve one page from another origin, as a publisher's own site does; give its URL."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/story"
    finally:
        server.shutdown()
        server.server_close()


class Reader:
    """Somebody in front of a browser, who reads their mail on the catcher's pages."""

    def __init__(self, context: BrowserContext, site: Site, address: str) -> None:
        self._context = context
        self._origin = f"http://127.0.0.1:{site.web}"
        self.address = address
        self.said: list[str] = []  # on the console, while subscribing
        context.set_default_timeout(PATIENCE_MS)

    def subscribe(self, where: str) -> Page:
        """Fill in the box that stands in a frame there, and send it off."""
        page = self._context.new_page()
        page.on("console", lambda message: self.said.append(f"{page.url}: {message.text}"))
        page.goto(where)
        box = page.frame_locator("iframe")
        box.get_by_role("textbox").fill(self.address)
        page.wait_for_timeout(AS_LONG_AS_ONE_TYPES_MS)
        box.get_by_role("button", name="Subscribe").click()
        expect(box.get_by_role("heading", name="Look into your mailbox")).to_be_visible(timeout=PATIENCE_MS)
        return page

    def mail(self, about: str) -> Page:
        """Wait for a mail and open it."""
        page = self._context.new_page()
        mine = page.get_by_role("listitem").filter(has_text=self.address).filter(has_text=about)
        for _ in range(LOOKS):
            page.goto(f"{self._origin}/catcher?refresh=off")
            if mine.count():
                break
            page.wait_for_timeout(PATIENCE_MS / LOOKS)
        mine.get_by_role("link").click()
        page.wait_for_url("**/catcher/*.caught*")
        return page

    def follow(self, mail: Page, kind: str) -> Page:
        """Click a link in a mail's HTML; it opens a page of its own."""
        (frame,) = (one for one in mail.frames if one.url.endswith("/document"))
        with mail.expect_popup() as opened:
            _link(frame, kind).click()
        page = opened.value
        page.wait_for_load_state()
        return page


def _link(frame: Frame, kind: str) -> Locator:
    return frame.locator(f"a[href*='/{kind}/']").first


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_reader_walks_from_a_box_on_a_foreign_page_to_an_alert_and_out_again(
    chrome: Browser, site: Site, snippet: str, width: int, *, scripts: bool
) -> None:
    context = chrome.new_context(viewport={"width": width, "height": 800}, java_script_enabled=scripts)
    reader = Reader(context, site, f"reader{width}{'' if scripts else '.plain'}@reader.example")
    title = f"Xiaomi opens plant {width}{'' if scripts else ' quietly'}"

    with published_elsewhere(FOREIGN_PAGE.format(snippet=snippet)) as story:
        asked = reader.subscribe(story)
        if scripts:
            frame = asked.locator("iframe")
            inside = asked.frames[1].evaluate("document.documentElement.scrollHeight")
            assert frame.evaluate("it => it.clientHeight") >= inside, "the frame is as high as what it shows"
        assert reader.said == []

    confirming = reader.follow(reader.mail("Confirm"), "confirm")
    confirming.get_by_role("button", name="Yes, send me alerts").click()
    expect(confirming.get_by_role("heading", name="You are in")).to_be_visible()

    site.publish(f"plant-{width}-{scripts}.txt", article(title))
    alert = reader.mail(title)

    managing = reader.follow(alert, "m")
    expect(managing.get_by_role("heading", name="What you get")).to_be_visible()
    expect(managing.get_by_role("button", name="Leave Xiaomi")).to_be_visible()

    leaving = reader.follow(alert, "u")
    leaving.get_by_role("button", name="Unsubscribe", exact=True).click()
    expect(leaving.get_by_role("heading", name="You have left")).to_be_visible()

    managing.reload()
    expect(managing.get_by_text("You follow no channel.")).to_be_visible()
    log = (site.folder / "daemon.log").read_text(encoding="utf-8")
    assert "event=started" in log
    links = [page.url.rpartition("/")[2] for page in (confirming, managing, leaving)]
    assert [secret for secret in (reader.address, *links, "<function", "Traceback") if secret in log] == []
    context.close()


def test_the_plain_form_on_a_foreign_page_leads_to_the_same_mail(chrome: Browser, site: Site) -> None:
    form = str(site.json("channels", "show", "xiaomi")["form"])
    context = chrome.new_context(viewport={"width": 390, "height": 800}, java_script_enabled=False)
    reader = Reader(context, site, "plainform@reader.example")
    with published_elsewhere(FOREIGN_PAGE.format(snippet=form)) as story:
        page = context.new_page()
        page.goto(story)
        page.get_by_label("Email address").fill(reader.address)
        page.get_by_role("button", name="Subscribe").click()
        page.wait_for_url(f"http://127.0.0.1:{site.web}/subscribe")
        # A form that brings no stamp of ours may be a program's: a person presses once more.
        again = page.get_by_role("button", name="Subscribe")
        if again.count():
            page.wait_for_timeout(AS_LONG_AS_ONE_TYPES_MS)
            again.click()
        expect(page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    confirming = reader.follow(reader.mail("Confirm"), "confirm")
    confirming.get_by_role("button", name="Yes, send me alerts").click()
    expect(confirming.get_by_role("heading", name="You are in")).to_be_visible()
    context.close()
