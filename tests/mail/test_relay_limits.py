"""What a relay is spared: its rate, its share of the connections; and who steps in when one comes to rest."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from relay_hand import QUICK, Clock, Hand, letter
from scripted_smtp import EHLO, ScriptedSmtp, Session

from alerts.core.model import Envelope
from alerts.mail.opening import Endpoint
from alerts.mail.relays import Relay, RelayState, carry_all

STEPWISE = tuple(it for it in EHLO if it != "PIPELINING")


class Times(ScriptedSmtp):
    """Notes when it heard each mail begin."""

    def __init__(self, extensions: tuple[str, ...] = EHLO) -> None:
        self.heard: list[float] = []
        super().__init__(self._note, extensions=extensions)

    def _note(self, phase: str, _session: Session) -> bytes | None:
        if phase == "mail":
            self.heard.append(time.monotonic())
        return None


def relay_to(
    server: ScriptedSmtp, *, rate: float | None = None, connections: int = 4, weight: int = 1, name: str = "relay"
) -> Relay:
    return Relay(
        name=name,
        endpoint=Endpoint(host="127.0.0.1", port=server.port, tls="none"),
        clock=Clock(),
        connections=connections,
        weight=weight,
        rate=rate,
        timeouts=QUICK,
    )


def asking(hand: Hand) -> Callable[[Envelope | None], Awaitable[Envelope | None]]:
    async def ahead(_under_way: Envelope | None) -> Envelope | None:
        return await hand.take()

    return ahead


@pytest.mark.parametrize("offer", [EHLO, STEPWISE], ids=["pipelined", "stepwise"])
async def test_a_rate_is_kept_over_all_connections(offer: tuple[str, ...]) -> None:
    async with Times(offer) as server:
        hand = Hand([letter(number) for number in range(60)])
        relay = relay_to(server, rate=50.0)
        await carry_all([relay], hand.take, hand.report, wanted=60, ahead=asking(hand))
        assert len(server.accepted) == 60
        took = server.heard[-1] - server.heard[0]
        assert took >= (60 - 5) / 50 - 0.05, "five mails may be saved up, the others wait for theirs"
        for start in range(50):
            window = [at for at in server.heard if server.heard[start] <= at <= server.heard[start] + 0.2]
            assert len(window) <= 0.2 * 50 + 5 + relay.connections  # what travels may bunch


async def test_a_rate_of_less_than_one_a_second_lets_the_relay_rest_between_mails() -> None:
    async with Times() as server:
        hand = Hand([letter(number) for number in range(3)])
        relay = relay_to(server, rate=0.01)
        began = time.monotonic()
        await carry_all([relay], hand.take, hand.report, wanted=3, ahead=asking(hand))
        assert (len(server.accepted), len(hand.waiting)) == (1, 2)
        assert time.monotonic() - began < 5
        assert not relay.available()
        assert relay.health.state is RelayState.OK
        assert relay.useful_connections == 1


async def test_a_relay_with_more_weight_gets_more_connections() -> None:
    async with ScriptedSmtp() as light, ScriptedSmtp() as heavy:
        hand = Hand([letter(number) for number in range(200)])
        relays = [relay_to(light, connections=6, weight=1), relay_to(heavy, connections=6, weight=3)]
        await carry_all(relays, hand.take, hand.report, wanted=200)
        assert (light.most_open, heavy.most_open) == (2, 6)
        assert len(light.accepted) + len(heavy.accepted) == 200


async def test_a_relay_that_comes_back_joins_those_at_work() -> None:
    """It refuses connections until its rest is over; the other one is slow enough that there is still work then."""
    async with ScriptedSmtp() as gone:
        port = gone.port
    async with Times() as slow:
        hand = Hand([letter(number) for number in range(150)])
        resting, working = relay_to(gone, connections=2), relay_to(slow, rate=50.0, connections=1, name="slow")
        clock = resting.clock
        assert isinstance(clock, Clock)
        working.clock = clock

        async with ScriptedSmtp(port=port) as back:

            async def take() -> Envelope | None:
                if len(hand.results) == 20:
                    clock.now += timedelta(minutes=5)
                return await hand.take()

            resting._rest("it was away", permanent=False)
            assert not resting.available()
            await carry_all([resting, working], take, hand.report, wanted=150, ahead=lambda _: take())
            assert len(back.accepted) + len(slow.accepted) == 150
            assert len(back.accepted) > 30
            assert resting.health.state is RelayState.OK
