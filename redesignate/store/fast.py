# SPDX-License-Identifier: Apache-2.0
"""Runs statements of the hot path directly in SQLite's driver.

On SQLite a statement runs in a few microseconds, and SQLAlchemy takes ten times as long. A statement that
is built once (see `store.zones`) is compiled once here and passed to the driver as text; its rows are named tuples.
Over a network the difference does not matter, so every other database uses SQLAlchemy, with the same statement
and the same result.
"""

from __future__ import annotations

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import Select

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Module:
    """A part of the store, bound to the connection of one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn


class Rows:
    """The result of a statement: the part of SQLAlchemy's result that the store uses."""

    __slots__ = ("_cursor", "_make", "rowcount")

    def __init__(self, cursor: sqlite3.Cursor, make: Callable[[tuple[Any, ...]], Any]) -> None:
        self._cursor = cursor
        self._make = make
        self.rowcount = cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return map(self._make, self._cursor)

    def first(self) -> Any:
        """The first row, or None."""
        row = self._cursor.fetchone()
        self._cursor.close()
        return None if row is None else self._make(row)

    def scalar(self) -> Any:
        """The first row's first value, or None."""
        row = self._cursor.fetchone()
        self._cursor.close()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        """The first row's first value; there is one."""
        value = self.scalar()
        assert value is not None
        return value

    def scalars(self) -> list[Any]:
        """Every row's first value."""
        return [row[0] for row in self._cursor]


class _Prepared:
    """One statement, compiled for SQLite. Its lists (`IN`) are written out at each run."""

    __slots__ = ("_defaults", "_lists", "_make", "_names", "_sql")

    def __init__(self, statement: Executable) -> None:
        compiled: Any = statement.compile(dialect=sqlite_dialect(paramstyle="qmark"))  # type: ignore[attr-defined]
        self._sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._defaults: dict[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}
        self._lists = frozenset(re.findall(r"__\[POSTCOMPILE_(\w+)\]", self._sql))
        self._make: Callable[[tuple[Any, ...]], Any] = tuple
        if isinstance(statement, Select):
            made: Any = namedtuple("Row", [column.key for column in statement.selected_columns])  # type: ignore[misc]
            self._make = made._make

    def run(self, conn: Connection, parameters: Parameters) -> Rows:
        """Execute with one set of parameters, or with a list of sets. It notifies listeners of the engine."""
        driver: Any = conn.connection.dbapi_connection
        heard = conn.engine.dispatch.before_cursor_execute
        if not isinstance(parameters, Mapping):
            rows = [self._values(given) for given in parameters]
            if heard:
                heard(conn, None, self._sql, rows, None, True)
            return Rows(driver.executemany(self._sql, rows), self._make)
        sql, values = self._written_out(parameters) if self._lists else (self._sql, self._values(parameters))
        if heard:
            heard(conn, None, sql, tuple(values), None, False)
        return Rows(driver.execute(sql, values), self._make)

    def _values(self, given: Mapping[str, Any]) -> list[Any]:
        defaults = self._defaults
        return [given[name] if name in given else defaults[name] for name in self._names]

    def _written_out(self, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
        sql = self._sql
        values: list[Any] = []
        for name, value in zip(self._names, self._values(given), strict=True):
            values += value if name in self._lists else [value]
        for name in self._lists:
            sql = sql.replace(f"__[POSTCOMPILE_{name}]", ",".join("?" * len(given[name])))
        return sql, values


_DIALECT = sqlite_dialect()
_prepared: dict[Executable, _Prepared] = {}


def run(conn: Connection, statement: Executable, parameters: Parameters) -> Any:
    """Execute a statement that its module keeps, with every bind given by name. Raises as SQLAlchemy would.

    Returns SQLAlchemy's result, or on SQLite `Rows`.
    """
    if conn.dialect.name != "sqlite":
        return conn.execute(statement, parameters)
    prepared = _prepared.get(statement)
    if prepared is None:
        prepared = _prepared[statement] = _Prepared(statement)
    if not conn.in_transaction():
        conn.begin()
    try:
        return prepared.run(conn, parameters)
    except sqlite3.Error as error:
        raise as_sqlalchemy(error) from error


def as_sqlalchemy(error: sqlite3.Error) -> Exception:
    """An error of SQLite's driver, as SQLAlchemy would raise it: for statements run directly in the driver."""
    return DBAPIError.instance(None, None, error, sqlite3.Error, dialect=_DIALECT)
