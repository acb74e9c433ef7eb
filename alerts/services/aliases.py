"""Aliases: make the rows what the config declares, for all nodes and for channels added by hand too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from alerts.config.model import AliasesConfig
from alerts.core.query import Aliases, Query, parse
from alerts.storage.aliases import replace_aliases
from alerts.storage.engine import Database


async def sync_aliases(db: Database, declared: Sequence[AliasesConfig]) -> bool:
    """Make the rows what the config declares; say whether that changed any.

    What matches from then on asks with the new ones; articles that were matched stay as they are.
    """
    async with db.transaction() as tx:
        return await replace_aliases(tx, {it.name: it.others for it in declared})


def reader_of(declared: Sequence[AliasesConfig]) -> Callable[[str], Query]:
    """Return what reads a query with these aliases, in force or not; it raises QueryError."""
    return partial(parse, aliases=Aliases.of({it.name: it.others for it in declared}))
