from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import Config, load_config
from alerts.daemon.shares import cores, shares


def config_of(connections: list[int], rate: float | None, tmp_path: Path) -> Config:
    file = tmp_path / "config.yaml"
    file.write_text("mail:\n  sender: a@daily.example\n  relays:\n    - url: smtp://127.0.0.1:25\n", encoding="utf-8")
    config = load_config(file, {})
    (relay,) = config.mail.relays
    relays = tuple(replace(relay, connections=it, rate=rate, port=25 + at) for at, it in enumerate(connections))
    return replace(config, mail=replace(config.mail, relays=relays))


@given(
    connections=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    wanted=st.integers(1, 20),
    rate=st.sampled_from([None, 0.5, 100.0]),
)
def test_all_connections_of_a_relay_are_given_out_none_twice_and_no_sender_goes_without(
    connections: list[int], wanted: int, rate: float | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = config_of(connections, rate, tmp_path_factory.getbasetemp())
    given_out = shares(config, wanted)
    assert len(given_out) == min(wanted, sum(connections))
    for relay in config.mail.relays:
        parts = [it for share in given_out for it in share.mail.relays if it.port == relay.port]
        assert sum(it.connections for it in parts) == relay.connections
        assert all(it.connections > 0 for it in parts)
        assert rate is None or sum(it.rate or 0 for it in parts) == pytest.approx(rate)
    assert all(share.mail.relays for share in given_out)
    sizes = [sum(it.connections for it in share.mail.relays) for share in given_out]
    assert max(sizes) - min(sizes) <= 1


def test_a_machine_has_a_core() -> None:
    assert cores() >= 1
