from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core import turns as module
from alerts.core.deliveries import Reply, Stage
from alerts.core.domains import Change, Domains
from alerts.core.turns import LEAST_A_LINE, Line, Turns

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TAKEN = Reply(code=250, text="2.0.0 queued", stage=Stage.BODY)
OURS = Reply(code=550, text="5.7.26 unauthenticated", stage=Stage.BODY)


def turns_of(*letters: str, connections: int = 8) -> Turns[str]:
    turns: Turns[str] = Turns(Domains(), connections=connections)
    turns.add((letter, letter.partition("@")[2]) for letter in letters)
    return turns


def take(turns: Turns[str], count: int = 1, now: datetime = NOW) -> list[tuple[str, Line[str]]]:
    return [turn for _ in range(count) if (turn := turns.next(now)) is not None]


def test_letters_go_in_the_order_they_came() -> None:
    turns = turns_of("1@a", "2@b", "3@a")
    assert [letter for letter, _ in take(turns, 4)] == ["1@a", "2@b", "3@a"]
    assert len(turns) == 0


def test_a_domain_at_its_limit_steps_aside_and_comes_back_in_its_order() -> None:
    turns = turns_of(*(f"{number}@a" for number in range(6)), "x@b")
    given_out = take(turns, 10)
    assert [letter for letter, _ in given_out] == ["0@a", "1@a", "2@a", "3@a", "x@b"]
    turns.add([("y@b", "b")])
    turns.done(given_out[0][1], TAKEN, now=NOW, took_s=0.1)
    assert [letter for letter, _ in take(turns, 10)] == ["4@a", "5@a", "y@b"]


def test_a_letter_that_is_taken_back_is_the_next_and_holds_no_room() -> None:
    turns = turns_of(*(f"{number}@a" for number in range(5)))
    letter, line = take(turns)[0]
    turns.back(letter, line)
    assert (line.under_way, len(turns)) == (0, 5)
    assert [letter for letter, _ in take(turns, 5)] == ["0@a", "1@a", "2@a", "3@a"]


def test_a_letter_that_was_not_sent_makes_room_and_teaches_nothing() -> None:
    turns = turns_of(*(f"{number}@a" for number in range(5)))
    line = take(turns, 5)[0][1]
    assert turns.done(line, None, now=NOW, took_s=0.1) is Change.NONE
    assert [letter for letter, _ in take(turns)] == ["4@a"]


def test_an_open_breaker_puts_off_what_waits_and_what_comes() -> None:
    turns = turns_of(*(f"{number}@a" for number in range(6)), "x@b")
    lines = [line for _, line in take(turns, 5)]
    for _ in range(4):
        turns.done(lines[0], OURS, now=NOW, took_s=0.1)
    turns.add((f"{number}@a", "a") for number in range(6, 9))
    assert [letter for letter, _ in take(turns, 1)] == ["4@a"]
    assert turns.done(lines[0], OURS, now=NOW, took_s=0.1) is Change.OPENED
    assert take(turns, 1) == []
    assert turns.put_off() == [(f"{number}@a", NOW + timedelta(minutes=5)) for number in range(5, 9)]
    assert turns.put_off() == []


def test_while_a_domain_is_probed_its_other_letters_wait_and_then_drain() -> None:
    turns = turns_of(*(f"{number}@a" for number in range(4)))
    lines = [line for _, line in take(turns, 4)]
    for line in lines:
        turns.done(line, OURS, now=NOW, took_s=0.1)
    turns.add([("x@a", "a")])
    (_, line) = take(turns, 1)[0]
    assert turns.done(line, OURS, now=NOW, took_s=0.1) is Change.OPENED
    later = NOW + timedelta(minutes=5)
    turns.add((f"{number}@a", "a") for number in range(10, 13))
    probe = take(turns, 3, later)
    assert [letter for letter, _ in probe] == ["10@a"]
    assert turns.done(probe[0][1], TAKEN, now=later, took_s=0.1) is Change.CLOSED
    assert [letter for letter, _ in take(turns, 3, later)] == ["11@a", "12@a"]


def test_a_line_holds_what_its_domain_takes_in_a_while_and_the_rest_comes_back_in_portions() -> None:
    turns = turns_of("0@a")
    (_, line) = take(turns)[0]
    turns.done(line, TAKEN, now=NOW, took_s=0.42)  # 0.12 s is usual by now, five at once: 416 in ten seconds
    turns.add((f"{number}@a", "a") for number in range(5 + 417 * 40))
    assert len(take(turns, 6)) == 4 + 1
    late = Counter(due_at - NOW for _, due_at in turns.put_off())
    assert late[timedelta(seconds=10)] == late[timedelta(seconds=20)] == line.length(8) == 416
    assert max(late) == timedelta(minutes=5)
    assert sum(late.values()) == 417 * 40 - 416


def test_a_line_is_never_too_short_to_keep_its_connections_busy() -> None:
    turns = turns_of("0@a")
    (_, line) = take(turns)[0]
    turns.done(line, TAKEN, now=NOW, took_s=600)
    assert line.length(8) == LEAST_A_LINE


def test_all_lines_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    turns = turns_of(*(f"{number}@{domain}" for domain in "abc" for number in range(6)))
    take(turns, 20)
    assert len(turns.put_off()) == 18 - 12 - 3


def test_lines_with_nothing_in_them_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 3)
    turns = turns_of(*(f"1@{domain}" for domain in "abcde"))
    for _, line in take(turns, 3):
        turns.done(line, TAKEN, now=NOW, took_s=0.1)
    (_, held) = take(turns, 1)[0]
    turns.add([("2@z", "z")])
    assert set(turns._lines) == {"d", "e", "z"}
    assert turns._lines["d"] is held


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["take", "taken", "ours", "gone", "wait"]))))
def test_every_letter_is_given_out_once_or_put_off_once(steps: list[tuple[str, str]]) -> None:
    turns, now = turns_of(), NOW
    added: list[str] = []
    held: list[Line[str]] = []
    out: list[str] = []
    for number, (domain, step) in enumerate(steps):
        added.append(f"{number}@{domain}")
        turns.add([(added[-1], domain)])
        if step == "wait":
            now += timedelta(minutes=2)
        elif step == "take" and (turn := turns.next(now)) is not None:
            out.append(turn[0])
            held.append(turn[1])
        elif held and step != "take":
            result = {"taken": TAKEN, "ours": OURS, "gone": None}[step]
            turns.done(held.pop(0), result, now=now, took_s=0.1)
    while held or len(turns):
        while (turn := turns.next(now)) is not None:
            out.append(turn[0])
            held.append(turn[1])
        if held:
            turns.done(held.pop(0), TAKEN, now=now, took_s=0.1)
    out += [letter for letter, _ in turns.put_off()]
    assert sorted(out) == sorted(added)
