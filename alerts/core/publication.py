"""When a parsed item may be seen: now, later, or not at all; a value in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alerts.core.items import ParsedItem


class Step(StrEnum):
    """What to do with an item."""

    PUBLISH = "publish"  # it is an article from now on
    WAIT = "wait"  # read the file again at ``until_at``
    LEAVE_OUT = "leave_out"  # until somebody edits the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was decided, and the reason for an operator who misses the article."""

    step: Step
    reason: str | None = None
    until_at: datetime | None = None


def decide_publication(parsed: ParsedItem, *, now: datetime) -> Publication:
    """Decide whether an item may be seen at ``now``."""
    if parsed.is_draft:
        return Publication(step=Step.LEAVE_OUT, reason="is a draft")
    if parsed.expires_at is not None and parsed.expires_at <= now:
        return Publication(step=Step.LEAVE_OUT, reason=f"expired at {_written(parsed.expires_at)}")
    if parsed.not_before_at is not None and parsed.not_before_at > now:
        reason = f"waits for its date, {_written(parsed.not_before_at)}"
        return Publication(step=Step.WAIT, reason=reason, until_at=parsed.not_before_at)
    return Publication(step=Step.PUBLISH)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
