"""When a file in a folder may be read: once two looks at it agree; values in, a decision out.

A file that somebody is still writing looks different each time. So what a look saw is kept, and the file is read when
a later look sees the same; a file that was read is left alone until it looks different.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

LOOKS_APART = timedelta(milliseconds=800)
OLD_ENOUGH = timedelta(seconds=1)  # since the last change, for a run that will not come back for a second look
GIVES_UP_AFTER = timedelta(seconds=10)  # such a run does not wait for a file that keeps changing


class Decision(StrEnum):
    """What to do about a file now."""

    READ = "read"  # two looks agree
    LOOK_AGAIN = "look_again"  # keep this look, come back
    LEAVE = "leave"  # read already, and not changed since
    BUSY = "busy"  # somebody writes to it all the time: keep this look, leave it to a later run


# Of what follows every poll makes one for each file: named tuples, since a frozen dataclass takes four times as long.


class Look(NamedTuple):
    """What tells that a file has changed, without reading it."""

    size: int
    mtime_ns: int
    inode: int


UNSEEN = Look(size=0, mtime_ns=0, inode=0)  # of what was set aside without a look


class FoundFile(NamedTuple):
    """A file that may hold an article."""

    path: str  # relative to its folder, with "/", safe to store and to print
    where: str  # on disk
    look: Look


class Known(NamedTuple):
    """What we know of a file from earlier looks."""

    look: Look
    looked_at: datetime  # when it first looked so
    read_at: datetime | None = None  # None until it was read, looking so
    wait_until_at: datetime | None = None  # its article's date
    was_there: bool = False  # before the source's first poll, and not read since


class KnownFile(NamedTuple):
    """What is kept of one file; ``reason`` says why it is set aside."""

    path: str
    known: Known
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something in the folder that is set aside without being opened, and why."""

    path: str
    reason: str
    is_folder: bool = False  # what is below it could not be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is in a folder, by path; temporary and hidden files are in neither."""

    files: Mapping[str, FoundFile]
    refused: Mapping[str, Refused]


def decide(known: Known | None, look: Look, *, now: datetime, once: bool) -> Decision:
    """Decide about a file that looks like ``look`` at ``now``; ``once`` is for a run that ends when all is done."""
    if known is not None and known.look == look:
        return _decide_unchanged(known, now=now)
    if once and _is_old(look, now=now):
        return Decision.READ
    keeps_changing = known is not None and known.read_at is None and now - known.looked_at < GIVES_UP_AFTER
    return Decision.BUSY if once and keeps_changing else Decision.LOOK_AGAIN


def _decide_unchanged(known: Known, *, now: datetime) -> Decision:
    if known.read_at is None:
        # A clock that was set back must not make a file wait for hours.
        return Decision.READ if abs(now - known.looked_at) >= LOOKS_APART else Decision.LOOK_AGAIN
    is_due = known.wait_until_at is not None and known.wait_until_at <= now
    return Decision.READ if is_due else Decision.LEAVE


def _is_old(look: Look, *, now: datetime) -> bool:
    """Say whether the last change is long ago; one in the future (another machine's clock) is not."""
    since_epoch = now - datetime(1970, 1, 1, tzinfo=UTC)
    return since_epoch - timedelta(microseconds=look.mtime_ns // 1000) >= OLD_ENOUGH
