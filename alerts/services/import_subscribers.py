"""Import subscribers: read an operator's CSV, batch by batch, and have each batch subscribed.

Each batch is a transaction of its own, so a file of any size neither fills the memory nor keeps others waiting, and an
import that was broken off is finished by running it again.
"""

from __future__ import annotations

import codecs
import io
import os
import shutil
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, TextIO

from alerts.core.errors import InputError
from alerts.core.people import Request
from alerts.core.subscriber_list import LONGEST_LINE, Problem, Remark, Row, read_list
from alerts.core.subscriptions import Listed, Refusal

_BATCH = 1_000  # people a transaction
_CHUNK = 1 << 20

_REFUSED = {
    Refusal.SUPPRESSED: "suppressed: it bounced, or its owner complained; only the person can bring it back",
    Refusal.LEFT: "the person unsubscribed from this channel; a list does not bring them back",
}


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of the rows; only ``bad`` and ``refused`` ones are not in."""

    rows: int = 0
    subscribed: int = 0  # active now
    asked: int = 0  # a confirmation mail is on its way
    unchanged: int = 0  # subscribed or asked before, or in the list twice
    refused: int = 0  # suppressed, or left by themselves
    bad: int = 0  # not readable


async def import_subscribers(
    path: Path,
    *,
    write: Callable[[Sequence[Request]], Awaitable[Listed]],
    known_zones: Container[str],
    report: Callable[[Problem | Remark], None],
    progress: Callable[[int, int], None],
) -> Imported:
    """Import a file; ``report`` hears of each row that is not taken, ``progress`` of (octets read, octets in all).

    Raises InputError for a file that cannot be read as a list at all; then nothing was imported.
    """
    done = Imported()
    await write([])  # the channels are there, or it raises before a row is read
    with _opened(path, report) as file:
        batch: dict[str, Row] = {}
        lines = iter(lambda: file.text.readline(LONGEST_LINE), "")
        for one in read_list(lines, known_zones=known_zones):
            if isinstance(one, Row):
                done.rows += 1
                key = one.request.person.address.key
                done.unchanged += key in batch  # twice in the list: the later row counts
                batch[key] = one
            else:
                done.rows += isinstance(one, Problem)
                done.bad += isinstance(one, Problem)
                report(one)
            if len(batch) == _BATCH:
                await _write(batch, write, report, done)
                batch.clear()
                progress(file.raw.tell(), file.size)
        await _write(batch, write, report, done)
        progress(file.size, file.size)
    return done


async def _write(
    batch: dict[str, Row],
    write: Callable[[Sequence[Request]], Awaitable[Listed]],
    report: Callable[[Problem | Remark], None],
    done: Imported,
) -> None:
    written = await write([row.request for row in batch.values()])
    done.subscribed += len(written.subscribed)
    done.asked += len(written.asked)
    done.unchanged += len(written.unchanged)
    done.refused += len(written.refused)
    for key, refusal in written.refused.items():
        report(Problem(batch[key].line, f"{batch[key].request.person.address.email}: {_REFUSED[refusal]}"))


@dataclass(frozen=True, slots=True)
class _Opened:
    raw: BinaryIO
    text: TextIO
    size: int


@contextmanager
def _opened(path: Path, report: Callable[[Remark], None]) -> Iterator[_Opened]:
    """Open a file as text, in the encoding that it has."""
    with ExitStack() as stack:
        try:
            raw: BinaryIO = stack.enter_context(path.open("rb"))
            if not raw.seekable():  # a pipe
                kept = stack.enter_context(TemporaryFile())
                shutil.copyfileobj(raw, kept)
                raw = kept
            size = raw.seek(0, os.SEEK_END)
            encoding = _encoding(raw)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
        if encoding == "cp1252":
            report(Remark("the file is not UTF-8; it is read as Windows-1252, as spreadsheets write it"))
        text = stack.enter_context(io.TextIOWrapper(raw, encoding=encoding, errors="replace"))
        yield _Opened(raw, text, size)


def _encoding(raw: BinaryIO) -> str:
    """Find out how the text is encoded, by its mark or by trying; the file is at its start afterwards."""
    raw.seek(0)
    start = raw.read(4)
    raw.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start == b"PK\x03\x04":
        raise InputError("this is a spreadsheet, not a list: save it as CSV and import that")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := raw.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        raw.seek(0)
    return "utf-8-sig"
