import asyncio
from datetime import timedelta

import pytest
from relay_hand import BODY, Clock, Hand, letter
from scripted_smtp import DROP, EHLO, STALL, ScriptedSmtp, Session, connected_to

from alerts.core.deliveries import Dropped, InDoubt, Reply, Result, Stage, Untried
from alerts.core.errors import RelayError
from alerts.core.model import Envelope
from alerts.mail.opening import Endpoint, open_connection
from alerts.mail.relays import Relay, RelayState, carry_all
from alerts.mail.timeouts import Timeouts

QUICK = Timeouts(connect_s=0.4, command_s=0.3, body_s=0.3, quit_s=0.2)


@pytest.fixture(autouse=True, params=["waiting", "at once"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Hand mails out in both ways: whatever a server does must come to the same."""
    monkeypatch.setattr(Hand, "plain", request.param == "at once")
    return str(request.param)


def relay_to(port: int, *, clock: Clock | None = None, connections: int = 1, messages: int = 100) -> Relay:
    return Relay(
        name=f"smtp://127.0.0.1:{port}",
        endpoint=Endpoint(host="127.0.0.1", port=port, tls="none"),
        clock=clock or Clock(),
        connections=connections,
        messages_per_connection=messages,
        timeouts=QUICK,
    )


STEPWISE = tuple(it for it in EHLO if it != "PIPELINING")


@pytest.fixture(params=["pipelined", "stepwise"])
def offer(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Give what the server offers: both ways of sending must come to the same."""
    return EHLO if request.param == "pipelined" else STEPWISE


def at(phase: str, reply: bytes, offer: tuple[str, ...] = EHLO, *, session: int | None = None) -> ScriptedSmtp:
    def script(now: str, which: Session) -> bytes | None:
        return reply if now == phase and session in {None, which.number} else None

    return ScriptedSmtp(script, extensions=offer)


async def test_a_message_arrives_as_it_was_made_dots_included(offer: tuple[str, ...]) -> None:
    async with ScriptedSmtp(extensions=offer) as server:
        hand = Hand([letter(1)])
        await hand.carry([relay_to(server.port)], wanted=1)
        assert [one.data for one in server.accepted] == [BODY]
        assert hand.result(1) == Reply(code=250, text="2.0.0 queued", stage=Stage.BODY)


async def test_no_connection_is_opened_beside_one_that_still_closes(offer: tuple[str, ...]) -> None:
    async with at("quit", STALL, offer) as server:
        open_when_asked: list[int] = []

        class Counting(Hand):
            async def take(self) -> Envelope | None:
                open_when_asked.append(connected_to(server.port))
                return await super().take()

        await Counting([letter(1), letter(2), letter(3)]).carry([relay_to(server.port, messages=1)], wanted=3)
        assert [one.recipient for one in server.accepted] == [f"reader{number}@example.org" for number in (1, 2, 3)]
        assert open_when_asked == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("phase", "stage"), [("mail", Stage.MAIL), ("rcpt", Stage.RCPT), ("data", Stage.DATA), ("dot", Stage.BODY)]
)
@pytest.mark.parametrize("reply", [b"450 4.2.1 later\r\n", b"550-5.1.1 no\r\n550 5.1.1 such user\r\n"])
async def test_a_refusal_is_told_with_its_stage_and_the_next_mail_goes_on(
    phase: str, stage: Stage, reply: bytes, offer: tuple[str, ...]
) -> None:
    def script(now: str, session: Session) -> bytes | None:
        mine = session.recipient == "reader1@example.org" or (phase == "mail" and len(session.commands) == 2)
        return reply if now == phase and mine else None

    async with ScriptedSmtp(script, extensions=offer) as server:
        hand = Hand([letter(1), letter(2)])
        await hand.carry([relay_to(server.port)], wanted=2)
        refused = hand.result(1)
        assert isinstance(refused, Reply)
        assert (refused.code, refused.stage) == (int(reply[:3]), stage)
        assert [one.recipient for one in server.accepted] == ["reader2@example.org"]
        assert len(server.sessions) == 1


@pytest.mark.parametrize("how", [DROP, STALL, b"what?\r\n", b"777 seven\r\n", b"25", b"\xff\xfe\r\n", b"250" * 20_000])
async def test_before_the_dot_a_broken_connection_means_not_taken(how: bytes, offer: tuple[str, ...]) -> None:
    def script(phase: str, session: Session) -> bytes | None:
        return how if phase == "rcpt" and session.recipient == "reader1@example.org" else None

    async with ScriptedSmtp(script, extensions=offer) as server:
        hand = Hand([letter(1), letter(2)])
        await hand.carry([relay_to(server.port)], wanted=2)
        assert isinstance(hand.result(1), Dropped)
        assert [one.recipient for one in server.accepted] == ["reader2@example.org"]


@pytest.mark.parametrize("how", [DROP, STALL, b"what?\r\n", b"354 again\r\n"])
async def test_after_the_dot_a_broken_connection_means_in_doubt(how: bytes, offer: tuple[str, ...]) -> None:
    async with at("dot", how, offer, session=0) as server:
        hand = Hand([letter(1), letter(2)])
        await hand.carry([relay_to(server.port)], wanted=2)
        assert isinstance(hand.result(1), InDoubt)
        assert isinstance(hand.result(2), Reply)


async def test_a_drop_in_the_middle_of_a_large_body_is_in_doubt_at_worst(offer: tuple[str, ...]) -> None:
    async with at("body", DROP, offer, session=0) as server:
        hand = Hand([letter(1, message=b"Subject: x\r\n\r\n" + b"y" * 70 * 1000 + b"\r\n")])
        await hand.carry([relay_to(server.port)], wanted=1)
        assert isinstance(hand.result(1), InDoubt)
        assert server.accepted == []


@pytest.mark.parametrize("how", [DROP, b"421 4.3.2 enough\r\n"])
async def test_a_server_that_closes_after_some_messages_costs_no_attempt(how: bytes, offer: tuple[str, ...]) -> None:
    def script(phase: str, session: Session) -> bytes | None:
        return how if phase == "mail" and session.mails == 2 else None

    async with ScriptedSmtp(script, extensions=offer) as server:
        envelopes = [letter(number) for number in range(5)]
        hand = Hand(envelopes)
        relay = relay_to(server.port)
        await hand.carry([relay], wanted=5)
        untried = [number for number, result, _ in hand.results if isinstance(result, Untried)]
        taken = [number for number, result, _ in hand.results if isinstance(result, Reply) and result.code == 250]
        assert (len(untried), len(taken)) == (2, 5)
        assert relay.health.state is RelayState.OK


async def test_a_connection_is_replaced_after_its_share_of_messages(offer: tuple[str, ...]) -> None:
    async with ScriptedSmtp(extensions=offer) as server:
        hand = Hand([letter(number) for number in range(5)])
        await hand.carry([relay_to(server.port, messages=2)], wanted=5)
        assert [session.mails for session in server.sessions] == [2, 2, 1]


async def test_never_more_connections_than_configured_nor_than_messages(offer: tuple[str, ...]) -> None:
    async with ScriptedSmtp(extensions=offer) as server:
        hand = Hand([letter(number) for number in range(40)])
        await hand.carry([relay_to(server.port, connections=4)], wanted=40)
        assert (server.most_open, len(server.accepted)) == (4, 40)
    async with ScriptedSmtp(extensions=offer) as server:
        hand = Hand([letter(1)])
        await hand.carry([relay_to(server.port, connections=4)], wanted=1)
        assert len(server.sessions) == 1


async def test_a_relay_that_is_down_rests_and_takes_nothing_more() -> None:
    async with ScriptedSmtp() as server:
        port = server.port
    clock = Clock()
    relay = relay_to(port, clock=clock)
    hand = Hand([letter(1), letter(2)])
    await hand.carry([relay], wanted=2)
    assert isinstance(hand.result(1), Untried)
    assert (len(hand.waiting), relay.available(), relay.health.state) == (2, False, RelayState.FAILING)
    clock.now += timedelta(seconds=2)
    assert relay.available()
    clock.now -= timedelta(hours=1)  # a clock that is set back must not make it rest for an hour
    assert relay.available()


async def test_a_refused_login_condemns_the_relay_and_no_recipient() -> None:
    def script(phase: str, _session: Session) -> bytes | None:
        return b"535 5.7.8 bad password\r\n" if phase == "auth" else None

    async with ScriptedSmtp(script, extensions=["AUTH PLAIN"]) as server:
        relay = relay_to(server.port)
        relay.endpoint = Endpoint(host="127.0.0.1", port=server.port, tls="none", username="bob", password="wrong")
        hand = Hand([letter(1)])
        await hand.carry([relay], wanted=1)
        assert isinstance(hand.result(1), Untried)
        assert relay.health.state is RelayState.CONDEMNED
        assert "wrong" not in str(relay.health.reason)


async def test_the_other_relay_goes_on_when_one_is_down() -> None:
    async with ScriptedSmtp() as server:
        async with ScriptedSmtp() as gone:
            port = gone.port
        hand = Hand([letter(number) for number in range(10)])
        await hand.carry([relay_to(port), relay_to(server.port)], wanted=10)
        assert len(server.accepted) == 10
        assert sum(isinstance(result, Untried) for _, result, _ in hand.results) == 1


async def test_a_password_is_not_sent_in_the_clear_unless_asked_for() -> None:
    async with ScriptedSmtp(extensions=["AUTH PLAIN"]) as server:
        endpoint = Endpoint(host="127.0.0.1", port=server.port, tls="opportunistic", username="bob", password="secret")
        with pytest.raises(RelayError, match="password was not sent") as refused:
            await open_connection(endpoint, QUICK)
        assert refused.value.permanent
        assert not any("AUTH" in command for command in server.sessions[0].commands)


async def test_required_tls_is_not_given_up_when_the_server_has_none() -> None:
    async with ScriptedSmtp() as server:
        with pytest.raises(RelayError, match="TLS failed") as refused:
            await open_connection(Endpoint(host="127.0.0.1", port=server.port, tls="required"), QUICK)
        assert refused.value.permanent


@pytest.mark.parametrize("phase", ["banner", "ehlo"])
@pytest.mark.parametrize("how", [DROP, STALL, b"garbage\r\n", b"554 5.3.2 go away\r\n", b"421 4.3.2 busy\r\n"])
async def test_whatever_goes_wrong_before_the_first_mail_is_the_relays_fault(phase: str, how: bytes) -> None:
    def script(now: str, _session: Session) -> bytes | None:
        return how if now in {phase, "helo" if phase == "ehlo" else phase} else None

    async with ScriptedSmtp(script) as server:
        with pytest.raises(RelayError):
            await open_connection(Endpoint(host="127.0.0.1", port=server.port, tls="none"), QUICK)


async def test_a_utf8_address_fails_alone_where_the_server_cannot_take_it() -> None:
    async with ScriptedSmtp(extensions=["SIZE 1000"]) as server:
        hand = Hand(
            [letter(1, recipient="δοκιμή@example.org", smtputf8=True), letter(2), letter(3, message=BODY * 100)]
        )
        await hand.carry([relay_to(server.port)], wanted=3)
        refused, too_big = hand.result(1), hand.result(3)
        assert isinstance(refused, Reply)
        assert refused.code == 553
        assert isinstance(too_big, Reply)
        assert too_big.code == 554
        assert [one.recipient for one in server.accepted] == ["reader2@example.org"]


async def test_a_failed_quit_is_no_failure(offer: tuple[str, ...]) -> None:
    async with at("quit", DROP, offer) as server:
        hand = Hand([letter(1)])
        await hand.carry([relay_to(server.port)], wanted=1)
        assert len(server.accepted) == 1


async def test_a_pipelined_mail_costs_one_round_trip() -> None:
    """The server hears the next mail's commands before it has answered the last body."""
    heard: list[tuple[str, int]] = []

    def script(phase: str, session: Session) -> bytes | None:
        heard.append((phase, session.mails))
        return None

    async with ScriptedSmtp(script) as server:
        hand = Hand([letter(number) for number in range(20)])
        await hand.carry([relay_to(server.port)], wanted=20)
        assert len(server.accepted) == 20
        assert len(server.sessions) == 1
        assert "RSET" not in server.sessions[0].commands


async def test_a_body_is_written_only_after_the_last_result_is_kept() -> None:
    kept: list[int] = []
    early: list[int] = []

    def script(phase: str, session: Session) -> bytes | None:
        if phase == "dot" and len(kept) < session.mails:
            early.append(session.mails)
        return None

    async with ScriptedSmtp(script) as server:
        hand = Hand([letter(number) for number in range(10)])

        async def report(envelope: Envelope, result: Result, relay: str) -> None:
            await asyncio.sleep(0.01)
            kept.append(envelope.delivery_id)

        await carry_all([relay_to(server.port)], hand.take, report, wanted=10)
        assert (kept, early) == (list(range(10)), [])


@pytest.mark.parametrize("taken", [0, 1, 4])
async def test_who_may_begin_no_more_writes_no_body_however_much_is_asked_for(
    offer: tuple[str, ...], taken: int
) -> None:
    """As a process that was frozen while others took over, with the next mail announced already."""

    def script(phase: str, session: Session) -> bytes | None:
        if session.mails == taken and phase == ("data" if taken == 0 else "dot"):
            hand.may_begin = False
        return None

    async with ScriptedSmtp(script, extensions=offer) as server:
        hand = Hand([letter(number) for number in range(1, 9)])
        relay = relay_to(server.port)
        await hand.carry([relay], wanted=8)
        heard = taken + 1 if taken else 0  # the body that was under way when it stopped
        assert len(server.taken) == heard
        announced = offer == EHLO or taken == 0  # who speaks step by step has announced none
        assert [type(result) for _, result, _ in hand.results] == [Reply] * heard + [Untried] * announced
        assert relay.health.state is RelayState.OK


async def test_a_server_that_says_more_than_it_was_asked_is_noticed_at_once(way: str) -> None:
    """Nothing more is heard of it once it has spoken nonsense, so nobody may wait for that."""

    def script(phase: str, session: Session) -> bytes | None:
        return b"354 go\r\ngarbage\r\n" if phase == "data" and session.mails == 1 else None

    patient = Timeouts(connect_s=2, command_s=2, body_s=60, quit_s=0.5)
    async with ScriptedSmtp(script) as server:
        hand = Hand([letter(number) for number in range(3)])
        relay = relay_to(server.port)
        relay.timeouts = patient
        async with asyncio.timeout(5):
            await hand.carry([relay], wanted=3)
        assert isinstance(hand.results[1][1], InDoubt), way


async def test_mails_that_are_taken_plainly_wait_in_no_task(way: str, offer: tuple[str, ...]) -> None:
    kept: list[int] = []
    early: list[int] = []

    def script(phase: str, session: Session) -> bytes | None:
        if phase == "dot" and len(kept) < session.mails:
            early.append(session.mails)
        return None

    class Disk(list[tuple[int, Result, str]]):
        def append(self, told: tuple[int, Result, str]) -> None:
            kept.append(told[0])
            super().append(told)

    async with ScriptedSmtp(script, extensions=offer) as server:
        hand = Hand([letter(number) for number in range(30)])
        hand.results = Disk()
        await hand.carry([relay_to(server.port)], wanted=30)
        assert (sorted(kept), early) == (list(range(30)), [])
        assert hand.at_once == (30 if (way, offer) == ("at once", EHLO) else 0)


@pytest.mark.parametrize("lie", [b"503 5.5.1 bad sequence\r\n", STALL, b"500 what?\r\n"])
@pytest.mark.parametrize("phase", ["mail", "data"])
async def test_a_server_that_lies_about_pipelining_is_driven_step_by_step(lie: bytes, phase: str) -> None:
    """It loses what came in one packet with the body before: as broken middle boxes do."""

    def script(now: str, session: Session) -> bytes | None:
        return lie if now == phase and session.number == 0 and session.mails == 1 else None

    async with ScriptedSmtp(script) as server:
        hand = Hand([letter(number) for number in range(4)])
        relay = relay_to(server.port)
        await hand.carry([relay], wanted=4)
        assert sorted(it.recipient for it in server.accepted) == [f"reader{number}@example.org" for number in range(4)]
        assert not relay.pipelining
        assert relay.health.state is RelayState.OK


async def test_an_empty_body_clears_a_server_that_asks_for_one_after_refusing_everybody() -> None:
    def script(phase: str, session: Session) -> bytes | None:
        return b"550 5.1.1 no\r\n" if phase == "rcpt" and session.recipient == "reader1@example.org" else None

    async with ScriptedSmtp(script) as server:
        server.generous = True
        hand = Hand([letter(number) for number in range(4)])
        await hand.carry([relay_to(server.port)], wanted=4)
        assert sorted(it.recipient for it in server.accepted) == [f"reader{number}@example.org" for number in (0, 2, 3)]
        refused = hand.result(1)
        assert isinstance(refused, Reply)
        assert refused.stage is Stage.RCPT


@pytest.mark.parametrize(
    "chatter", [b"250 a\r\n" * 100, b"250-" + b"x" * 9000, b"250-x\r\n" * 5000, b"250-a\r\n251 b\r\n"]
)
async def test_a_server_that_talks_without_end_is_cut_off(chatter: bytes) -> None:
    async with at("dot", chatter, session=0) as server:
        hand = Hand([letter(1)])
        await hand.carry([relay_to(server.port)], wanted=1)
        assert isinstance(hand.results[0][1], InDoubt | Reply)
        assert server.open <= 1
