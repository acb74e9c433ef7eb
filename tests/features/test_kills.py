import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Site, article, relay_at, wait_until
from scripted_smtp import ScriptedSmtp, SinkThread

pytestmark = pytest.mark.slow


@pytest.fixture
def sink() -> Iterator[ScriptedSmtp]:
    with SinkThread() as server:
        yield server


CONNECTIONS = 4
READERS = 2_000


@pytest.mark.timeout(300)
def test_a_kill_in_the_middle_of_a_fan_out_loses_none_and_repeats_at_most_one_a_connection(
    sink: ScriptedSmtp, tmp_path: Path
) -> None:
    """Seeded: the moments of the kills are the same in every run, what they hit is not."""
    moments = random.Random(20260105)  # noqa: S311 - a seed, not a secret
    site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS))
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(READERS)])
    daemon = site.daemon().start()
    site.publish("plant.txt", article())
    kills = 3
    for _ in range(kills):
        heard = len(sink.taken) + moments.randint(50, 400)
        wait_until(lambda: len(sink.taken) >= heard, within_s=60, what=f"{heard} mails")  # noqa: B023 - called at once
        daemon.kill()
        daemon.start()
    wait_until(lambda: len({it.recipient for it in sink.taken}) == READERS, within_s=120, what="every reader has it")
    assert daemon.terminate() == 0
    copies = Counter(it.recipient for it in sink.taken)
    repeated = {recipient: number for recipient, number in copies.items() if number > 1}
    assert len(copies) == READERS
    assert sum(number - 1 for number in repeated.values()) <= kills * CONNECTIONS
    for recipient in repeated:
        assert len({it.data for it in sink.taken if it.recipient == recipient}) == 1
    assert len({it.header("Message-ID") for it in sink.taken}) == READERS
    assert site.json("status")["deliveries"]["sent"] == READERS


@pytest.mark.timeout(300)
def test_a_stop_in_the_middle_of_a_fan_out_loses_none_and_repeats_none(sink: ScriptedSmtp, tmp_path: Path) -> None:
    site = Site(tmp_path, relays=relay_at(sink.port, connections=CONNECTIONS))
    site.run("run", "--once")
    site.subscribe([f"reader{number}@example.org" for number in range(READERS)])
    daemon = site.daemon().start()
    site.publish("plant.txt", article())
    for heard in (150, 600, 1_100):
        wait_until(lambda: len(sink.taken) >= heard, within_s=60, what=f"{heard} mails")  # noqa: B023 - called at once
        assert daemon.terminate() == 0
        daemon.start()
    wait_until(lambda: len(sink.taken) >= READERS, within_s=120, what="every reader has it")
    assert daemon.terminate() == 0
    assert max(Counter(it.recipient for it in sink.taken).values()) == 1
    assert len(sink.taken) == READERS
