# SPDX-License-Identifier: Apache-2.0
"""The clock of leases and of when work is due: the database's, which all hosts share, read by the comparing statement.

So a central whose own clock is minutes wrong still grants leases of the same length as the others, and its work is due
when it should be. µs since 1970. SQLite has only one host, and uses the unit of work's clock: `now` is bound in every
statement.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from redesignate.store.clock import database_now


class lease_now(FunctionElement[int]):  # an SQL function, named as SQLAlchemy names them
    """The present time by this clock. Statements with it need the bind `now` (µs), which SQLite uses."""

    name = "lease_now"
    type = BigInteger()
    inherit_cache = True


@compiles(lease_now)
def _database(_element: lease_now, compiler: Any, **words: Any) -> str:
    text: str = compiler.process(database_now(), **words)
    return text


@compiles(lease_now, "sqlite")
def _sqlite(element: lease_now, compiler: Any, **words: Any) -> str:
    text: str = compiler.process(element.clauses, **words)
    return text


NOW = lease_now(bindparam("now", type_=BigInteger))
