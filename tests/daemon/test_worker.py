"""Who lives, as a worker hears it, on both databases; both kinds of time are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from alerts.daemon.worker import BEAT, Worker
from alerts.services.maintain import SILENCE
from alerts.storage.engine import Database


@dataclass
class Two:
    """Two workers, each with a clock on its wall; seconds go by for both alike."""

    db: Database
    here: datetime
    there: datetime
    s: float = 1_000.0

    async def join(self) -> tuple[Worker, Worker]:
        judge = Worker(self.db, lambda: self.here, seconds=lambda: self.s)
        other = Worker(self.db, lambda: self.there, seconds=lambda: self.s)
        for one in (judge, other):
            await one.join()
        return judge, other

    async def pass_beats(self, beats: int, *living: Worker) -> None:
        for _ in range(beats):
            self.s += BEAT.total_seconds()
            self.here += BEAT
            self.there += BEAT
            for one in living:
                await one.beat()


@pytest.fixture
def two(db: Database, now: datetime) -> Two:
    return Two(db, now, now)


BEATS = int(SILENCE / BEAT)


async def test_who_beats_is_not_silent_whatever_the_clocks_say(two: Two) -> None:
    two.there -= timedelta(hours=3)  # that machine has another time
    judge, other = await two.join()
    await two.pass_beats(BEATS + 1, judge, other)
    for jump in (timedelta(days=1), -timedelta(hours=1)):
        two.here += jump
        await two.pass_beats(1, judge)
        heard = judge.heard()
        assert heard is not None
        assert heard.silent == {}
        await two.pass_beats(BEATS, judge, other)
    assert judge.holds()


async def test_who_beats_no_more_is_silent_even_if_its_clock_ran_ahead(two: Two) -> None:
    two.there += timedelta(hours=3)
    judge, other = await two.join()
    await two.pass_beats(BEATS, judge, other)
    last = two.there
    await two.pass_beats(BEATS, judge)  # it heard of the last one a beat later
    heard = judge.heard()
    assert heard is not None
    assert heard.silent == {}
    await two.pass_beats(1, judge)
    heard = judge.heard()
    assert heard is not None
    assert heard.silent == {other.id: last}


async def test_who_was_cut_off_judges_nobody_until_the_others_could_speak(two: Two) -> None:
    judge, other = await two.join()
    await two.pass_beats(BEATS + 1, judge, other)
    two.s += 60
    assert judge.heard() is None
    await judge.beat()
    assert judge.heard() is None
    await two.pass_beats(BEATS, judge, other)
    heard = judge.heard()
    assert heard is not None
    assert heard.silent == {}
