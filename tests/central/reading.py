# SPDX-License-Identifier: Apache-2.0
"""How much a database reads for a use-case, by its own counters: the same on a fast machine and on a busy one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from redesignate.store.unit import Store

_TICK = 50
"""Instructions of SQLite's machine that count as a row: about as many as a short row takes to look at, and write."""
_OF_MYSQL = "SHOW SESSION STATUS LIKE 'Handler_read%'"
_OF_POSTGRESQL = (
    "SELECT COALESCE(SUM(pg_stat_get_xact_tuples_returned(oid)), 0) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace"
)


class Reading:
    """Counts the rows and index entries that all statements of a store read. Make it before the store is used."""

    def __init__(self, store: Store) -> None:
        self.rows = 0
        self._before = 0
        kind = store.engine.dialect.name
        for engine in store.engines:
            if kind == "sqlite":
                event.listen(engine, "connect", self._count_ticks)
                continue
            self._read = _of_postgresql if kind == "postgresql" else _of_mysql
            event.listen(engine, "begin", self._begin)
            event.listen(engine, "commit", self._end)
            event.listen(engine, "rollback", self._end)

    def of(self, act: Callable[[], object]) -> int:
        """How much is read while this runs."""
        before = self.rows
        act()
        return self.rows - before

    def _count_ticks(self, driver: Any, _record: Any) -> None:
        def tick() -> int:
            self.rows += 1
            return 0

        driver.set_progress_handler(tick, _TICK)

    def _begin(self, conn: Connection) -> None:
        self._read(conn)  # to ask is to read, on MariaDB
        self._before = self._read(conn)

    def _end(self, conn: Connection) -> None:
        self.rows += self._read(conn) - self._before


def _of_mysql(conn: Connection) -> int:
    cursor: Any = conn.connection.cursor()
    cursor.execute(_OF_MYSQL)
    return sum([int(value) for _, value in cursor.fetchall()])


def _of_postgresql(conn: Connection) -> int:
    """Of this transaction, and of those before it that the server has not added to its statistics yet."""
    cursor: Any = conn.connection.cursor()
    cursor.execute(_OF_POSTGRESQL)
    return int(cursor.fetchone()[0])
