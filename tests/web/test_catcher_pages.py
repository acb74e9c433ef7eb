"""The catcher's pages: every mail in every view, and no way out of the sandbox for a hostile one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiosmtplib
import pytest
from website import Website, website

from alerts.mail.catcher import Catcher
from alerts.mail.caught import MailEnvelope, MailStore
from alerts.storage.engine import Database

MAIL = (
    "From: EV Daily <alerts@site.example>\r\nTo: bob@reader.example\r\nSubject: Xiaomi <b>News</b> Alert\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nRead: https://daily.example/a?b=1&c=2.\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    "<html><head><title>x</title></head><body onload=alert(1)><script>alert(2)</script><p>Grüße</p></body></html>\r\n"
    "--b--\r\n"
).encode()


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    catcher = Catcher(tmp_path / "caught", port=0)
    await catcher.start()
    yield catcher
    await catcher.stop()


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime, catcher: Catcher) -> AsyncIterator[Website]:
    async with website(sqlite_db, tmp_path, now, catcher=catcher) as web:
        yield web


async def only_mail(web: Website) -> str:
    """Return the path of the one mail that the list shows."""
    page = (await web.visitor.get("/catcher")).text
    return "/catcher/" + page.partition('href="/catcher/')[2].partition('"')[0]


@pytest.fixture
async def path(web: Website, catcher: Catcher) -> str:
    host, port = catcher.address
    await aiosmtplib.send(
        MAIL, sender="alerts@site.example", recipients=["bob@reader.example"], hostname=host, port=port
    )
    return await only_mail(web)


async def test_an_empty_catcher_says_what_to_do(web: Website) -> None:
    assert "Nothing yet" in (await web.visitor.get("/catcher")).text


async def test_a_mail_shows_in_the_list_as_soon_as_it_was_taken(web: Website, path: str) -> None:
    page = (await web.visitor.get("/catcher")).text
    assert "Xiaomi &lt;b&gt;News&lt;/b&gt; Alert" in page
    assert "bob@reader.example" in page
    assert "1 mail so far" in page


async def test_the_html_is_shown_in_a_sandbox_that_runs_nothing(web: Website, path: str) -> None:
    page = (await web.visitor.get(path)).text
    frame = page.partition("<iframe")[2].partition(">")[0]
    assert "allow-scripts" not in frame
    assert "allow-same-origin" not in frame
    assert 'sandbox="' in frame
    document = await web.visitor.get(path + "/document")
    policy = document.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "default-src 'none'" in policy
    assert "script" not in policy.replace("allow-scripts", "script")
    assert "Grüße" in document.text
    assert "<base" in document.text


async def test_the_text_has_links_to_follow(web: Website, path: str) -> None:
    page = (await web.visitor.get(path + "/text")).text
    assert '<a href="https://daily.example/a?b=1&amp;c=2" rel="noopener noreferrer">' in page


async def test_headers_and_source_are_shown_and_the_bytes_can_be_had(web: Website, path: str) -> None:
    assert "multipart/alternative" in (await web.visitor.get(path + "/headers")).text
    assert "&lt;script&gt;" in (await web.visitor.get(path + "/source")).text
    file = await web.visitor.get(path + "/file")
    assert file.content == MAIL
    assert file.headers["content-type"] == "message/rfc822"
    assert "attachment" in file.headers["content-disposition"]


async def test_a_view_that_is_none_and_a_mail_that_is_gone_are_404(web: Website, path: str) -> None:
    for gone in (path + "/nothing", "/catcher/x", "/catcher/..%2f..", "/catcher/%00/file", "/catcher/x/document"):
        assert (await web.visitor.get(gone)).status_code == 404


async def test_pages_of_mails_go_on(web: Website, catcher: Catcher) -> None:
    store = MailStore(catcher.maildir)
    store.open()
    for number in range(30):
        store.add(b"Subject: Mail %d.\r\n\r\nx" % number, MailEnvelope("a@b", ("c@d",)))
    first = (await web.visitor.get("/catcher")).text
    older = first.partition('href="/catcher?before=')[2].partition('"')[0]
    second = (await web.visitor.get(f"/catcher?before={older}")).text
    assert "Mail 29." in first
    assert "Mail 5." in first
    assert "Mail 4." in second
    assert 'http-equiv="refresh"' in first
    assert 'http-equiv="refresh"' not in second


async def test_mails_of_any_bytes_are_shown_in_every_view(web: Website, catcher: Catcher) -> None:
    store = MailStore(catcher.maildir)
    store.open()
    bodies = [
        b"", b"\x00\xff\xfe", b"Subject: \xff\x00\r\n\r\n\xff", b"\r\n\r\n",
        b"Content-Type: text/html\r\n\r\n\xff<script>",
        b"Subject: =?utf-8?b?////?=\r\nDate: Foo\r\nFrom: <<>>\r\nTo: =?x?q?\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--", b"X: " + b"y" * 100_000,
    ]  # fmt: skip
    ids = [store.add(body, MailEnvelope("\udcff", ('"<b>"@x', "\u202e"))) for body in bodies]
    assert (await web.visitor.get("/catcher")).status_code == 200
    for mail_id in ids:
        for view in ("", "/html", "/text", "/headers", "/source", "/file"):
            answer = await web.visitor.get(f"/catcher/{mail_id}{view}")
            assert answer.status_code == 200, (mail_id, view)
            assert view == "/file" or "<script" not in answer.text


async def test_another_sites_name_for_this_machine_sees_no_mail(web: Website, path: str) -> None:
    for host, status in [
        ("evil.example", 421), ("127.0.0.1.evil.example:8000", 421), ("", 421), ("[", 421), ("evil@x:y", 421),
        ("localhost:8000", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("192.168.1.5:8000", 200),
    ]:  # fmt: skip
        for page in ("/catcher", path, path + "/file", path + "/document"):
            assert (await web.visitor.get(page, headers={"Host": host})).status_code == status, host
