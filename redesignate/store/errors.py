# SPDX-License-Identifier: Apache-2.0
"""Classifies errors of the database: run the transaction again, answer 503, or a bug in this code (500).

One table a database, by the number or code that its server sends. Any other error is a bug in this code, unless
the connection was refused or lost. Texts are for API users: they state the problem, never a server's own words.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from enum import Enum
from typing import Any, NoReturn

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from redesignate.model.errors import Problem, Unavailable
from redesignate.observe.log import events

log = events(__name__)


class Meaning(Enum):
    """The reaction to an error.

    AGAIN    the transaction lost a race and was undone: run it again
    BROKEN   the connection is lost, or leads to a server that accepts no work: run it again on a new one
    NOT_NOW  waiting, or the operator, helps: 503
    OURS     a bug in this code: 500
    """

    AGAIN = "again"
    BROKEN = "broken"
    NOT_NOW = "not now"
    OURS = "ours"


CROWDED = "The zone is being changed by too many requests at once; retry."
AGAIN = frozenset({Meaning.AGAIN, Meaning.BROKEN})
"""The meanings for which running the transaction again may help."""
Said = tuple[Meaning, str]
_RACE = (Meaning.AGAIN, "too many changes at once")
_LOST = (Meaning.BROKEN, "the connection was lost")
_READ_ONLY = (Meaning.NOT_NOW, "it is read-only")
_FULL = (Meaning.NOT_NOW, "its disk is full")
_MEMORY = (Meaning.NOT_NOW, "it is out of memory or locks")
_BUSY = (Meaning.NOT_NOW, "it has too many connections")
_SLOW = (Meaning.NOT_NOW, "the statement took too long")
_LOGIN = (Meaning.NOT_NOW, "it refuses the login")
_STOPPING = (Meaning.NOT_NOW, "it is starting or stopping")
_STORAGE = (Meaning.NOT_NOW, "its storage failed")
_LOCKED = (Meaning.AGAIN, "it is locked by another process")
_UNREACHABLE = (Meaning.NOT_NOW, "it cannot be reached")
_NO_TLS = (Meaning.NOT_NOW, "TLS failed")
_UNNAMED = (Meaning.NOT_NOW, "it has no database of this name")

MYSQL: Mapping[int, Said] = {
    3: _STORAGE,  # EE_WRITE; MariaDB sends its global errors under their own numbers
    5: _MEMORY,  # EE_OUTOFMEMORY
    20: _FULL,  # EE_DISK_FULL
    1020: _RACE,  # ER_CHECKREAD: the snapshot was overtaken (innodb_snapshot_isolation)
    1021: _FULL,  # ER_DISK_FULL
    1026: _STORAGE,  # ER_ERROR_ON_WRITE
    1028: _SLOW,  # ER_FILSORT_ABORT: stopped in the middle of a sort
    1030: _STORAGE,  # ER_GET_ERRNO: the storage engine's number stands in the text
    1036: _READ_ONLY,  # ER_OPEN_AS_READONLY
    1037: _MEMORY,  # ER_OUTOFMEMORY
    1038: _MEMORY,  # ER_OUT_OF_SORTMEMORY
    1040: _BUSY,  # ER_CON_COUNT_ERROR
    1041: _MEMORY,  # ER_OUT_OF_RESOURCES
    1044: _LOGIN,  # ER_DBACCESS_DENIED_ERROR
    1045: _LOGIN,  # ER_ACCESS_DENIED_ERROR
    1047: (Meaning.BROKEN, "its cluster node has no quorum"),  # ER_UNKNOWN_COM_ERROR, Galera: node not prepared
    1049: _UNNAMED,  # ER_BAD_DB_ERROR
    1053: (Meaning.BROKEN, "it is shutting down"),  # ER_SERVER_SHUTDOWN
    1114: _FULL,  # ER_RECORD_FILE_FULL: the tablespace may not grow
    1129: _LOGIN,  # ER_HOST_IS_BLOCKED
    1130: _LOGIN,  # ER_HOST_NOT_PRIVILEGED
    1135: _MEMORY,  # ER_CANT_CREATE_THREAD
    1180: (Meaning.BROKEN, "its cluster lost its quorum"),  # ER_ERROR_DURING_COMMIT, Galera: write not replicated
    1203: _BUSY,  # ER_TOO_MANY_USER_CONNECTIONS
    1205: _RACE,  # ER_LOCK_WAIT_TIMEOUT
    1206: _MEMORY,  # ER_LOCK_TABLE_FULL
    1213: _RACE,  # ER_LOCK_DEADLOCK; Galera: a certification lost
    1223: (Meaning.NOT_NOW, "it is locked for a backup"),  # ER_CANT_UPDATE_WITH_READLOCK
    1226: _BUSY,  # ER_USER_LIMIT_REACHED

    1290: _READ_ONLY,  # ER_OPTION_PREVENTS_STATEMENT: --read-only
    1317: _SLOW,  # ER_QUERY_INTERRUPTED: the operator's KILL QUERY
    1412: _RACE,  # ER_TABLE_DEF_CHANGED: the schema was upgraded meanwhile
    1615: _RACE,  # ER_NEED_REPREPARE
    1637: _BUSY,  # ER_TOO_MANY_CONCURRENT_TRXS
    1698: _LOGIN,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    1792: _READ_ONLY,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    1836: _READ_ONLY,  # ER_READ_ONLY_MODE
    1878: _FULL,  # ER_TEMP_FILE_WRITE_FAILURE
    1927: _LOST,  # ER_CONNECTION_KILLED
    1969: _SLOW,  # ER_STATEMENT_TIMEOUT (MariaDB: max_statement_time)
    2002: _UNREACHABLE,  # CR_CONNECTION_ERROR
    2003: _UNREACHABLE,  # CR_CONN_HOST_ERROR
    2005: (Meaning.NOT_NOW, "its host name is unknown"),  # CR_UNKNOWN_HOST
    2006: _LOST,  # CR_SERVER_GONE_ERROR
    2013: _LOST,  # CR_SERVER_LOST
    2014: _LOST,  # CR_COMMANDS_OUT_OF_SYNC
    2026: _NO_TLS,  # CR_SSL_CONNECTION_ERROR: no TLS; mysqlclient's for a connection over TLS that is lost, too
    2055: _LOST,  # CR_SERVER_LOST_EXTENDED
    3024: _SLOW,  # ER_QUERY_TIMEOUT (MySQL: max_execution_time)
    3100: (Meaning.NOT_NOW, "its replication refused the change"),  # ER_RUN_HOOK_ERROR (group replication)
    3101: _RACE,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT (group replication: a certification lost)
    4031: _LOST,  # ER_CLIENT_INTERACTION_TIMEOUT (MySQL)
}  # fmt: skip
"""MariaDB's and MySQL's numbers. 2002 to 2055 are the client library's."""

