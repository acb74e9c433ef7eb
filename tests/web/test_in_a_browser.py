"""Pages used in Chromium: by keyboard, without scripts, with a hostile mail in a frame."""

from __future__ import annotations

import asyncio

import pytest
from furnished_site import Visit
from playwright.async_api import Browser

from alerts.mail.caught import MailEnvelope, MailStore, list_mails

pytest_plugins = ["browsing"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_hostile_mail_stays_in_its_frame(browser: Browser, visit: Visit) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    await page.goto(visit.origin + visit.places["foreign mail, html"].path)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    frame = page.frames[1]
    assert page.url == visit.origin + visit.places["foreign mail, html"].path
    assert await frame.title() == ""
    async with page.expect_popup() as popup:
        await frame.get_by_text("link").click()
    await (await popup.value).wait_for_load_state()
    assert (await popup.value).url.endswith("/healthz")
    await page.close()


async def test_leaving_needs_the_button_and_works_without_scripts(browser: Browser, visit: Visit) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(visit.origin + visit.places["leave, one channel"].path)
    await page.get_by_role("button", name="Unsubscribe from everything").click()
    await page.get_by_role("heading", name="You have left").wait_for()
    await page.goto(visit.origin + visit.places["manage"].path)
    await page.get_by_text("You follow no channel").wait_for()
    await context.close()


async def test_somebody_with_a_keyboard_sees_where_they_are(browser: Browser, visit: Visit) -> None:
    page = await browser.new_page()
    await page.goto(visit.origin + visit.places["manage"].path)
    await page.keyboard.press("Tab")
    skip = await page.evaluate(
        "document.activeElement.getBoundingClientRect().left >= 0 && document.activeElement.className"
    )
    assert skip == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    await page.close()


async def test_a_new_mail_appears_by_itself(browser: Browser, visit: Visit) -> None:
    page = await browser.new_page()
    await page.goto(visit.origin + "/catcher")
    store = MailStore(visit.maildir)
    await asyncio.to_thread(store.open)
    before = list_mails(visit.maildir).total
    store.add(b"Subject: Just in\r\n\r\nx", MailEnvelope("a@b", ("c@d",)))
    assert list_mails(visit.maildir).total == before + 1
    await page.get_by_text("Just in").wait_for(timeout=15_000)
    await page.close()
