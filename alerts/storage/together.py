"""One statement for many rows, each with values of its own: JSON on SQLite, an array a column on PostgreSQL.

A statement for each row is compiled once too, but SQLite's driver lets go of the interpreter around each, and takes it
back from an event loop that is busy: that costs more than the statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    Executable,
    Text,
    TypeDecorator,
    bindparam,
    column,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from alerts.storage.prepared import Prepared, Transaction, has_arrays

#: The columns of the rows that are given, by name.
Given = Mapping[str, ColumnElement[Any]]
_Types = Mapping[str, TypeEngine[Any]]


class Together:
    """A statement that joins its table with rows that are given; ``more`` are parameters that are the same for all."""

    def __init__(self, statement: Callable[[Given], Executable], types: _Types, *more: str) -> None:
        self._on_sqlite = Prepared(statement(_json_rows(types)), _ROWS, *more)
        self._on_postgresql = Prepared(statement(_arrays(types)), *types, *more)

    async def rows(self, tx: Transaction, given: Sequence[tuple[Any, ...]], *more: Any) -> list[Any]:
        """Execute it and return its rows, tuples of what the schema's types say."""
        if not given:
            return []
        if has_arrays(tx):
            return await self._on_postgresql.rows(tx, *map(list, zip(*given, strict=True)), *more)
        return await self._on_sqlite.rows(tx, given, *more)


class _JsonRows(TypeDecorator[Sequence[tuple[Any, ...]]]):
    """Rows as one text, their values as SQLite keeps them."""

    impl = Text
    cache_ok = True

    def __init__(self, *types: TypeEngine[Any]) -> None:
        super().__init__()
        self.types = types

    def process_bind_param(self, value: Sequence[tuple[Any, ...]] | None, dialect: Dialect) -> str:
        """Translate a column at a time: most of its values are the same."""
        columns = []
        for kind, values in zip(self.types, zip(*(value or ()), strict=True), strict=True):
            process = kind.dialect_impl(dialect).bind_processor(dialect)
            if process is None:
                columns.append(values)
            else:
                known = {one: process(one) for one in set(values)}
                columns.append(tuple(known[one] for one in values))
        return json.dumps(list(zip(*columns, strict=True)))


_ROWS = "b_rows"


def _json_rows(types: _Types) -> Given:
    each = func.json_each(bindparam(_ROWS, type_=_JsonRows(*types.values()))).table_valued("value")
    places = [
        type_coerce(func.json_extract(each.c.value, literal_column(f"'$[{place}]'")), kind).label(name)
        for place, (name, kind) in enumerate(types.items())
    ]
    return dict(select(*places).select_from(each).subquery("given").c)


def _arrays(types: _Types) -> Given:
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    return dict(func.unnest(*arrays).table_valued(*columns).render_derived(name="given").c)
