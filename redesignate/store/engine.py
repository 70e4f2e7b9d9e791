# SPDX-License-Identifier: Apache-2.0
"""Database engines: one for writing (READ COMMITTED), one for consistent reading (snapshots), per dialect.

SQLite runs in WAL with explicit BEGIN, so that a reader's snapshot lasts for its whole unit and a writer takes its
lock at the start. The drivers of the others (MariaDB's and MySQL's: `mysql_driver`) get the isolation level once per
connection.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import PoolResetState, QueuePool

from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events
from redesignate.store.errors import disconnected
from redesignate.store.fast import as_sqlalchemy
from redesignate.store.mysql_driver import arguments, at_work, driven
from redesignate.store.poolguard import GALERA

log = events(__name__)

PAGE = 2048
"""Octets of a page of a new SQLite file. A change of one RRset touches a page of each of some fifty tables and indexes,
and writes whole pages: 8 % less CPU than with SQLite's 4096."""
WAL_OCTETS = 32_000_000
"""A checkpoint waits for the disk, so they are few and large."""
WAL_OCTETS_LEAST = 400_000
CHARSET = "utf8mb4"
_FORMS = (
    "sqlite:////var/lib/redesignate/redesignate.db, mysql+pymysql://user:password@host/redesignate or "
    "postgresql+psycopg://user:password@host/redesignate"
)
_COMMITTED = "redesignate committed"
WRITE = "READ COMMITTED"
READ = "REPEATABLE READ"


