"""What the catcher caught, on disk: a Maildir of the bytes as received, and each mail's envelope beside it.

Functions here block on files; callers on an event loop use a thread. Mails are hostile: every byte may be anything.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alerts.core.errors import NotFoundError

MAX_MAILS = 10_000
MAX_BYTES = 256 << 20
HEAD_BYTES = 64 << 10  # as much of a mail as a list reads

# A Maildir name that sorts by time: seconds, microseconds, process, how manieth. Readers may add ":2,S" to it.
_NAME = re.compile(r"\A(\d{10}\.M\d{6}P\d{1,10}Q\d{6}\.caught)(?::2,[A-Za-z]*)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class MailEnvelope:
    """What MAIL FROM and RCPT TO said."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail as received, or only its head; ``caught_at`` in seconds since the epoch."""

    id: str
    caught_at: float
    size: int
    raw: bytes
    envelope: MailEnvelope | None


@dataclass(frozen=True, slots=True)
class CaughtPage:
    """A page of mails, newest first, their heads only; ``next`` goes on as ``before``, None at the end."""

    mails: tuple[CaughtMail, ...]
    total: int
    next: str | None


class MailStore:
    """The writing side; one process owns it, and keeps it within its bounds by dropping the oldest."""

    def __init__(self, folder: Path, *, max_mails: int = MAX_MAILS, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._count = 0

    def open(self) -> None:
        """Make the folders, clear what a kill left half-written, count what is there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("tmp", "new", "cur", "envelopes"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        for leftover in (self.folder / "tmp").iterdir():
            if _NAME.match(leftover.name):
                leftover.unlink(missing_ok=True)
        with self._lock:
            self._kept = deque((path.name, path.stat().st_size) for path in reversed(_paths(self.folder).values()))
            self._bytes = sum(size for _name, size in self._kept)
            self._drop_oldest()

    def add(self, content: bytes, envelope: MailEnvelope) -> str:
        """Keep a mail; when this returns, it survives a power cut. Raises OSError, and nothing is half there."""
        with self._lock:
            name = self._new_name()
        beside = self.folder / "envelopes" / name
        temporary = self.folder / "tmp" / name
        try:
            # Not fsynced: it only informs, and a reader does without.
            beside.write_text(json.dumps({"from": envelope.sender, "to": envelope.recipients}), "ascii")
            _write_through(temporary, content)
            temporary.rename(self.folder / "new" / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(self.folder / "new")
        with self._lock:
            self._kept.append((name, len(content)))
            self._bytes += len(content)
            self._drop_oldest()
        return name

    def _new_name(self) -> str:
        microseconds = time.time_ns() // 1000
        self._count += 1
        seconds, rest = divmod(microseconds, 1_000_000)
        return f"{seconds:010d}.M{rest:06d}P{os.getpid()}Q{self._count % 1_000_000:06d}.caught"

    def _drop_oldest(self) -> None:
        """Make room; the newest stays, whatever its size."""
        while len(self._kept) > 1 and (len(self._kept) > self._max_mails or self._bytes > self._max_bytes):
            name, size = self._kept.popleft()
            self._bytes -= size
            _remove(self.folder, name)


def list_mails(folder: Path, *, limit: int = 50, before: str | None = None) -> CaughtPage:
    """Return mails newest first, those older than ``before`` if it is given; an empty page if there is no folder."""
    paths = _paths(folder)
    ids = [mail_id for mail_id in paths if before is None or mail_id < before]
    heads = (_read(folder, mail_id, paths[mail_id], HEAD_BYTES) for mail_id in ids[:limit])
    mails = tuple(mail for mail in heads if mail is not None)
    return CaughtPage(mails, total=len(paths), next=ids[limit - 1] if len(ids) > limit else None)


def read_mail(folder: Path, mail_id: str) -> CaughtMail:
    """Return one mail, whole; raise NotFoundError when it is not there, or not an id."""
    path = _paths(folder).get(mail_id) if _NAME.match(mail_id) else None
    mail = _read(folder, mail_id, path, None) if path is not None else None
    if mail is None:
        raise NotFoundError("the mail catcher has no such mail; the oldest are dropped when there are many")
    return mail


def _paths(folder: Path) -> dict[str, Path]:
    """Return where each mail is, newest first; mail readers move them from new/ to cur/."""
    found: dict[str, Path] = {}
    for name in ("new", "cur"):
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in (folder / name).iterdir():
                if known := _NAME.match(path.name):
                    found[known[1]] = path
    return dict(sorted(found.items(), reverse=True))


def _read(folder: Path, mail_id: str, path: Path, limit: int | None) -> CaughtMail | None:
    """Read a mail or its head; None if it was dropped meanwhile, or is no file."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read() if limit is None else file.read(limit)
    except OSError:
        return None
    seconds, microseconds = int(mail_id[:10]), int(mail_id[12:18])
    return CaughtMail(mail_id, seconds + microseconds / 1e6, status.st_size, raw, _envelope(folder, mail_id))


def _envelope(folder: Path, mail_id: str) -> MailEnvelope | None:
    try:
        found = json.loads((folder / "envelopes" / mail_id).read_text("ascii"))
        return MailEnvelope(str(found["from"]), tuple(map(str, found["to"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remove(folder: Path, name: str) -> None:
    known = _NAME.match(name)
    mail_id = known[1] if known else name
    for path in (folder / "new" / name, folder / "cur" / name, folder / "envelopes" / mail_id):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut, where the system can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
