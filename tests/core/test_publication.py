"""When an item may be seen."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.core.items import ParsedItem, make_item
from alerts.core.publication import Step, decide_publication

ITEM = make_item(item_id="1", title="T")
MINUTE = timedelta(minutes=1)


def test_an_item_without_dates_is_published(now: datetime) -> None:
    assert decide_publication(ParsedItem(item=ITEM), now=now).step is Step.PUBLISH


def test_an_item_is_published_from_its_date_until_it_expires(now: datetime) -> None:
    parsed = ParsedItem(item=ITEM, not_before_at=now, expires_at=now + MINUTE)
    waits = decide_publication(parsed, now=now - MINUTE)
    assert (waits.step, waits.until_at) == (Step.WAIT, now)
    assert waits.reason == "waits for its date, 2026-01-05 12:00 UTC"
    assert decide_publication(parsed, now=now).step is Step.PUBLISH
    over = decide_publication(parsed, now=now + MINUTE)
    assert (over.step, over.reason) == (Step.LEAVE_OUT, "expired at 2026-01-05 12:01 UTC")


def test_a_draft_is_left_out_whatever_its_dates(now: datetime) -> None:
    parsed = ParsedItem(item=ITEM, is_draft=True, not_before_at=now + MINUTE)
    assert decide_publication(parsed, now=now).step is Step.LEAVE_OUT
