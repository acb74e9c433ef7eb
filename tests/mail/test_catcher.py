"""The catcher is a real SMTP server: what it is sent is kept to the byte, and nothing that is sent can harm it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import pytest

from alerts.core.errors import ConfigError, NotFoundError, RelayError
from alerts.mail.catcher import MAX_MESSAGE_BYTES, MAX_RECIPIENTS, Catcher
from alerts.mail.caught import MailEnvelope, MailStore, list_mails, read_mail

MAIL = b"From: a@site.example\r\nTo: bob@reader.example\r\nSubject: Hello\r\n\r\n.\r\n..\r\nFrom here\r\n"


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    catcher = Catcher(tmp_path / "caught", port=0)
    await catcher.start()
    yield catcher
    await catcher.stop()


async def send(catcher: Catcher, mail: bytes, *, to: str = "bob@reader.example", smtputf8: bool = False) -> str:
    host, port = catcher.address
    client = aiosmtplib.SMTP(hostname=host, port=port, start_tls=False)
    await client.connect()
    options = ["SMTPUTF8", "BODY=8BITMIME"] if smtputf8 else []
    _, reply = await client.sendmail("a@site.example", [to], mail, mail_options=options)
    await client.quit()
    return reply


async def test_a_mail_is_kept_as_it_was_received_to_the_byte(catcher: Catcher) -> None:
    await send(catcher, MAIL)
    (mail,) = list_mails(catcher.maildir).mails
    assert mail.raw == MAIL
    assert mail.envelope == MailEnvelope("a@site.example", ("bob@reader.example",))
    assert [path.read_bytes() for path in (catcher.maildir / "new").iterdir()] == [MAIL]


async def test_it_offers_what_a_modern_relay_does(catcher: Catcher) -> None:
    host, port = catcher.address
    async with aiosmtplib.SMTP(hostname=host, port=port) as client:
        await client.ehlo()
        assert {"8bitmime", "smtputf8", "size"} <= set(client.esmtp_extensions)
        assert client.esmtp_extensions["size"] == str(MAX_MESSAGE_BYTES)


async def test_an_address_outside_ascii_arrives(catcher: Catcher) -> None:
    await send(catcher, MAIL.replace(b"bob@", "böb@".encode()), to="böb@reader.example", smtputf8=True)
    (mail,) = list_mails(catcher.maildir).mails
    assert mail.envelope is not None
    assert mail.envelope.recipients == ("böb@reader.example",)


async def test_eight_connections_at_once_lose_nothing(catcher: Catcher) -> None:
    await asyncio.gather(*(send(catcher, MAIL, to=f"p{number}@reader.example") for number in range(24)))
    page = list_mails(catcher.maildir, limit=100)
    assert len({mail.envelope.recipients for mail in page.mails if mail.envelope}) == 24


async def test_what_was_caught_is_there_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        catcher = Catcher(tmp_path / "caught", port=0)
        await catcher.start()
        await send(catcher, MAIL)
        await catcher.stop()
    assert list_mails(tmp_path / "caught").total == 2


async def test_a_port_in_use_is_said_with_its_number_and_what_to_do(catcher: Catcher) -> None:
    host, port = catcher.address
    second = Catcher(catcher.maildir, host, port)
    with pytest.raises(RelayError, match=rf"127\.0\.0\.1:{port}.*something else does.*Stop it"):
        await second.start()
    await second.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "mail.example.com", ""])  # noqa: S104 - refused
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="127"):
        Catcher(tmp_path, host)


async def test_a_folder_that_cannot_be_made_is_a_relay_that_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RelayError, match="folder"):
        await Catcher(tmp_path / "file", port=0).start()


async def test_a_disk_that_is_full_defers_the_mail(catcher: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catcher._store, "add", full)
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(catcher, MAIL)
    assert caught.value.code == 452


async def test_too_many_recipients_and_too_large_a_mail_are_refused(catcher: Catcher) -> None:
    host, port = catcher.address
    async with aiosmtplib.SMTP(hostname=host, port=port) as client:
        await client.ehlo()
        await client.mail("a@site.example")
        for number in range(MAX_RECIPIENTS):
            await client.rcpt(f"p{number}@reader.example")
        with pytest.raises(aiosmtplib.SMTPRecipientRefused):
            await client.rcpt("one@more.example")
    with pytest.raises(aiosmtplib.SMTPResponseException):
        await send(catcher, b"Subject: x\r\n\r\n" + (b"x" * 500 + b"\r\n") * (MAX_MESSAGE_BYTES // 500))
    assert list_mails(catcher.maildir).total == 0


async def test_a_bounce_without_a_sender_is_taken(catcher: Catcher) -> None:
    reader, writer = await asyncio.open_connection(*catcher.address)
    for line in (b"EHLO me", b"MAIL FROM:<>", b"RCPT TO:<bob@reader.example>", b"DATA", b"Subject: x\r\n\r\nx\r\n."):
        writer.write(line + b"\r\n")
    writer.write(b"QUIT\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"250 2.0.0 Caught" in said
    (mail,) = list_mails(catcher.maildir).mails
    assert mail.envelope == MailEnvelope("", ("bob@reader.example",))


async def test_stopping_hangs_up_on_idle_connections_and_frees_the_port(tmp_path: Path) -> None:
    catcher = Catcher(tmp_path, port=0)
    await catcher.start()
    host, port = catcher.address
    reader, writer = await asyncio.open_connection(host, port)
    await reader.readline()
    await asyncio.wait_for(catcher.stop(), 2)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    with socket.create_server((host, port)):
        pass


def keep(store: MailStore, *contents: bytes) -> list[str]:
    return [store.add(content, MailEnvelope("a@b", ("c@d",))) for content in contents]


def test_the_oldest_mails_make_room_by_number_and_by_size(tmp_path: Path) -> None:
    store = MailStore(tmp_path, max_mails=3, max_bytes=1_000)
    store.open()
    ids = keep(store, *(b"x" * 10 for _ in range(5)))
    assert [mail.id for mail in list_mails(tmp_path).mails] == ids[:1:-1]
    last = keep(store, b"y" * 995)
    assert [mail.id for mail in list_mails(tmp_path).mails] == last
    assert len(list((tmp_path / "envelopes").iterdir())) == 1


def test_bounds_hold_after_a_restart_too(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    ids = keep(store, b"1", b"2", b"3")
    MailStore(tmp_path, max_mails=2).open()
    assert [mail.id for mail in list_mails(tmp_path).mails] == ids[:0:-1]


def test_a_half_written_mail_is_not_listed_and_is_cleared(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    (mail_id,) = keep(store, b"1")
    (tmp_path / "new" / mail_id).rename(tmp_path / "tmp" / mail_id)
    assert list_mails(tmp_path).mails == ()
    MailStore(tmp_path).open()
    assert not list((tmp_path / "tmp").iterdir())


def test_pages_go_on_where_the_last_one_ended_while_mails_come_in(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    ids = keep(store, *(b"%d" % number for number in range(5)))
    first = list_mails(tmp_path, limit=2)
    keep(store, b"new")
    second = list_mails(tmp_path, limit=2, before=first.next)
    third = list_mails(tmp_path, limit=2, before=second.next)
    assert [mail.id for page in (first, second, third) for mail in page.mails] == ids[::-1]
    assert third.next is None


def test_a_mail_reader_may_move_mails_and_strange_files_are_passed_over(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    store.open()
    (mail_id,) = keep(store, b"1")
    (tmp_path / "new" / mail_id).rename(tmp_path / "cur" / f"{mail_id}:2,S")
    (tmp_path / "new" / "readme.txt").write_text("?")
    (tmp_path / "envelopes" / mail_id).write_text("{broken")
    assert read_mail(tmp_path, mail_id).raw == b"1"
    assert read_mail(tmp_path, mail_id).envelope is None
    assert list_mails(tmp_path).total == 1


@pytest.mark.parametrize("mail_id", ["", "..", "../../etc/passwd", "1\x00", "9" * 10, "readme.txt"])
def test_an_id_that_is_none_finds_nothing(tmp_path: Path, mail_id: str) -> None:
    with pytest.raises(NotFoundError):
        read_mail(tmp_path, mail_id)
