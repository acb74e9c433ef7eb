"""Names, titles and addresses that mean harm: on no page and in no mail does anything run, or break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from chromium import watch
from every_page import Texts
from every_page import visit as go_to
from furnished_site import Visit, furnished_site
from mail_raw import texts_of
from mail_rules import violations
from page_checkers import Checkers
from playwright.async_api import Browser

from alerts.mail.caught import read_mail

pytest_plugins = ["browsing"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RUN = "document.documentElement.dataset.ran=1;alert(1)"
EVIL = (
    f"'\"></title></textarea></style></script><script>{RUN}</script><img src=x onerror={RUN}><svg/onload={RUN}>"
    f"<a href=javascript:{RUN}>{{{{ 7*191 }}}}${{7*191}}{{% raw %}}<!-- ]]>\u202e\u2066&lt;\x01"
)
ATTRIBUTE = f"x' autofocus onfocus={RUN} y=\" autofocus onfocus={RUN} z="
COUNT_HARM = """document.querySelectorAll(
    "[data-ran], script:not([src^='/static/']), img[src=x], svg, [onfocus], [href^=java]"
).length"""
LOCAL_PART = "o'{{7*191}}&amp`$|~"  # as much of it as an address can hold
HOSTILE = Texts(
    channel=f"N {EVIL}",
    title=f"T {EVIL}",
    lines=[f"L {EVIL}", ATTRIBUTE, "\ud800 alone \udfff", "مرحبا \u202eabc"],
    body=f"B {EVIL}\n\n{ATTRIBUTE}",
    author=ATTRIBUTE,
    term=f"Q {EVIL}",
    link=f"javascript:{RUN}//https://daily.example/",
    local_part=LOCAL_PART,
)


@pytest_asyncio.fixture(loop_scope="module")
async def hostile(tmp_path: Path, now: datetime) -> AsyncIterator[Visit]:
    async with furnished_site(tmp_path, now, HOSTILE) as visit:
        yield visit


async def test_nothing_runs_on_any_page_even_where_no_policy_forbids_it(
    browser: Browser, hostile: Visit, checkers: Checkers
) -> None:
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    said = watch(page)
    wrong: list[str] = []
    documents: dict[str, bytes] = {}
    for name, place in hostile.places.items():
        if name.startswith("foreign mail"):
            continue  # it is meant to have scripts; its frame keeps them in
        documents[name] = await (await go_to(page, hostile.origin, place)).body()
        wrong += [f"{name}: {one}" for one in said if f"status of {place.status}" not in one]
        said.clear()
        if await page.evaluate(COUNT_HARM):
            wrong.append(f"{name}: a script, or what would run one")
        if b"1337" in documents[name]:
            wrong.append(f"{name}: reckons")
    assert wrong == []
    assert checkers.validity(documents) == []
    assert await page.evaluate("document.documentElement.dataset.ran") is None
    await context.close()


async def test_a_hostile_text_is_shown_as_it_was_written(browser: Browser, hostile: Visit) -> None:
    page = await browser.new_page()
    for name, shown in (("alert", HOSTILE.title), ("channel", HOSTILE.channel), ("channel", HOSTILE.term)):
        await go_to(page, hostile.origin, hostile.places[name])
        everything = await page.evaluate("document.body.textContent")
        assert shown.replace("\x01", "\ufffd") in everything.replace("\x01", "\ufffd"), name
    await page.close()


async def test_nothing_runs_in_a_hostile_mail(browser: Browser, hostile: Visit, checkers: Checkers) -> None:
    page = await browser.new_page()
    said = watch(page)
    mails = {name: read_mail(hostile.maildir, key) for name, key in hostile.stage.mails.items()}
    del mails["foreign mail"]
    for name, mail in mails.items():
        assert mail.envelope is not None
        kind = "confirmation" if name.startswith("confirmation") else "alert"
        [recipient] = mail.envelope.recipients
        assert violations(mail.raw, rcpt=recipient, site_host="127.0.0.1", kind=kind) == [], name
        await page.set_content(texts_of(mail.raw)[1])
        assert await page.evaluate(COUNT_HARM) == 0
        assert "1337" not in await page.evaluate("document.body.textContent")
    documents = {name: texts_of(mail.raw)[1].encode() for name, mail in mails.items()}
    assert checkers.validity(documents, rules="htmlvalidate-mail.json") == []
    assert said == []
    await page.close()


async def test_a_script_that_got_into_a_page_would_be_seen(browser: Browser) -> None:
    page = await browser.new_page()
    said = watch(page)
    await page.set_content(f"<!doctype html><title>x</title><p>{EVIL}")
    assert await page.evaluate("document.documentElement.dataset.ran") == "1"
    assert any("a dialog" in one for one in said)
    await page.close()
