"""TLS and logins against real TLS servers, with the pipelined data phase on top."""

import asyncio
import ssl
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from daemon import free_port
from relay_hand import QUICK, Clock, Hand, letter
from scripted_smtp import EHLO, ScriptedSmtp
from tls_smtp import Authority, TlsSmtp

from alerts.config import load_config
from alerts.core.deliveries import Reply, Untried
from alerts.core.errors import RelayError
from alerts.mail.opening import Endpoint, open_connection
from alerts.mail.relays import Relay, RelayState, carry_all

PASSWORD = "correct horse ümlaut"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def endpoint(server: ScriptedSmtp, *, tls: str = "required", at_once: bool = False, **login: str) -> Endpoint:
    return Endpoint(host="localhost", port=server.port, tls=tls, implicit_tls=at_once, **login)


def relay(where: Endpoint, *, clients: ssl.SSLContext | None, name: str = "relay") -> Relay:
    return Relay(name=name, endpoint=where, clock=Clock(), connections=2, timeouts=QUICK, tls_context=clients)


@pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "stepwise"])
async def test_mails_go_over_tls(authority: Authority, at_once: bool, pipelining: bool) -> None:
    offer = EHLO if pipelining else tuple(it for it in EHLO if it != "PIPELINING")
    async with TlsSmtp(authority.server("localhost"), at_once=at_once, extensions=offer) as server:
        hand = Hand([letter(number) for number in range(20)])
        one = relay(endpoint(server, at_once=at_once), clients=authority.clients)
        await carry_all([one], hand.take, hand.report, wanted=20)
        assert len(server.accepted) == 20
        assert at_once or sorted(server.encrypted) == [session.number for session in server.sessions]


@pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])
@pytest.mark.parametrize("flaw", ["stranger", "other name", "expired"])
async def test_a_certificate_that_does_not_hold_condemns_the_relay_and_the_other_takes_over(
    authority: Authority, at_once: bool, flaw: str
) -> None:
    name = "elsewhere.example" if flaw == "other name" else "localhost"
    context = authority.server(name, valid_days=-1 if flaw == "expired" else 1)
    clients = None if flaw == "stranger" else authority.clients
    async with TlsSmtp(context, at_once=at_once) as bad, ScriptedSmtp() as good:
        bad_one = relay(endpoint(bad, at_once=at_once), clients=clients, name="bad")
        good_one = relay(endpoint(good, tls="none"), clients=None, name="good")
        hand = Hand([letter(number) for number in range(30)])
        while hand.waiting:
            await carry_all([bad_one, good_one], hand.take, hand.report, wanted=30)
        assert len(good.accepted) == 30
        assert bad.taken == []
        assert (bad_one.health.state, good_one.health.state) == (RelayState.CONDEMNED, RelayState.OK)
        assert "TLS failed" in str(bad_one.health.reason)
        assert {type(result) for _, result, name in hand.results if name == "bad"} <= {Untried}


async def test_a_relay_that_speaks_no_tls_where_it_should_is_condemned(authority: Authority) -> None:
    async with ScriptedSmtp() as plain:
        with pytest.raises(RelayError, match="TLS failed") as refused:
            await open_connection(endpoint(plain, at_once=True), QUICK, tls_context=ssl.create_default_context())
        assert refused.value.permanent


@pytest.mark.parametrize(("reply", "permanent"), [(b"454 4.7.0 not now\r\n", False), (b"501 5.5.1 never\r\n", True)])
async def test_a_refused_starttls_is_not_gone_around(authority: Authority, reply: bytes, permanent: bool) -> None:
    async with TlsSmtp(
        authority.server("localhost"), script=lambda phase, _: reply if phase == "starttls" else None
    ) as server:
        with pytest.raises(RelayError) as refused:
            await open_connection(endpoint(server), QUICK, tls_context=authority.clients)
        assert refused.value.permanent is permanent
        assert server.taken == []