def normalised(url: str | URL) -> URL:
    """The URL with the driver that is used, and MySQL's with the character set of our tables. Raises Misconfigured.

    Operators' mysql://, mysql+mysqldb://, postgresql:// and psycopg2 work, and `?charset=utf8` does no harm.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # its text may contain a password
        raise Misconfigured(f"[storage:sqlalchemy] connection is not a database URL; write {_FORMS}.") from error
    match parsed.get_backend_name():
        case "mysql" | "mariadb":
            parsed = driven(parsed)
            if parsed.query.get("charset") != CHARSET:
                say_charset(parsed.query.get("charset"))
                parsed = parsed.update_query_dict({"charset": CHARSET})
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        case "sqlite":
            pass
        case other:
            raise Misconfigured(f"[storage:sqlalchemy] connection: {other} is not supported; write {_FORMS}.")
    return parsed


@functools.cache
def say_charset(given: object) -> None:
    """Log once, not for each engine, that the operator's character set is not used."""
    if given is not None:
        log.warning("the database URL's charset is replaced: the tables are utf8mb4", given=given, used=CHARSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """The operator's options for connections and sessions. Times in seconds.

    lock_wait_s   how long a statement waits for a row, a table, or SQLite's write lock
    idle_s        time after which the server ends a transaction whose process stopped while holding locks
    statement_s   the longest a statement may take; 0: any time
    sqlite_full   survive a power cut, not just a killed process (synchronous=FULL)
    mysql_sql_mode mysql_wsrep_sync_wait   set for each session; None: the server's own
    """

    pool_size: int = 10
    max_overflow: int = 45
    pool_timeout: float = 30
    pool_recycle: int = 3600
    lock_wait_s: int = 3
    idle_s: int = 30
    statement_s: int = 60
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
        settings = {"check_same_thread": False, "timeout": options.lock_wait_s}
        made = _made(parsed, connect_args=settings, **pool)
        _private(parsed.database)
        _sqlite(made, writes=writes, synchronous="FULL" if options.sqlite_full else "NORMAL")
        return made
    level = WRITE if writes else READ
    pool |= {"pool_recycle": options.pool_recycle, "pool_reset_on_return": None}  # `_reset` does it
    if parsed.get_backend_name() == "mysql":
        pool["connect_args"] = arguments(parsed, options.statement_s, writes=writes)
    made = _made(parsed, isolation_level=level, **pool)
    event.listen(made, "handle_error", disconnected)
    event.listen(made, "reset", _reset)
    if parsed.get_backend_name() == "postgresql":
        _postgresql(made, options)
    else:
        _mysql(made, options)
    return made


def _made(url: URL, **settings: Any) -> Engine:
    try:
        return create_engine(url, **settings)
    except (NoSuchModuleError, ImportError) as error:
        raise Misconfigured(
            f"[storage:sqlalchemy] connection: no driver for {url.drivername} is installed; write {_FORMS}."
        ) from error


_NOT_CHOSEN = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin")
"""Ways of PostgreSQL's that read much to answer with little. Every statement here has an index that finds its few rows,
or that a page of them is read in the order of; statistics that are old, or that say nothing of one large zone, make the
server prefer to read all."""


def _postgresql(made: Engine, options: EngineOptions) -> None:
    limits = {
        "lock_timeout": options.lock_wait_s,
        "idle_in_transaction_session_timeout": options.idle_s,
        "statement_timeout": options.statement_s,
    }
    chosen = {name: f"{seconds}s" for name, seconds in limits.items()} | dict.fromkeys(_NOT_CHOSEN, "off")
    # not as start-up parameters, which connection poolers refuse
    setting = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in chosen.items())

    @event.listens_for(made, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(setting)
        connection.commit()  # a setting made in a transaction is undone if that is rolled back


def _mysql(made: Engine, options: EngineOptions) -> None:
    settings: dict[str, str | int] = {
        "innodb_lock_wait_timeout": options.lock_wait_s,
        "lock_wait_timeout": options.lock_wait_s,
        "time_zone": "+00:00",  # so that the clock that leases are compared with repeats no hour
    }
    if options.mysql_sql_mode is not None:
        settings["sql_mode"] = options.mysql_sql_mode
    if options.mysql_wsrep_sync_wait is not None:
        settings["wsrep_sync_wait"] = options.mysql_wsrep_sync_wait
    in_mariadb = settings | {"idle_transaction_timeout": options.idle_s, "max_statement_time": options.statement_s}
    in_mysql = settings | {"max_execution_time": options.statement_s * 1000}

    @event.listens_for(made, "connect")
    def prepare(connection: Any, record: Any) -> None:
        chosen = in_mariadb if "mariadb" in connection.get_server_info().lower() else in_mysql
        with connection.cursor() as cursor:
            cursor.execute("SET " + ", ".join(f"SESSION {name} = %s" for name in chosen), tuple(chosen.values()))
            cursor.execute("SHOW VARIABLES LIKE 'wsrep_on'")
            record.info[GALERA] = ("wsrep_on", "ON") in cursor.fetchall()
        at_work(connection, made.url, options.statement_s)


def _sqlite(made: Engine, *, writes: bool, synchronous: str) -> None:
    @event.listens_for(made, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not guess where transactions begin
        octets = wal_octets(made.url.database)
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA page_size = {PAGE}")  # ignored where the file has its tables already
        cursor.execute("PRAGMA journal_mode = WAL")
        (page,) = cursor.execute("PRAGMA page_size").fetchone()
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA case_sensitive_like = ON")  # LIKE compares by octet, as the other databases do here
        cursor.execute(f"PRAGMA wal_autocheckpoint = {octets // page}")
        cursor.execute(f"PRAGMA journal_size_limit = {octets}")
        cursor.close()

    @event.listens_for(made, "begin")
    def begin(connection: Any) -> None:
        # straight to the driver: the way through SQLAlchemy costs more than the statement
        try:
            connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        except sqlite3.Error as error:
            raise as_sqlalchemy(error) from error


def committed(connection: Connection) -> None:
    """Note that the connection's last statement was a COMMIT that succeeded, and that it goes back to the pool now."""
    connection.info[_COMMITTED] = True


def _reset(driver: Any, record: Any, state: PoolResetState) -> None:
    """End whatever a connection that goes back to the pool has begun. After a COMMIT there is nothing, and the
    ROLLBACK that SQLAlchemy sends would be a round trip for each change."""
    clean = record.info.pop(_COMMITTED, False)
    if not clean and not state.transaction_was_reset:
        driver.rollback()


def _private(file: str | None) -> None:
    """Create a missing file for its owner only: it holds sealed secrets and everybody's zones. SQLite gives
    the files beside it the same rights."""
    if file and file != ":memory:":
        with contextlib.suppress(OSError):  # the file exists, or SQLite's own error is clearer
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def wal_octets(file: str | None) -> int:
    """Octets after which the write-ahead log is written back: at most an eighth of the disk's free space, since the
    log keeps growing while a reader or the rest of a transaction needs it."""
    if not file or file == ":memory:":
        return WAL_OCTETS
    try:
        free = shutil.disk_usage(Path(file).parent).free
    except OSError:
        return WAL_OCTETS
    return min(WAL_OCTETS, max(WAL_OCTETS_LEAST, free // 8))


def make_room(made: Engine) -> None:
    """Write SQLite's log back and free its space, after the disk was full. Its connections are replaced, since
    they measure the space; a later call does what cannot be done now."""
    with contextlib.suppress(DBAPIError), made.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        with contextlib.suppress(sqlite3.Error):
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    made.dispose()
