"""The seed folder as it is on disk: which files are there, and the bytes of one; it decides nothing and keeps nothing.

Nothing here ever waits for what somebody put into the folder: pipes, sockets and devices are not opened, links are
not followed out of the folder, and what is opened is checked again, so that a file swapped meanwhile is not read.
These functions block on the disk; call them in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from alerts.core.errors import ArticleError, FetchError
from alerts.core.looks import FoundFile, Look, Refused, Scan
from alerts.sources.formats.reading import EXTENSIONS, LARGEST_FILE, extension

DEEPEST = 30  # folders in folders
MOST_FILES = 200_000
_LARGEST_KEY = (1 << 63) - 1  # what a BIGINT holds; some file systems have larger inode numbers

_TEMPORARY_ENDS = (
    "~",
    ".swp",
    ".swo",
    ".swx",
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".bak",
)
_TEMPORARY_STARTS = (".", "~$", "#")
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "lost+found"})


class FileGoneError(Exception):
    """The file is not there any more, or is another one than was looked at: look again."""


def scan(folder: Path) -> Scan:
    """Return everything in ``folder``; raise FetchError with the reason when the folder itself cannot be read."""
    found = _Walk(folder)
    try:
        found.walk()
    except _TooManyError:
        raise FetchError(f"the folder {folder} holds more than {MOST_FILES} files") from None
    return Scan(files=found.files, refused=found.refused)


def read_file(file: FoundFile) -> bytes:
    """Return the bytes of a file that was found.

    Raises ArticleError when it cannot be read, FileGoneError when it is not the one that was looked at.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(file.where, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0))
    except FileNotFoundError as error:
        raise FileGoneError(file.path) from error
    except OSError as error:
        raise ArticleError(_cannot_be_read(error)) from error
    try:
        _check_same(descriptor, file)
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            data = opened.read(LARGEST_FILE + 1)
        _check_same(descriptor, file)
    except OSError as error:
        raise ArticleError(_cannot_be_read(error)) from error
    finally:
        os.close(descriptor)
    return data


def _check_same(descriptor: int, file: FoundFile) -> None:
    """Raise FileGoneError unless what is open is the file that was looked at, unchanged."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or _regular_look(status) != file.look:
        raise FileGoneError(file.path)


def look_at(path: Path) -> FoundFile:
    """Return one file that somebody named, links followed; raise FileNotFoundError, or ArticleError with the reason."""
    try:
        where = path.resolve(strict=True)
        look = _regular_look(where.lstat())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArticleError(_cannot_be_read(error)) from error
    except ValueError as error:
        raise ArticleError(str(error)) from error
    return FoundFile(path=safe_path(path.name), where=str(where), look=look)


def safe_path(relative: str) -> str:
    r"""Return a path that any database and terminal takes: undecodable bytes, controls and ``\`` as ``\xNN``."""
    if relative.isprintable() and "\\" not in relative:
        return relative
    return "".join(_safe_character(character) for character in relative)


class _TooManyError(Exception):
    """The folder holds more than anybody writes: somebody's home directory, perhaps."""


class _Walk:
    """One walk through the tree, without recursion."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, FoundFile] = {}
        self.refused: dict[str, Refused] = {}
        self._folders = 0
        self._real_folder = ""

    def walk(self) -> None:
        waiting: list[tuple[str, int]] = [("", 0)]
        try:
            self._real_folder = os.path.realpath(self.folder, strict=True)
            waiting += [(name, 1) for name in self._entries("")]
        except OSError as error:
            raise FetchError(f"the folder {self.folder} {_cannot_be_read(error)}") from error
        del waiting[0]
        while waiting:
            relative, depth = waiting.pop()
            for child in self._try_entries(relative, depth):
                waiting.append((child, depth + 1))

    def _try_entries(self, relative: str, depth: int) -> list[str]:
        if depth > DEEPEST:
            self._refuse(relative, f"is more than {DEEPEST} folders deep", is_folder=True)
            return []
        try:
            return list(self._entries(relative))
        except OSError as error:
            self._refuse(relative, _cannot_be_read(error), is_folder=True)
            return []

    def _entries(self, relative: str) -> Iterator[str]:
        """Note the files of one folder and yield the folders in it."""
        with os.scandir(self.folder / relative) as entries:
            for entry in entries:
                if _is_ignored(entry.name):
                    continue
                path = f"{relative}/{entry.name}" if relative else entry.name
                if entry.is_dir(follow_symlinks=False) and extension(entry.name) not in EXTENSIONS:
                    self._folders += 1
                    yield path
                else:
                    self._note(path, entry)
                if len(self.files) + len(self.refused) + self._folders > MOST_FILES:
                    raise _TooManyError

    def _note(self, path: str, entry: os.DirEntry[str]) -> None:
        try:
            where = self._target(entry.path) if entry.is_symlink() else entry.path
            look = _regular_look(os.lstat(where))
        except (OSError, ValueError) as error:
            self._refuse(path, _cannot_be_read(error) if isinstance(error, OSError) else str(error))
            return
        if extension(path) not in EXTENSIONS:
            self._refuse(path, f"is none of the files that hold articles ({', '.join(sorted(EXTENSIONS))})")
        elif look.size == 0:
            self._refuse(path, "is empty")
        elif look.size > LARGEST_FILE:
            self._refuse(path, f"is larger than {LARGEST_FILE >> 20} MiB")
        else:
            safe = safe_path(path)
            self.files[safe] = FoundFile(path=safe, where=where, look=look)

    def _target(self, link: str) -> str:
        """Return the file that a link in the folder leads to; raise ValueError when it leads out."""
        try:
            target = os.path.realpath(link, strict=True)
        except FileNotFoundError:
            raise ValueError("is a link that leads nowhere") from None
        if not target.startswith(self._real_folder.rstrip(os.sep) + os.sep):
            raise ValueError("is a link that leads out of the folder")
        return target

    def _refuse(self, path: str, reason: str, *, is_folder: bool = False) -> None:
        safe = safe_path(path)
        self.refused[safe] = Refused(path=safe, reason=reason, is_folder=is_folder)


def _regular_look(status: os.stat_result) -> Look:
    """Return what a file looks like; raise ValueError for what is no file."""
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"is {_kind(status.st_mode)}, not a file")
    return Look(size=status.st_size, mtime_ns=status.st_mtime_ns, inode=status.st_ino & _LARGEST_KEY)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFBLK: "a device",
        stat.S_IFCHR: "a device",
        stat.S_IFLNK: "a link",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _is_ignored(name: str) -> bool:
    """Say whether a name belongs to an editor, a download or a desktop, not to a writer."""
    lowered = name.lower()
    return lowered.startswith(_TEMPORARY_STARTS) or lowered.endswith(_TEMPORARY_ENDS) or lowered in _LITTER


def _cannot_be_read(error: OSError) -> str:
    return f"cannot be read: {error.strerror or type(error).__name__}"


def _safe_character(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    errors = "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", errors))