async def test_opportunistic_tls_encrypts_for_whoever_answers(authority: Authority) -> None:
    """It keeps out who only listens, not who pretends: that is what `required` is for."""
    async with TlsSmtp(authority.server("elsewhere.example")) as server:
        hand = Hand([letter(1)])
        await carry_all([relay(endpoint(server, tls="opportunistic"), clients=None)], hand.take, hand.report, wanted=1)
        assert len(server.accepted) == 1
        assert server.encrypted == [0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_logins_work_by_either_mechanism(authority: Authority, mechanism: str) -> None:
    async with TlsSmtp(authority.server("localhost"), users={"bob": PASSWORD}, auth=mechanism) as server:
        hand = Hand([letter(1)])
        where = endpoint(server, username="bob", password=PASSWORD)
        await carry_all([relay(where, clients=authority.clients)], hand.take, hand.report, wanted=1)
        assert server.logins == [(mechanism, "bob")]
        assert len(server.accepted) == 1


async def test_a_wrong_password_condemns_the_relay_and_the_other_takes_over(authority: Authority) -> None:
    context = authority.server("localhost")
    async with TlsSmtp(context, users={"bob": PASSWORD}) as strict, TlsSmtp(context) as other:
        first = relay(endpoint(strict, username="bob", password="wrong one"), clients=authority.clients, name="first")
        second = relay(endpoint(other), clients=authority.clients, name="second")
        hand = Hand([letter(number) for number in range(10)])
        while hand.waiting:
            await carry_all([first, second], hand.take, hand.report, wanted=10)
        assert len(other.accepted) == 10
        assert first.health.state is RelayState.CONDEMNED
        assert "wrong one" not in repr(first)
        assert "wrong one" not in str(first.health.reason)
        assert not first.available()


async def test_a_login_that_is_refused_for_now_is_tried_again(authority: Authority) -> None:
    async with TlsSmtp(
        authority.server("localhost"),
        users={"bob": PASSWORD},
        script=lambda phase, _: b"454 4.7.0 later\r\n" if phase == "auth" else None,
    ) as server:
        where = endpoint(server, username="bob", password=PASSWORD)
        with pytest.raises(RelayError) as refused:
            await open_connection(where, QUICK, tls_context=authority.clients)
        assert not refused.value.permanent


async def test_a_mail_that_needs_a_login_we_have_not_condemns_the_relay_and_costs_no_attempt(
    authority: Authority,
) -> None:
    async with TlsSmtp(authority.server("localhost"), users={"bob": PASSWORD}) as server:
        one = relay(endpoint(server), clients=authority.clients)
        hand = Hand([letter(1)])
        await carry_all([one], hand.take, hand.report, wanted=1)
        refused = hand.result(1)
        assert isinstance(refused, Reply)
        assert refused.code == 530
        assert one.health.state is RelayState.CONDEMNED


async def test_the_password_comes_from_a_file_and_opens_a_real_server(authority: Authority, tmp_path: Path) -> None:
    """Config file, password file, STARTTLS, AUTH, a server that is not ours."""
    heard: list[tuple[bytes, bytes]] = []

    def authenticate(_server: object, _session: object, _mail: object, _how: str, data: LoginPassword) -> AuthResult:
        heard.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode())

    class Keep:
        async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
            kept.append(envelope.content)  # type: ignore[attr-defined]
            return "250 2.0.0 kept"

    kept: list[bytes] = []
    port = free_port()
    controller = Controller(
        Keep(),
        hostname="127.0.0.1",
        port=port,
        tls_context=authority.server("localhost"),
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await asyncio.to_thread(controller.start)
    try:
        (tmp_path / "secret").write_text(PASSWORD + "\n", encoding="utf-8")
        (tmp_path / "secret").chmod(0o600)
        (tmp_path / "config.yaml").write_text(
            f"mail:\n  sender: a@daily.example\n  relays:\n    - url: smtp://bob@localhost:{port}\n"
            "      password_file: secret\n      tls: required\n",
            encoding="utf-8",
        )
        (configured,) = load_config(tmp_path / "config.yaml", {}).mail.relays
        assert configured.password is not None
        where = Endpoint(
            host=configured.host,
            port=configured.port,
            tls=configured.tls,
            username=configured.username,
            password=configured.password.get_secret_value(),
        )
        hand = Hand([letter(1)])
        slow = replace(QUICK, connect_s=5, command_s=5, body_s=5)
        one = relay(where, clients=authority.clients)
        one.timeouts = slow
        await carry_all([one], hand.take, hand.report, wanted=1)
    finally:
        await asyncio.to_thread(controller.stop)
    assert heard == [(b"bob", PASSWORD.encode())]
    assert len(kept) == 1
