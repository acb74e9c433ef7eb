"""When a source is polled next: its interval, backed off while it fails, never before the publisher wants us back."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST_BACK_OFF = timedelta(hours=6)
LONGEST_RETRY_AFTER = timedelta(days=1)  # a server that says "in a year" is asked again tomorrow
LONGEST_HINT = timedelta(hours=1)  # caches say "a year" of files that change daily; an alert may not wait for that
JITTER = 0.1  # a share of the wait, added: a thousand feeds added at once drift apart


def next_poll_at(
    *,
    now: datetime,
    every: timedelta,
    jitter: float,
    failures: int = 0,
    retry_after: timedelta | None = None,
    hint: timedelta | None = None,
) -> datetime:
    """Return when to poll again, ``failures`` polls in a row having failed.

    ``retry_after`` is what the server demanded, ``hint`` how long it says that an answer stays fresh (``max-age``, a
    feed's ``ttl``); the wait is never shorter than either, up to its cap. ``jitter`` is from 0 to 1.
    """
    wait = max(
        back_off(every, failures),
        min(retry_after or timedelta(0), LONGEST_RETRY_AFTER),
        min(hint or timedelta(0), LONGEST_HINT),
    )
    return now + wait * (1 + JITTER * min(max(jitter, 0.0), 1.0))


def back_off(every: timedelta, failures: int) -> timedelta:
    """Return the wait after so many failures in a row: twice the interval after the first, and so on up to a cap.

    A source polled less often than the cap keeps its interval.
    """
    if failures <= 0 or every >= LONGEST_BACK_OFF:
        return every
    doubled: int = 1 << min(failures, 30)
    return min(every * doubled, LONGEST_BACK_OFF)