POSTGRES: Mapping[str, Said] = {
    "08": _LOST,  # connection exception
    "25006": _READ_ONLY,  # read_only_sql_transaction: a standby, or default_transaction_read_only
    "25P03": _LOST,  # idle_in_transaction_session_timeout
    "25P04": _LOST,  # transaction_timeout
    "28": _LOGIN,  # invalid authorization
    "3D000": _UNNAMED,
    "40001": _RACE,  # serialization_failure; on a standby: a conflict with recovery
    "40P01": _RACE,  # deadlock_detected
    "53": (Meaning.NOT_NOW, "it is out of resources"),
    "53100": _FULL,
    "53200": _MEMORY,
    "53300": _BUSY,
    "55P03": _RACE,  # lock_not_available: lock_timeout
    "57014": _SLOW,  # query_canceled: statement_timeout
    "57P01": _LOST,  # admin_shutdown
    "57P02": _LOST,  # crash_shutdown
    "57P03": _STOPPING,  # cannot_connect_now
    "57P05": _LOST,  # idle_session_timeout
    "58": _STORAGE,  # system error: I/O
}
"""PostgreSQL's SQLSTATEs; two characters stand for a class, if no code of it is listed."""

SQLITE: Mapping[int, Said] = {
    sqlite3.SQLITE_PERM: (Meaning.NOT_NOW, "its file may not be opened"),
    sqlite3.SQLITE_BUSY: _LOCKED,  # the statement has waited for `lock_wait_s`
    sqlite3.SQLITE_BUSY_SNAPSHOT: _RACE,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_INTERRUPT: _SLOW,
    sqlite3.SQLITE_IOERR: _STORAGE,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CANTOPEN: (Meaning.NOT_NOW, "its file cannot be opened"),
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
}
"""SQLite's result codes; a primary code stands for its extended ones, if none of them is listed."""

