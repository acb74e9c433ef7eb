"""Rows of files: what the folder source knows of each file, so that only changed ones are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.looks import Known, KnownFile, Look
from alerts.storage.engine import insert
from alerts.storage.schema import articles, files

_CHUNK = 500
_CHANGING = ("size", "mtime_ns", "inode", "reason", "wait_until_at", "looked_at", "read_at", "was_there")


async def known_files(tx: AsyncConnection, source_id: int, *, after: str, limit: int) -> list[KnownFile]:
    """Return what is known of the next ``limit`` files of a source, in the database's own order of paths.

    ``after`` is the last path of the piece before; an empty one stands before all of them.
    """
    rows = await tx.execute(
        select(
            files.c.path,
            files.c.reason,
            files.c.size,
            files.c.mtime_ns,
            files.c.inode,
            files.c.looked_at,
            files.c.read_at,
            files.c.wait_until_at,
            files.c.was_there,
        )
        .where(files.c.source_id == source_id, files.c.path > after)
        .order_by(files.c.path)
        .limit(limit)
    )
    return [
        KnownFile(path, Known(Look(size, mtime_ns, inode), *rest), reason)
        for path, reason, size, mtime_ns, inode, *rest in rows
    ]


async def keep_files(tx: AsyncConnection, source_id: int, rows: Sequence[KnownFile]) -> None:
    """Write what is known of these files now, in place of what was known."""
    if not rows:
        return
    statement = insert(tx, files)
    statement = statement.on_conflict_do_update(
        index_elements=["source_id", "path"], set_={name: statement.excluded[name] for name in _CHANGING}
    )
    await tx.execute(statement, [_values(source_id, row) for row in rows])


async def forget_files(tx: AsyncConnection, source_id: int, paths: Collection[str]) -> None:
    """Drop what is known of files that are gone; their articles stay."""
    for chunk in _batched(sorted(paths)):
        await tx.execute(delete(files).where(files.c.source_id == source_id, files.c.path.in_(chunk)))


async def set_aside(tx: AsyncConnection, source_id: int) -> list[tuple[str, str]]:
    """Return the files that gave no article, each with the reason, by path."""
    rows = await tx.execute(
        select(files.c.path, files.c.reason)
        .where(files.c.source_id == source_id, files.c.reason.is_not(None))
        .order_by(files.c.path)
    )
    return [(row.path, row.reason) for row in rows]


async def copies(tx: AsyncConnection, source_id: int, hashes: Sequence[tuple[str, str]]) -> set[str]:
    """Return which of these (path, content hash) have the content of an article that another file still stands for.

    Such a file is a copy. A renamed one is not: the file that its article came from is gone.
    """
    held: dict[str, set[str]] = {}
    for chunk in _batched(sorted({digest for _, digest in hashes})):
        rows = await tx.execute(
            select(articles.c.content_hash, articles.c.item_id)
            .join(files, (files.c.source_id == articles.c.source_id) & (files.c.path == articles.c.item_id))
            .where(articles.c.source_id == source_id, articles.c.content_hash.in_(chunk), files.c.read_at.is_not(None))
        )
        for row in rows:
            held.setdefault(row.content_hash, set()).add(row.item_id)
    return {path for path, digest in hashes if digest in held and path not in held[digest]}


def _values(source_id: int, row: KnownFile) -> dict[str, object]:
    known = row.known
    return {
        "source_id": source_id,
        "path": row.path,
        "size": known.look.size,
        "mtime_ns": known.look.mtime_ns,
        "inode": known.look.inode,
        "reason": row.reason,
        "wait_until_at": known.wait_until_at,
        "looked_at": known.looked_at,
        "read_at": known.read_at,
        "was_there": known.was_there,
    }


def _batched(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
