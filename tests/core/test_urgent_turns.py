from datetime import UTC, datetime

from alerts.core.domains import Domains
from alerts.core.turns import Turns

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_urgent_letters_go_before_those_that_wait_already_and_keep_their_order() -> None:
    turns: Turns[str] = Turns(Domains(), connections=8)
    turns.add([("alert 1", "a.example"), ("alert 2", "b.example")])
    turns.add([("confirm 1", "a.example"), ("confirm 2", "c.example")], first=True)
    given = [turn[0] for turn in iter(lambda: turns.next(NOW), None)]
    assert given == ["confirm 1", "confirm 2", "alert 1", "alert 2"]
