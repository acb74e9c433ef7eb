"""Read one file of a folder: the articles in it, or the reason why there are none now. Blocks; call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import structlog

from alerts.core.articles import content_hash
from alerts.core.errors import ArticleError
from alerts.core.folder_plan import ToRead
from alerts.core.items import Parsed
from alerts.core.looks import UNSEEN, Known, KnownFile
from alerts.core.model import Item
from alerts.core.publication import Publication, Step, decide_publication
from alerts.sources.folder import FileGoneError, read_file
from alerts.sources.formats import read_items

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What reading one file gave: the items to store and what to keep of the file."""

    row: KnownFile
    items: tuple[Item, ...] = ()
    was_there: bool = False
    changed_meanwhile: bool = False
    hashes: tuple[str, ...] = ()  # the contents of the items that have no id but the file's path


def read(one: ToRead, now: datetime, time_zone: tzinfo) -> ReadFile:
    """Read one file; whatever is wrong with it becomes a reason, never an exception."""
    file = one.file
    row = KnownFile(file.path, Known(look=file.look, looked_at=one.looked_at, read_at=now))
    try:
        data = read_file(file)
    except FileGoneError:
        look_again = Known(look=UNSEEN, looked_at=now, wait_until_at=one.wait_until_at, was_there=one.was_there)
        return ReadFile(row=KnownFile(file.path, look_again), changed_meanwhile=True)
    except ArticleError as error:  # may be mended without a change to the file: a permission, a disk
        unread = row.known._replace(read_at=None, was_there=one.was_there)
        return ReadFile(row=KnownFile(file.path, unread, str(error)))
    try:
        parsed = read_items(file.path, data, time_zone=time_zone)
    except ArticleError as error:
        return ReadFile(row=row._replace(reason=str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the other files from being read
        _log.error("file_not_read", path=file.path, error=type(error).__name__, exc_info=error)
        return ReadFile(row=row._replace(reason=f"cannot be read ({type(error).__name__}, a fault of News Alert)"))
    if parsed.notes:
        _log.info("file_read_with_notes", path=file.path, notes=list(parsed.notes))
    return _sort_out(row, parsed, now=now, was_there=one.was_there)


def _sort_out(row: KnownFile, parsed: Parsed, *, now: datetime, was_there: bool) -> ReadFile:
    """Part the items that may be seen now from those that wait or are left out."""
    decided = [(one.item, decide_publication(one, now=now)) for one in parsed.items]
    items = tuple(item for item, publication in decided if publication.step is Step.PUBLISH)
    held = [publication for _, publication in decided if publication.step is not Step.PUBLISH]
    wait_until_at = min((one.until_at for one in held if one.until_at), default=None)
    return ReadFile(
        row=KnownFile(row.path, row.known._replace(wait_until_at=wait_until_at), _reason(held, total=len(decided))),
        items=items,
        was_there=was_there,
        hashes=tuple(content_hash(item) for item in items if item.item_id == row.path),
    )


def _reason(held: Sequence[Publication], *, total: int) -> str | None:
    if not held:
        return None
    return held[0].reason if total == 1 else f"{len(held)} of {total} articles left out; the first {held[0].reason}"
