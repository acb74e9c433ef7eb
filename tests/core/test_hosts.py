from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.hosts import POLLS_A_HOST, host_of, take_turns

HOSTS = st.none() | st.sampled_from(["a.example", "b.example", "c.example:81"])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://News.example/feed.xml", "news.example"),
        ("https://alice:secret@news.example:8443/", "news.example:8443"),
        ("http://[::1]:80/", "[::1]:80"),
        ("http://[x/", "http://[x/"),
    ],
)
def test_a_host_is_told_from_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


def test_two_of_a_host_go_first_and_the_others_follow_in_their_order() -> None:
    turn = take_turns([(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, None), (6, "a")], polled=["b"], limit=9)

    assert turn.now == (1, 2, 4, 5)
    assert turn.behind == {"a": (3, 6)}


@given(st.lists(HOSTS, max_size=60), st.lists(HOSTS.filter(bool), max_size=5), st.integers(0, 20))
def test_no_host_has_more_than_its_polls_and_no_other_waits_for_it(
    hosts: list[str | None], polled: list[str], limit: int
) -> None:
    turn = take_turns(enumerate(hosts), polled=polled, limit=limit)

    busy = Counter(polled) + Counter(host for number in turn.now if (host := hosts[number]) is not None)
    assert all(busy[host] <= max(POLLS_A_HOST, Counter(polled)[host]) for host in busy)
    assert len(turn.now) <= limit
    assert list(turn.now) == sorted(set(turn.now))
    left_out = set(range(len(hosts))) - set(turn.now)
    if len(turn.now) < limit:
        assert left_out == {number for numbers in turn.behind.values() for number in numbers}
