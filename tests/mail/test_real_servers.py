"""Mails over SMTP servers that others wrote: what arrives is what was made, byte for byte, both ways of sending."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext

import pytest
from mails import SITE, XIAOMI, alert, article, shipped
from real_smtp import aiosmtpd_server, certificate, postfix, smtp_sink
from scripted_smtp import EHLO, ScriptedSmtp

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried
from alerts.core.messages import compile_alert
from alerts.core.model import Envelope
from alerts.mail.opening import Endpoint
from alerts.mail.relays import Relay, RelayState, carry_all
from alerts.mail.timeouts import Timeouts

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TITLES = (
    "Xiaomi opens its third car plant two months early",
    "小米汽车第三座工厂提前两个月投产",
    ".",
    "From here on\r\n.\r\nQUIT",
    "x" * 300,
)


def letters(count: int, *, domain: str = "example.org") -> list[Envelope]:
    """Compose mails as they are sent: compiled once, spliced; titles and bodies that SMTP could trip over."""
    made = []
    for number in range(count):
        story = article(title=TITLES[number % len(TITLES)], body=".\n..\nFrom here\n\n.leading\n" * (1 + 40 * number))
        compiled = compile_alert(templates=shipped(), site=SITE, article=story, channels=[XIAOMI], language="en")
        assert compiled is not None
        recipient = f"reader{number}@{domain}"
        message = compiled.splice(
            recipient=recipient,
            message_id=f"<{number}.f00d@news.example>",
            unsubscribe_token="U" * 44,
            manage_token="M" * 44,
            dated_at=NOON,
        )
        made.append(_envelope(number, recipient, message))
    return made


def _envelope(number: int, recipient: str, message: bytes, *, smtputf8: bool = False) -> Envelope:
    return Envelope(delivery_id=number, sender=SITE.sender, recipient=recipient, message=message, smtputf8=smtputf8)


class Hand:
    """Gives mails out, once each, and keeps what came of them."""

    def __init__(self, mails: Sequence[Envelope]) -> None:
        self.mails = list(mails)
        self._waiting = deque(mails)
        self.results: dict[int, Result] = {}

    async def take(self) -> Envelope | None:
        return self._waiting.popleft() if self._waiting else None

    async def report(self, envelope: Envelope, result: Result, _relay: str) -> None:
        self.results[envelope.delivery_id] = result

    async def send(self, relay: Relay) -> None:
        await carry_all([relay], self.take, self.report, wanted=len(self.mails))

    @property
    def taken(self) -> bool:
        return all(isinstance(it, Reply) and it.code == 250 for it in self.results.values()) and len(
            self.results
        ) == len(self.mails)

    @property
    def messages(self) -> list[bytes]:
        return sorted(mail.message for mail in self.mails)


def relay_to(
    port: int,
    *,
    pipelining: bool = True,
    tls: SSLContext | None = None,
    password: str | None = None,
    connections: int = 2,
) -> Relay:
    policy = "required" if tls else "none"
    user = "bob" if password else None
    return Relay(
        name="relay",
        endpoint=Endpoint(host="127.0.0.1", port=port, tls=policy, username=user, password=password),
        clock=lambda: NOON,
        connections=connections,
        messages_per_connection=7,
        timeouts=Timeouts(connect_s=10, command_s=10, body_s=20, quit_s=2),
        pipelining=pipelining,
        tls_context=tls,
    )


BOTH_WAYS = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "stepwise"])


@BOTH_WAYS
@pytest.mark.parametrize("options", [[], ["-p"], ["-8"], ["-e"], ["-P"]], ids=" ".join)
async def test_smtp_sink_gets_every_mail_as_it_was_made(options: list[str], *, pipelining: bool) -> None:
    """Without its PIPELINING, without 8BITMIME, without ESMTP, and behind a middle box that hides it."""
    hand = Hand(letters(20))
    with smtp_sink(options) as sink:
        await hand.send(relay_to(sink.port, pipelining=pipelining))
        assert hand.taken
        assert sorted(sink.taken()) == hand.messages


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-q", "."], InDoubt),
        (["-q", "RCPT"], Dropped),
        (["-q", "DATA"], Dropped),
        (["-q", "MAIL"], Untried),
        (["-q", "EHLO"], Untried),
        (["-q", "CONNECT"], Untried),
        (["-Q", "MAIL"], Untried),
        (["-Q", "."], Reply),
        (["-A", "0"], Reply),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else it.__name__,
)
async def test_when_smtp_sink_hangs_up_the_mails_fate_is_told_apart(options: list[str], expected: type[Result]) -> None:
    hand = Hand(letters(1))
    with smtp_sink(options) as sink:
        relay = relay_to(sink.port)
        await hand.send(relay)
    assert isinstance(hand.results[0], expected)
    assert relay.open_connections == 0
    assert (relay.health.state is RelayState.FAILING) == (expected is Untried)


@pytest.mark.parametrize(
    ("command", "stage"), [("MAIL", Stage.MAIL), ("RCPT", Stage.RCPT), ("DATA", Stage.DATA), (".", Stage.BODY)]
)
@pytest.mark.parametrize(("option", "code"), [("-r", 450), ("-f", 500)])
async def test_what_smtp_sink_refuses_is_told_with_its_stage(
    command: str, stage: Stage, option: str, code: int
) -> None:
    hand = Hand(letters(3))
    with smtp_sink([option, command]) as sink:
        await hand.send(relay_to(sink.port, connections=1))
    told = [(it.code, it.stage) for it in hand.results.values() if isinstance(it, Reply)]
    assert told == [(code, stage)] * 3


@BOTH_WAYS
async def test_a_real_postfix_takes_and_hands_on_every_mail_as_it_was_made(*, pipelining: bool) -> None:
    """It adds its Received line, refuses who is not there, and never sees a mail begin where another ends."""
    mails = letters(12)
    mails.insert(5, _envelope(90, "nobody@example.org", alert()))
    mails.append(_envelope(91, "δοκιμή@example.org", alert(recipient="δοκιμή@example.org"), smtputf8=True))
    hand = Hand(mails)
    async with ScriptedSmtp(extensions=EHLO) as onward:
        with postfix(onward=onward.port) as port:
            relay = relay_to(port, pipelining=pipelining)
            await hand.send(relay)
            await _until(lambda: len(onward.accepted) >= len(mails) - 1)
    refused = hand.results.pop(90)
    assert isinstance(refused, Reply)
    assert (refused.code, refused.stage, refused.enhanced) == (550, Stage.RCPT, "5.1.1")
    assert {it.code for it in hand.results.values() if isinstance(it, Reply)} == {250}
    arrived = {mail.recipient: mail.data for mail in onward.accepted}
    assert arrived.keys() == {mail.recipient for mail in mails} - {"nobody@example.org"}
    for mail in mails:
        if mail.delivery_id != 90:
            received, _, rest = arrived[mail.recipient].partition(b"\r\n")
            assert received.startswith(b"Received: ")
            while rest.startswith((b"\t", b" ")):
                rest = rest.partition(b"\r\n")[2]
            assert rest == mail.message
    assert relay.pipelining == pipelining


@pytest.mark.parametrize("encrypted", [False, True], ids=["in the clear", "STARTTLS"])
@pytest.mark.parametrize("password", [None, "correct horse"], ids=["no login", "login"])
async def test_aiosmtpd_gets_every_mail_as_it_was_made(
    tmp_path: Path, *, encrypted: bool, password: str | None
) -> None:
    server_tls, client_tls = certificate(tmp_path) if encrypted else (None, None)
    hand = Hand(letters(20))
    async with aiosmtpd_server(tls=server_tls, password=password) as box:
        await hand.send(relay_to(box.port, tls=client_tls, password=password))
    assert hand.taken
    assert sorted(message for _, message in box.taken) == hand.messages
    assert set(box.encrypted) == {encrypted}
    assert set(box.users) == {"bob" if password else None}


async def test_a_certificate_that_nobody_vouches_for_condemns_the_relay_and_no_mail(tmp_path: Path) -> None:
    server_tls, _ = certificate(tmp_path)
    hand = Hand(letters(1))
    async with aiosmtpd_server(tls=server_tls) as box:
        relay = replace(relay_to(box.port), endpoint=Endpoint(host="127.0.0.1", port=box.port, tls="required"))
        await hand.send(relay)
    assert isinstance(hand.results[0], Untried)
    assert (relay.health.state, box.taken) == (RelayState.CONDEMNED, [])


async def test_a_wrong_password_condemns_the_relay_and_no_mail(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path)
    hand = Hand(letters(1))
    async with aiosmtpd_server(tls=server_tls, password="correct horse") as box:
        relay = relay_to(box.port, tls=client_tls, password="battery staple")
        await hand.send(relay)
    assert isinstance(hand.results[0], Untried)
    assert (relay.health.state, box.taken) == (RelayState.CONDEMNED, [])
    assert "battery" not in str(relay.health.reason)


async def _until(true: Callable[[], bool], *, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.02)
