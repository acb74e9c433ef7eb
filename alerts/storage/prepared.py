"""A statement that every mail costs, compiled once: straight to the driver in senders, else through SQLAlchemy.

SQLAlchemy's way through one execution, and one row, takes longer than SQLite takes for it. What goes in and out still
passes through the types of the schema, a column at a time, so a row looks the same whoever wrote or reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Executable, Text, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from alerts.storage.direct_postgresql import DirectTransaction
from alerts.storage.inline_sqlite import InlineConnection

_Process = Callable[[Any], Any]

#: A transaction for prepared statements: SQLAlchemy's, or a driver's own.
Transaction = AsyncConnection | InlineConnection | DirectTransaction


class Prepared:
    """One statement; ``names`` are its parameters, in the order in which they are given at each execution.

    ``whole``: the same for many rows as one statement, with an array for each parameter; where a database has arrays,
    it takes a fraction of the time that as many statements take.
    """

    def __init__(self, statement: Executable, *names: str, whole: Executable | None = None) -> None:
        self._statement = statement
        self._names = names
        self._whole = Prepared(whole, *names) if whole is not None else None
        self._compiled: dict[str, _Compiled] = {}  # by dialect

    async def write(self, tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute it for every row; return how many rows of the table it changed."""
        if not rows:
            return 0
        driver = await _driver(tx)
        if self._whole is not None and has_arrays(tx):
            return await self._whole.write(tx, [tuple(map(list, zip(*rows, strict=True)))])
        if isinstance(driver, InlineConnection):
            compiled = self._for("sqlite")
            return driver.write(compiled.sql, compiled.bound(rows))
        if isinstance(driver, DirectTransaction):
            compiled = self._for("postgresql")
            return await driver.write(compiled.sql, compiled.bound(rows))
        named = [dict(zip(self._names, row, strict=True)) for row in rows]
        return (await driver.execute(self._statement, named, execution_options={"preserve_rowcount": True})).rowcount

    async def rows(self, tx: Transaction, *values: Any) -> list[Any]:
        """Execute it once and return its rows, tuples of what the schema's types say."""
        driver = await _driver(tx)
        if isinstance(driver, InlineConnection):
            compiled = self._for("sqlite")
            return compiled.told(driver.read(compiled.sql, next(iter(compiled.bound([values])))))
        if isinstance(driver, DirectTransaction):
            compiled = self._for("postgresql")
            return compiled.told(await driver.read(compiled.sql, next(iter(compiled.bound([values])))))
        return list((await driver.execute(self._statement, dict(zip(self._names, values, strict=True)))).all())

    async def column(self, tx: Transaction, *values: Any) -> list[Any]:
        """Execute it once and return its first column."""
        return [row[0] for row in await self.rows(tx, *values)]

    def _for(self, dialect: str) -> _Compiled:
        if dialect not in self._compiled:
            self._compiled[dialect] = _Compiled(self._statement, self._names, _DIALECTS[dialect]())
        return self._compiled[dialect]


class _Compiled:
    """A statement as a driver takes it: its text, and how values are laid out and read."""

    def __init__(self, statement: Executable, names: Sequence[str], dialect: Dialect) -> None:
        assert isinstance(statement, ClauseElement)  # noqa: S101 - whatever Core builds is one
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - as above
        self.sql = compiled.string
        self._places: list[tuple[int | None, object, _Process | None]] = []  # which parameter, or which fixed value
        self._translated: list[tuple[int, _Process]] = []  # columns that the driver does not give as they are
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            place = names.index(bind.key) if bind.key in names else None
            process: _Process | None = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._places.append((place, bind.value, process))
        for place, column in enumerate(compiled._result_columns):  # noqa: SLF001 - there is no public name for it
            translate = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if translate is not None:
                self._translated.append((place, translate))

    def bound(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Lay values out as the text asks for them."""
        given = list(zip(*rows, strict=True))
        asked = []
        for place, fixed, process in self._places:
            values: Sequence[Any] = given[place] if place is not None else (fixed,) * len(rows)
            asked.append(_each(values, process) if process is not None else values)
        return list(zip(*asked, strict=True)) if asked else [()] * len(rows)

    def told(self, found: list[Any]) -> list[Any]:
        """Turn rows as the driver gives them into what the schema's types say."""
        if not found or not self._translated:
            return found
        columns: list[Sequence[Any]] = list(zip(*found, strict=True))
        for place, process in self._translated:
            columns[place] = _each(columns[place], process)
        return list(zip(*columns, strict=True))


_DIALECTS: dict[str, Callable[[], Dialect]] = {
    "sqlite": lambda: sqlite_dialect(paramstyle="qmark"),
    "postgresql": lambda: PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]
}


async def _driver(tx: Transaction) -> Transaction:
    """Give what executes: the driver itself, where a transaction is its, or only wraps what runs inline."""
    if not isinstance(tx, AsyncConnection):
        return tx
    driver = (await tx.get_raw_connection()).driver_connection
    return driver if isinstance(driver, InlineConnection) else tx


def has_arrays(tx: Transaction) -> bool:
    """Say whether the database takes an array as one parameter."""
    return isinstance(tx, DirectTransaction) or (isinstance(tx, AsyncConnection) and tx.dialect.name == "postgresql")


def _each(values: Sequence[Any], process: _Process) -> list[Any]:
    """Translate a column, each of its values once: the times of one fan-out are mostly the same."""
    try:
        known = {value: process(value) for value in set(values)}
    except TypeError:  # lists, as in IN (…), cannot be told apart so
        return [process(value) for value in values]
    return [known[value] for value in values]


class _Keys(TypeDecorator[Collection[int]]):
    """Any number of keys as one parameter: JSON on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Say what the database takes."""
        return dialect.type_descriptor(ARRAY(BigInteger()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Collection[int] | None, dialect: Dialect) -> Any:
        """Turn keys into what the database takes."""
        keys = list(value or ())
        return keys if dialect.name == "postgresql" else json.dumps(keys)


class _EachOf(FunctionElement[int]):
    """The keys of such a parameter as rows."""

    inherit_cache = True


@compiles(_EachOf, "sqlite")
def _as_json_rows(element: _EachOf, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"  # noqa: S608 - a placeholder


@compiles(_EachOf, "postgresql")
def _as_array_rows(element: _EachOf, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **kw)}))"


def among(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """Ask for a key that is one of the parameter ``name``: one statement however many they are.

    PostgreSQL looks a thousand parameters of an IN (…) through for each row that it considers; rows it joins.
    """
    return column.op("IN", is_comparison=True)(_EachOf(bindparam(name, type_=_Keys())))
