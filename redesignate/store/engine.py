# SPDX-License-Identifier: Apache-2.0
"""Database engines: one for writing (READ COMMITTED), one for consistent reading (snapshots), per dialect.

SQLite runs in WAL with explicit BEGIN, so that a reader's snapshot lasts for its whole unit and a writer takes its
lock at the start. PyMySQL and psycopg get the isolation level once per connection.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

from redesignate.store.fast import as_sqlalchemy

WRITE = "READ COMMITTED"
READ = "REPEATABLE READ"


def normalised(url: str | URL) -> URL:
    """The URL with the driver that we ship: operators' mysql://, mysql+mysqldb://, postgresql:// and psycopg2 work."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "mysql" | "mariadb":
            if parsed.drivername in ("mysql", "mariadb", "mysql+mysqldb"):
                parsed = parsed.set(drivername="mysql+pymysql")
            if "charset" not in parsed.query:
                parsed = parsed.update_query_dict({"charset": "utf8mb4"})
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        case _:
            pass
    return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Connections and sessions, as the operator wants them. Times in seconds.

    sqlite_full   survive a power cut, not just a killed process (synchronous=FULL)
    mysql_sql_mode mysql_wsrep_sync_wait   set for each session; None: the server's own
    """

    pool_size: int = 5
    max_overflow: int = 50
    pool_timeout: float = 30
    pool_recycle: int = 3600
    sqlite_full: bool = False
    mysql_sql_mode: str | None = "TRADITIONAL"
    mysql_wsrep_sync_wait: int | None = None


def engine(url: str | URL, *, writes: bool, options: EngineOptions = EngineOptions()) -> Engine:  # frozen
    """An engine for one of the two kinds of work. Connects on first use."""
    parsed = normalised(url)
    pool: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": options.pool_size,
        "max_overflow": options.max_overflow,
        "pool_timeout": options.pool_timeout,
    }
    if parsed.get_backend_name() == "sqlite":
        made = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": 30}, **pool)
        _sqlite(made, writes=writes, synchronous="FULL" if options.sqlite_full else "NORMAL")
        return made
    level = WRITE if writes else READ
    made = create_engine(parsed, isolation_level=level, pool_recycle=options.pool_recycle, **pool)
    if parsed.get_backend_name() in ("mysql", "mariadb"):
        _mysql(made, options)
    return made


def _mysql(made: Engine, options: EngineOptions) -> None:
    settings: dict[str, str | int] = {}
    if options.mysql_sql_mode is not None:
        settings["sql_mode"] = options.mysql_sql_mode
    if options.mysql_wsrep_sync_wait is not None:
        settings["wsrep_sync_wait"] = options.mysql_wsrep_sync_wait

    @event.listens_for(made, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute(f"SET SESSION {name} = %s", (value,))


def _sqlite(made: Engine, *, writes: bool, synchronous: str) -> None:
    @event.listens_for(made, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not guess where transactions begin
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA case_sensitive_like = ON")  # LIKE compares by octet, as the other databases do here
        cursor.execute("PRAGMA wal_autocheckpoint = 8000")  # a checkpoint waits for the disk: fewer, larger ones
        cursor.close()

    @event.listens_for(made, "begin")
    def begin(connection: Any) -> None:
        # straight to the driver: the way through SQLAlchemy costs more than the statement
        try:
            connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error
