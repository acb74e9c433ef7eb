"""A file that appears under its name whole, or not at all: written beside it first; and what kills left is cleared."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there nobody can tell what is still written from what was left
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = re.compile(r"\A\..+\.[0-9a-f]{16}\.new\Z", re.DOTALL)
_BESIDE = ("-journal", "-wal", "-shm", "")  # what SQLite writes beside a database, and the file itself
_OLD_S = 60.0  # a younger one may not be held yet


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give an empty file beside ``path``, to be written and then given that name; afterwards it is gone.

    Held for as long as the block lasts, so that those which nobody holds any more can be told from it. Raises OSError.
    """
    _clear_abandoned(path.parent)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        _hold(descriptor)
        yield new
    finally:
        os.close(descriptor)
        _remove(new)


def name_file(new: Path, path: Path) -> bool:
    """Give a file its final name, durably; return False when there is one of that name already."""
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        new.replace(path)
    _sync_folder(path.parent)
    return True


def _clear_abandoned(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote; a copy of a ledger may be large."""
    for found in folder.iterdir():
        if _UNFINISHED.match(found.name):
            with contextlib.suppress(OSError):
                _remove_if_abandoned(found)


def _remove_if_abandoned(found: Path) -> None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(found, flags)
    try:
        is_old = time.time() - os.fstat(descriptor).st_mtime > _OLD_S
        if is_old and _hold(descriptor):
            _remove(found)
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> bool:
    """Lock a file for this process; False when another does. The lock ends with the process, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, AttributeError):  # it is held; or there are no such locks here
        return False
    return True


def _remove(new: Path) -> None:
    for end in _BESIDE:
        new.with_name(new.name + end).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)
