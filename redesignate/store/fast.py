# SPDX-License-Identifier: Apache-2.0
"""The one way to run a statement: built once as a constant of its module, and run with its binds given by name.

`run(conn, STATEMENT, {"bind": value})` compiles a statement once for each database and passes it to the driver as text;
its rows are named tuples. SQLAlchemy takes longer to build, hash and run a statement, and to describe its result, than
SQLite takes to carry it out, and as long as PyMySQL takes to send it. Errors and lost connections are handled as by
SQLAlchemy; columns come as the driver has them (on SQLite and MariaDB a boolean is a number).

`at_once` is for pages of rows, `stream` for rows that may be too many for memory, `insert` for very many that are
written. `conn.execute` is for statements whose text depends on what is asked (the filters of a list), and for what an
operator or a sweep does now and then. What this module needs of SQLAlchemy's inside is held by
`tests/store/test_fast.py`.
"""

from __future__ import annotations

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Generator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Dialect, Executable, Select, Table, func, select
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.exc import DBAPIError

Parameters = dict[str, Any] | Sequence[dict[str, Any]]


@dataclass
class Module:
    """A part of the store, bound to the connection of one transaction."""

    _conn: Connection


class Rows(list[Any]):
    """The rows of a statement: the part of SQLAlchemy's result that the store uses.

    rowcount  how many rows an UPDATE or DELETE matched; not set where rows are returned
    """

    __slots__ = ("rowcount",)
    rowcount: int

    def first(self) -> Any:
        """The first row, or None."""
        return self[0] if self else None

    def scalar(self) -> Any:
        """The first row's first value, or None."""
        return self[0][0] if self else None

    def scalar_one(self) -> Any:
        """The first row's first value; there is one."""
        return self[0][0]

    def scalars(self) -> list[Any]:
        """Every row's first value."""
        return [row[0] for row in self]


class _Prepared(NamedTuple):
    """One statement, compiled for one database.

    defaults  the binds that the statement itself has values for
    lists     the binds of `IN`: they are written out at each run, each value as `bind`
    make      makes a row of a tuple; None where the statement returns none
    """

    sql: str
    defaults: dict[str, Any]
    lists: tuple[str, ...]
    bind: str
    make: Callable[[tuple[Any, ...]], Any] | None


MOST_BINDS = 999
"""Values of one statement that inserts many rows: SQLite before 3.32 takes no more."""
_NAMED = {"sqlite": ("named", ":{}_{}"), "postgresql": ("pyformat", "%({}_{})s"), "mysql": ("pyformat", "%({}_{})s")}
"""How a driver takes binds by name: SQLAlchemy's word for it, and the bind of one value of a list."""
_prepared: dict[tuple[Executable, str, Any], _Prepared] = {}


def _prepare(statement: Executable, dialect: Dialect) -> _Prepared:
    by_name: Any = copy(dialect)
    by_name.paramstyle, bind = _NAMED["mysql" if dialect.name == "mariadb" else dialect.name]
    by_name.positional = False
    compiled: Any = statement.compile(dialect=by_name)  # type: ignore[attr-defined]  # every statement of ours has it
    sql = str(compiled)
    defaults = {name: value for name, value in compiled.params.items() if value is not None}
    columns: Any = getattr(statement, "exported_columns", ())
    row: Any = namedtuple("Row", [column.key for column in columns], rename=True)  # type: ignore[misc]
    lists = tuple(re.findall(r"__\[POSTCOMPILE_(\w+)\]", sql))
    return _Prepared(sql, defaults, lists, bind, row._make if row._fields else None)


def run(conn: Connection, statement: Executable, parameters: Parameters) -> Rows:
    """Execute a statement that its module keeps, with every bind given by name. Raises as SQLAlchemy would.

    Several sets of parameters are for a write that returns no rows. Cost: one statement; for several updates or
    deletes one each, in one message, through PyMySQL one message each.
    """
    dialect = conn.dialect
    known = (statement, dialect.name, dialect.server_version_info)
    prepared = _prepared.get(known)
    if prepared is None:
        prepared = _prepared[known] = _prepare(statement, dialect)
    sql, defaults, lists, bind, make = prepared
    given: Any
    many = False
    if isinstance(parameters, dict):
        given = defaults | parameters if defaults or lists else parameters
    else:
        given = [defaults | one for one in parameters]
        many = len(given) > 1
        if not many:
            given = given[0]
    if lists:
        sql = _written_out(sql, lists, given, bind)
    if not conn.in_transaction():
        conn.begin()
    heard = conn.engine.dispatch.before_cursor_execute
    if heard:
        heard(conn, None, sql, given, None, many)
    driver: Any = conn.connection.dbapi_connection
    cursor: Any = None
    try:
        cursor = driver.cursor()
        (cursor.executemany if many else cursor.execute)(sql, given)
        if make is not None:
            return Rows(map(make, cursor.fetchall()))
        rows = Rows()
        rows.rowcount = cursor.rowcount
        return rows
    except BaseException as error:  # noqa: BLE001  # as SQLAlchemy: wrapped; a lost connection is dropped with its pool
        conn._handle_dbapi_exception(error, sql, given, cursor, None)