_OF_FILE = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
_OURS: Said = (Meaning.OURS, "")


_CONNECTION_ERROR = 2002
_REFUSED_BEFORE_TLS = re.compile(r"cannot be verified: (\d{4}) - ")
"""The server's own number, in the text of Connector/C: the server had no connection to spare for its TLS, for one."""


def said(error: DBAPIError) -> Said:
    """The meaning of an error, and the problem in words."""
    found = _named(error.orig)
    if error.connection_invalidated and (found is None or found is _NO_TLS):
        return _LOST
    if found is not None:
        return found
    connecting = error.statement is None and isinstance(error, (OperationalError, InterfaceError))
    return _UNREACHABLE if connecting and not isinstance(error.orig, sqlite3.Error) else _OURS


def _named(original: BaseException | None) -> Said | None:
    """The table's line for a driver's error."""
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", 0)  # none if the error is the driver's own
        return SQLITE.get(code) or SQLITE.get(code & 0xFF)
    number = original.args[0] if original is not None and original.args else None
    if isinstance(number, int):  # PyMySQL; its newer versions know SQLSTATEs too, but 1205's is that of any error
        within = _REFUSED_BEFORE_TLS.search(str(original)) if number == _CONNECTION_ERROR else None
        return MYSQL.get(int(within[1]) if within else number)
    state = getattr(original, "sqlstate", None)
    return None if state is None else POSTGRES.get(state) or POSTGRES.get(state[:2])


def reconnects(original: BaseException) -> bool:
    """Whether only a new connection may reach a server that accepts work: this one is lost, or another node is meant
    (Galera's next, the new primary)."""
    found = _named(original)
    return found is not None and (found[0] is Meaning.BROKEN or found is _READ_ONLY or found is _NO_TLS)


def unsure(error: DBAPIError) -> bool:
    """Whether the change may have been saved though its COMMIT ended in this error."""
    found = said(error)
    return found[0] in (Meaning.BROKEN, Meaning.NOT_NOW) and found is not _READ_ONLY


def is_of_file(error: DBAPIError) -> bool:
    """Whether SQLite cannot use its file: no database, not to be opened, not to be written."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _OF_FILE


def is_full(error: DBAPIError) -> bool:
    """Whether the database's disk is full."""
    return said(error) is _FULL


def problem(error: DBAPIError | PoolTimeout) -> Problem | None:
    """The 503 that the caller gets for an error; None for a bug in this code."""
    if isinstance(error, PoolTimeout):
        return Unavailable("The database is unavailable: all connections to it are in use; retry.")
    found = said(error)
    if found is _RACE:
        return Unavailable(CROWDED)
    return None if found is _OURS else Unavailable(f"The database is unavailable: {found[1]}; retry.")


def refuse(error: DBAPIError | PoolTimeout) -> NoReturn:
    """Raise the Problem for the caller and log the server's own words; raise a bug in this code unchanged."""
    found = problem(error)
    if found is None:
        raise error
    log.warning("database unavailable", error=str(error.orig if isinstance(error, DBAPIError) else error))
    raise found from error


def disconnected(context: Any) -> None:
    """For SQLAlchemy's `handle_error`: drop connections to a server that accepts no work at present."""
    if context.connection is not None and reconnects(context.original_exception):
        context.is_disconnect = True
