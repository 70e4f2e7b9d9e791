# SPDX-License-Identifier: Apache-2.0
"""Database engines: one for writing (READ COMMITTED), one for consistent reading (snapshots), per dialect.

SQLite runs in WAL with explicit BEGIN, so that a reader's snapshot lasts for its whole unit and a writer takes its
lock at the start. PyMySQL and psycopg get the isolation level once per connection.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

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


def engine(
    url: str | URL,
    *,
    writes: bool,
    pool_size: int = 5,
    max_overflow: int = 50,
    pool_timeout: float = 30,
    pool_recycle: int = 3600,
    sqlite_full: bool = False,
) -> Engine:
    """An engine for one of the two kinds of work. Connects on first use.

    sqlite_full   survive a power cut, not just a killed process (synchronous=FULL)
    """
    parsed = normalised(url)
    pool: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_timeout": pool_timeout,
    }
    if parsed.get_backend_name() == "sqlite":
        made = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": 30}, **pool)
        _sqlite(made, writes=writes, synchronous="FULL" if sqlite_full else "NORMAL")
        return made
    return create_engine(parsed, isolation_level=WRITE if writes else READ, pool_recycle=pool_recycle, **pool)


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
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