def insert(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert very many rows, each with the values of these columns in this order. Raises as SQLAlchemy would.

    Cost  on SQLite a statement for each MOST_BINDS: the driver lets other threads run once a statement, not once a row
    """
    if not conn.in_transaction():
        conn.begin()
    sqlite, quote = conn.dialect.name == "sqlite", conn.dialect.identifier_preparer.quote
    head = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))}) VALUES "
    one = f"({', '.join(['?' if sqlite else '%s'] * len(columns))})"
    together = MOST_BINDS // len(columns) if sqlite else len(rows)
    heard = conn.engine.dispatch.before_cursor_execute
    if heard and rows:
        heard(conn, None, head + one, rows, None, len(rows) > 1)
    driver: Any = conn.connection.dbapi_connection
    cursor: Any = None
    try:
        cursor = driver.cursor()
        for at in range(0, len(rows), together or 1):
            some = rows[at : at + together]
            if sqlite:
                cursor.execute(head + ",".join([one] * len(some)), [value for row in some for value in row])
            else:
                cursor.executemany(head + one, some)
    except BaseException as error:  # noqa: BLE001  # as in `run`
        conn._handle_dbapi_exception(error, head + one, None, cursor, None)


_decode = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


def at_once(conn: Connection, statement: Select[Any], given: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    """The rows of a query of texts and whole numbers, each column with a name of its own. Raises as `run` does.

    On SQLite they come as one: its driver lets another thread run at each row, and a page of a hundred rows is read in
    half of the time. Cost: one statement
    """
    if conn.dialect.name != "sqlite":
        return run(conn, statement, given)
    return _decode(run(conn, _as_one(statement), given).scalar_one())


@cache
def _as_one(statement: Select[Any]) -> Select[Any]:
    rows = statement.subquery("page")
    return select(func.json_group_array(func.json_array(*rows.c)))


def stream(
    conn: Connection, statement: Executable, given: dict[str, Any], most: int
) -> Generator[Sequence[Any], None, None]:
    """Yield the rows of such a statement, one without lists, `most` at a time, so that they need not fit in memory.

    Raises as SQLAlchemy would. Cost: one statement; on SQLite rows are the driver's tuples: half of SQLAlchemy's time.
    """
    dialect = conn.dialect
    if dialect.name != "sqlite":  # SQLAlchemy knows how each driver streams
        options = {"stream_results": True, "max_row_buffer": most}
        with conn.execute(statement, given, execution_options=options) as result:
            yield from result.partitions(most)
        return
    known = (statement, dialect.name, dialect.server_version_info)
    prepared = _prepared.get(known)
    if prepared is None:
        prepared = _prepared[known] = _prepare(statement, dialect)
    if not conn.in_transaction():
        conn.begin()
    driver: Any = conn.connection.dbapi_connection
    cursor = driver.cursor()
    try:
        cursor.execute(prepared.sql, prepared.defaults | given)
        while rows := cursor.fetchmany(most):
            yield rows
    except sqlite3.Error as error:
        conn._handle_dbapi_exception(error, prepared.sql, given, cursor, None)
    finally:
        cursor.close()


def _written_out(sql: str, lists: Sequence[str], given: dict[str, Any], bind: str) -> str:
    """The text with each value of the lists as a bind, which is put into `given`."""
    for name in lists:
        values = given.pop(name)
        binds = [bind.format(name, at) for at in range(len(values))]
        sql = sql.replace(f"__[POSTCOMPILE_{name}]", ",".join(binds) or "NULL")
        given.update({f"{name}_{at}": value for at, value in enumerate(values)})
    return sql


_DIALECT = sqlite_dialect()


def as_sqlalchemy(error: sqlite3.Error) -> Exception:
    """An error of SQLite's driver, as SQLAlchemy would raise it: for statements run directly in the driver."""
    return DBAPIError.instance(None, None, error, sqlite3.Error, dialect=_DIALECT)
