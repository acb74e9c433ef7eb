from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.feed_moves import may_be_kept, new_address
from alerts.core.model import FirstPoll, Source, SourceKind, SourceState

FEED = Source(
    id=1,
    name="news",
    kind=SourceKind.FEED,
    location="https://news.example/feed",
    every=timedelta(minutes=5),
    first_poll=FirstPoll.SEEN,
    max_age=None,
    allow_private=False,
    state=SourceState.OK,
    reason=None,
    next_poll_at=datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
    polled_at=None,
    moved_to="https://old.example/feed",
)
NEW = "https://new.example/feed"


@pytest.mark.parametrize(
    ("moved_to", "gave_the_feed", "is_asked_at"),
    [
        (NEW, True, NEW),
        (NEW, False, FEED.moved_to),
        (None, True, FEED.moved_to),
        (FEED.location, True, None),
    ],
)
def test_a_new_address_counts_once_it_gave_the_feed(
    moved_to: str | None, *, gave_the_feed: bool, is_asked_at: str | None
) -> None:
    assert new_address(FEED, moved_to=moved_to, gave_the_feed=gave_the_feed) == is_asked_at


def test_a_password_does_not_go_along_to_a_new_address() -> None:
    assert may_be_kept(FEED)
    assert not may_be_kept(replace(FEED, location="https://bob:secret@news.example/feed"))
