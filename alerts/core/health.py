"""When a source that fails is worth an operator's attention: once, after a while, and not at a blip."""

from __future__ import annotations

from datetime import datetime, timedelta

WORTH_A_WARNING = timedelta(hours=1)
FAILED_POLLS = 3  # in a row, besides: a source polled once a day is not warned of after one
GIVEN_A_MOVE = timedelta(days=1)  # a feed's new address that fails for so long is forgotten


def is_worth_a_warning(
    *, now: datetime, failures: int, failing_since_at: datetime, stopped: bool, warned: bool
) -> bool:
    """Return whether to warn after a failed poll, the ``failures``-th in a row; a source that stops is told at once."""
    if warned:
        return False
    return stopped or (failures >= FAILED_POLLS and now - failing_since_at >= WORTH_A_WARNING)


def is_back_at_its_first_place(*, now: datetime, failing_since_at: datetime, permanent: bool) -> bool:
    """Return whether a feed that moved is sought where the operator says it is: the new place is gone, or long dead."""
    return permanent or now - failing_since_at >= GIVEN_A_MOVE
