# SPDX-License-Identifier: Apache-2.0
"""The database's clock, the one that all hosts share, as an expression of each dialect.

Microseconds since 1970. It is read while the statement runs, so that a statement that waited for a lock does not
answer with the time of its start. SQLite has no clock of its own: it uses this machine's, in milliseconds.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class database_now(FunctionElement[int]):  # an SQL function, named as SQLAlchemy names them
    """The present time, by the database's clock (µs)."""

    name = "database_now"
    type = BigInteger()
    inherit_cache = True


@compiles(database_now)
def _sqlite(_element: database_now, _compiler: Any, **_words: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


@compiles(database_now, "postgresql")
def _postgresql(_element: database_now, _compiler: Any, **_words: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"


@compiles(database_now, "mysql", "mariadb")
def _mysql(_element: database_now, _compiler: Any, **_words: Any) -> str:
    return "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"
