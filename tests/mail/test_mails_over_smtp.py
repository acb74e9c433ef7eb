"""Mails as a real SMTP server received them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from mail_rules import subject_of, texts_of, violations
from mails import ALICE, AT, LINKS, MESSAGE_ID, SITE, TESLA, XIAOMI, alert, article, shipped

from alerts.core.messages import compile_alert


class Mailbox:
    """What the server took, as it came."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.port = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.original_content, bytes)
        self.taken.append(envelope.original_content)
        return "250 taken"

    async def send(self, raw: bytes, *recipients: str, smtputf8: bool = False) -> bytes:
        """Send a mail over the loopback and return what arrived."""
        options = ["SMTPUTF8", "BODY=8BITMIME"] if smtputf8 else []
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port) as client:
            await client.sendmail("alerts@news.example", list(recipients), raw, mail_options=options)
        return self.taken[-1]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, hostname="mx.example", enable_SMTPUTF8=True, loop=loop), host="127.0.0.1", port=0
    )
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "title",
    [
        "Xiaomi opens its third car plant two months early",
        "=?utf-8?q?T=0D=0ABcc:_evil=40x=0D=0A=0D=0ABODY?=",
        "a\r\nBcc: mallory@example.com",
        ".",
        "From here",
        "\ud800\0😀\u202e小米 مرحبا",
        "x" * 10_000,
    ],
)
async def test_what_arrives_is_what_was_composed_and_keeps_every_rule(mailbox: Mailbox, title: str) -> None:
    raw = alert(article(title=title, body=".\n\n..\n\nFrom there"))

    received = await mailbox.send(raw, ALICE)

    assert received == raw
    assert violations(received, rcpt=ALICE, site_host="news.example", site_name="EV Daily", dated_at=AT) == []


async def test_a_spliced_mail_arrives_whole(mailbox: Mailbox) -> None:
    about = article()
    mail = compile_alert(
        templates=shipped(), site=SITE, article=about, channels=[replace(XIAOMI, name="小米"), TESLA], language="en"
    )
    spliced = mail.splice(
        recipient="bob@example.net",
        message_id=MESSAGE_ID,
        unsubscribe_token=LINKS.unsubscribe.rpartition("/")[2],
        manage_token=LINKS.manage.rpartition("/")[2],
        dated_at=AT,
    )

    received = await mailbox.send(spliced, "bob@example.net")

    assert violations(
        received,
        rcpt="bob@example.net",
        site_host="news.example",
        title=about.item.title,
        link=about.item.url,
        others=[ALICE],
    ) == []  # fmt: skip
    assert subject_of(received) == f"小米 News Alert: {about.item.title}"
    assert LINKS.unsubscribe in texts_of(received)[0].split("\n")


async def test_an_international_address_arrives_where_the_server_takes_it(mailbox: Mailbox) -> None:
    raw = alert(recipient="jürgen@bücher.example")

    received = await mailbox.send(raw, "jürgen@xn--bcher-kva.example", smtputf8=True)

    assert received == raw
    assert violations(received, rcpt="jürgen@xn--bcher-kva.example", site_host="news.example", smtputf8=True) == []
