"""Rows of aliases: other names of one thing, the same for every node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.query import Aliases
from alerts.storage.engine import insert
from alerts.storage.revisions import Counted, next_revision
from alerts.storage.schema import aliases


async def known_aliases(tx: AsyncConnection) -> Aliases:
    """Return the aliases that queries use."""
    return Aliases.of(await _rows(tx))


async def replace_aliases(tx: AsyncConnection, declared: Mapping[str, Sequence[str]]) -> bool:
    """Make the aliases what is declared; say whether that changed any."""
    wanted = {name: list(others) for name, others in declared.items()}
    if await _rows(tx) == wanted:
        return False
    await next_revision(tx, Counted.ALIASES)
    await tx.execute(delete(aliases))
    if wanted:
        await tx.execute(insert(tx, aliases), [{"name": name, "others": others} for name, others in wanted.items()])
    return True


async def _rows(tx: AsyncConnection) -> dict[str, list[str]]:
    return {row.name: row.others for row in await tx.execute(select(aliases))}
