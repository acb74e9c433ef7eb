"""A statement that every mail costs, compiled once: straight to SQLite where statements run inline, else as any other.

SQLAlchemy's way through one execution takes longer than SQLite takes for the rows. What goes in still passes through
the types of the schema, so a row looks the same whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from alerts.storage.inline_sqlite import InlineConnection

_Process = Callable[[Any], Any]


class Prepared:
    """One statement with named parameters, all of which each execution gives."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._sql = ""
        self._places: list[tuple[str, object, _Process | None]] = []

    async def write(self, tx: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute it for every row; return how many rows of the table it changed."""
        driver = await _inline(tx)
        if driver is None:
            done = await tx.execute(self._statement, list(rows), execution_options={"preserve_rowcount": True})
            return done.rowcount
        return driver.write(self._text(), [self._filled(row) for row in rows])

    async def column(self, tx: AsyncConnection, parameters: Mapping[str, Any]) -> list[Any]:
        """Execute it and return the first column, which must need no translation."""
        driver = await _inline(tx)
        if driver is None:
            return list((await tx.execute(self._statement, dict(parameters))).scalars().all())
        return [row[0] for row in driver.read(self._text(), self._filled(parameters))]

    def _text(self) -> str:
        if not self._sql:
            self._compile()
        return self._sql

    def _compile(self) -> None:
        dialect = sqlite_dialect(paramstyle="qmark")
        assert isinstance(self._statement, ClauseElement)  # noqa: S101 - whatever Core builds is one
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - as above
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._places.append((name, bind.value, process))
        self._sql = compiled.string

    def _filled(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(
            [
                process(row.get(name, fixed)) if process is not None else row.get(name, fixed)
                for name, fixed, process in self._places
            ]
        )


async def _inline(tx: AsyncConnection) -> InlineConnection | None:
    driver = (await tx.get_raw_connection()).driver_connection
    return driver if isinstance(driver, InlineConnection) else None
