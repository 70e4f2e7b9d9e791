# SPDX-License-Identifier: Apache-2.0
"""Which driver leads to MariaDB or MySQL: mysqlclient, in C, where it is installed, else PyMySQL; and what either is
given, so that both behave alike.

mysqlclient is used where it stands on MariaDB's Connector/C 3.3, whose TLS and sockets were tried, and where it knows
every parameter of the URL (docs/adr/0035). `?driver=pymysql` keeps PyMySQL.
"""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy.engine import URL

from redesignate.model.errors import Misconfigured

PYMYSQL, MYSQLCLIENT = "mysql+pymysql", "mysql+mysqldb"
CONNECT_S = 10
"""The longest that a connection is waited for: TCP, and then the greeting, TLS and the login."""
GRACE_S = 10
"""How much longer than the longest statement its answer is waited for: the server ends the statement itself, unless it
is frozen or the network drops packets."""
_YEAR_S = 31_536_000
"""The longest that PyMySQL can be given."""
_STATEMENT = 1_024_000
"""Octets of an INSERT of many rows, as PyMySQL divides them; mysqlclient's own limit is 64 kB."""
_CHOICE = "driver"
_AUTHORITY = {"ssl_ca", "ssl_capath"}
_OWN = {"ssl_cert", "ssl_key"}
_LIMITS = {"connect_timeout", "read_timeout", "write_timeout"}
_KNOWN = _AUTHORITY | _OWN | _LIMITS | {"charset", "unix_socket", "init_command"}
"""The parameters that mysqlclient heeds as PyMySQL does."""


def driven(url: URL) -> URL:
    """The URL of a MariaDB or MySQL with the driver that is to be used. Raises Misconfigured."""
    wanted = url.query.get(_CHOICE, "")
    plain = url.difference_update_query([_CHOICE])
    if wanted not in ("", "pymysql", "mysqlclient"):
        raise Misconfigured("[storage:sqlalchemy] connection: write driver=pymysql or driver=mysqlclient, or neither.")
    why = why_not_mysqlclient(url)
    if why and wanted == "mysqlclient":
        raise Misconfigured(f"[storage:sqlalchemy] connection: driver=mysqlclient cannot be used: {why}.")
    if why:
        return plain.set(drivername=PYMYSQL)
    if "unix_socket" in plain.query:
        return plain.set(drivername=MYSQLCLIENT, host="localhost")  # any other host would be asked instead
    if plain.host in (None, "", "localhost"):
        # written so, it is a name; "localhost" means the library's own default socket
        return plain.set(drivername=MYSQLCLIENT, host="LOCALHOST")
    return plain.set(drivername=MYSQLCLIENT)


def arguments(url: URL, statement_s: int, *, writes: bool) -> dict[str, Any]:
    """What the driver of such a URL is given besides it. `statement_s` as of `EngineOptions`.

    Where it `writes`, mysqlclient sends one UPDATE or DELETE for several rows as one message of as many statements.
    """
    limits = _limits(url, statement_s)
    if url.drivername == PYMYSQL:
        return limits | {"read_timeout": limits["connect_timeout"]}  # until `at_work`
    return limits | _as_pymysql(url) | {"multi_statements": writes}


def at_work(connection: Any, url: URL, statement_s: int) -> None:
    """Give a connection that was made the time limit of answers: PyMySQL has one limit for them, for the greeting and
    for the login, so that a frozen server, whose kernel still accepts connections, would be waited for as long."""
    if url.drivername == PYMYSQL:
        connection._read_timeout = _limits(url, statement_s).get("read_timeout")


def _limits(url: URL, statement_s: int) -> dict[str, int]:
    """The limits of `_LIMITS` in seconds, the URL's or ours; an answer has none where statements have none.

    Raises Misconfigured.
    """
    limits = {"connect_timeout": CONNECT_S}
    if statement_s:
        limits |= dict.fromkeys(("read_timeout", "write_timeout"), statement_s + GRACE_S)
    for name in sorted(_LIMITS & url.query.keys()):
        given = url.query[name]
        if not (isinstance(given, str) and given.isascii() and given.isdecimal() and 0 < int(given) <= _YEAR_S):
            raise Misconfigured(f"[storage:sqlalchemy] connection: {name} must be 1 to {_YEAR_S} seconds.")
        limits[name] = int(given)
    return limits


def _as_pymysql(url: URL) -> dict[str, Any]:
    """What makes mysqlclient behave as PyMySQL does by itself."""
    given = {"cursorclass": _cursor(), "binary_prefix": True, "local_infile": 0}
    if _AUTHORITY & url.query.keys():
        return given | {"ssl_mode": "VERIFY_IDENTITY"}
    # Connector/C takes this for a wish, which a server without TLS need not grant
    return given if "unix_socket" in url.query else given | {"ssl": True}


@functools.cache
def _cursor() -> type[Any]:
    """mysqlclient's cursor, with `_STATEMENT`, and one message for many statements where the connection allows it."""
    from MySQLdb.cursors import Cursor

    return type("Cursor", (Cursor,), {"max_stmt_length": _STATEMENT, "executemany_fallback": "multi"})


def why_not_mysqlclient(url: URL) -> str:
    """Why mysqlclient is not used for an operator's URL; "" if it is."""
    if url.query.get(_CHOICE) == "pymysql":
        return "the URL requests PyMySQL"
    return _missing() or _other(url)


def _other(url: URL) -> str:
    """What of a URL would be done in another way than PyMySQL does it; "" if nothing."""
    unknown = sorted(url.query.keys() - _KNOWN - {_CHOICE})
    if unknown:
        return f"it does not heed {', '.join(unknown)}"
    if _OWN & url.query.keys() and not _AUTHORITY & url.query.keys():
        return "it does not insist on TLS without ssl_ca"
    if "unix_socket" in url.query and (_AUTHORITY | _OWN) & url.query.keys():
        return "over a socket it looks for another name than the URL's in the server's certificate"
    if not (url.password or "").isascii():
        return "it sends a password that is not ASCII as UTF-8, PyMySQL as Latin-1"
    return ""


@functools.cache
def _missing() -> str:
    """Why mysqlclient cannot be used here at all; "" if it can."""
    try:
        import MySQLdb
    except ImportError as error:
        return "it is not installed" if isinstance(error, ModuleNotFoundError) else f"it cannot be loaded ({error})"
    library: str = MySQLdb.get_client_info()
    if library.startswith("3.3."):
        return ""
    # 3.4 checks no host name where that is 127.0.0.1 or ::1
    return f"it stands on another library ({library}) than MariaDB Connector/C 3.3"
