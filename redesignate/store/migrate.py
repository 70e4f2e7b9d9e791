# SPDX-License-Identifier: Apache-2.0
"""Upgrades a database to the schema that this code needs, by Alembic, and reads its revision.

Alembic is imported by what needs it: every process and command reads the revision, and few upgrade.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import URL, Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.store.engine import EngineOptions, engine, normalised
from redesignate.store.errors import is_of_file, problem
from redesignate.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK_KEY = 0x7265646573696700
_PATIENT = EngineOptions(lock_wait_s=300, idle_s=300, statement_s=0)
"""An upgrade waits for another that is running, and may take long on a large table."""
_CHECKING = EngineOptions(lock_wait_s=300, idle_s=300)
"""What reads the revision waits for an upgrade that is running, as long as a statement may take."""
_TRY_MS = 2000
_PAUSE_S = 2.0
"""On PostgreSQL: how long each try of an upgrade waits for a table, and how long others have it before the next."""
_LOCK_NOT_AVAILABLE = "55P03"
_HERE = Path(__file__).parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the database to a revision. Idempotent; the first call creates every table.

    Raises Misconfigured, Unavailable.
    """
    from alembic.util import CommandError

    with _connected(_interruptible(url), _PATIENT) as connection:
        _queue(connection)
        _ours(connection)
        try:
            for one in _steps(connection, revision):
                _in_tries(connection, one)
                connection.commit()
        except CommandError as error:
            raise Misconfigured(f"The database cannot be upgraded to {revision}: {error}.") from error


def _steps(connection: Connection, revision: str) -> list[str]:
    """The revisions to upgrade to, one after the other: on PostgreSQL all on the way, since a transaction is undone as
    a whole, and what has taken long is kept if a later one must wait for a table."""
    all_, found = _revisions(), _ours(connection)
    wanted = all_[-1] if revision == "head" else revision
    if connection.dialect.name != "postgresql" or found is None or wanted not in all_:
        return [revision]
    return all_[all_.index(found) + 1 : all_.index(wanted) + 1] or [revision]


def _in_tries(connection: Connection, revision: str) -> None:
    """Carry out the migrations. On PostgreSQL, where a lock on a table that others read (a dump, for one) is not there
    soon, take all back and try again: whoever asks for the table meanwhile would wait behind ours.

    Raises Unavailable, with the fix, and CommandError.
    """
    from alembic import command

    configured = _config()
    configured.attributes["connection"] = connection
    last = time.monotonic() + _PATIENT.lock_wait_s
    while True:
        try:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET lock_timeout = {_TRY_MS}"))
            command.upgrade(configured, revision)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            connection.rollback()
            if time.monotonic() > last:
                raise Unavailable(
                    f"Others (a dump or a long query, for one) have held a table for {_PATIENT.lock_wait_s} s that the "
                    f"upgrade to {revision} changes. What was done before it stays; upgrade again when they are done."
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return


def current(url: str) -> str | None:
    """The revision that the database is at; None if it has no tables of ours. Raises Misconfigured, Unavailable."""
    with _connected(url, _CHECKING) as connection:
        return _ours(connection)


def heads() -> tuple[str, ...]:
    """The revision that this code needs."""
    return (_revisions()[-1],)


def history() -> tuple[str, ...]:
    """Every revision, newest first, a line each."""
    from alembic.script import ScriptDirectory

    return tuple(
        f"{script.revision} {script.doc}" for script in ScriptDirectory.from_config(_config()).walk_revisions()
    )


def require_head(url: str) -> None:
    """Raise Misconfigured, with the command that fixes it, if the database is not at this code's revision.

    Raises Unavailable too.
    """
    found = current(url)
    if (found,) != heads():
        raise Misconfigured(
            f"The database is at revision {found}, this code needs {heads()[0]}: "
            "run `redesignate manage database sync`."
        )


def _ours(connection: Connection) -> str | None:
    """The revision of a database that is ours or empty. Raises Misconfigured for any other."""
    tables = set(inspect(connection).get_table_names())
    found: str | None = None
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found in _revisions():
        return found
    if "recordsets" in tables:
        raise Misconfigured(
            "This database has the schema of OpenStack Designate, which Redesignate does not use: name an empty "
            "database in [storage:sqlalchemy] connection. Nothing in this one was changed."
        )
    if found is not None:
        raise Misconfigured(
            f"The database is at revision {found}, which this release does not know: a newer release has upgraded it, "
            "or it belongs to another program. See [storage:sqlalchemy] connection."
        )
    taken = sorted(tables & set(metadata.tables))
    if taken and "alembic_version" not in tables:  # which is made first: an upgrade was interrupted, or is running
        raise Misconfigured(
            f"The database holds tables of another program ({', '.join(taken[:3])}): name an empty database in "
            "[storage:sqlalchemy] connection."
        )
    return None


def _revisions() -> list[str]:
    """This code's revisions, oldest first: the file of each is named after it."""
    return sorted(file.name.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py"))


def _config() -> Config:
    from alembic.config import Config

    configured = Config()
    configured.set_main_option("script_location", str(_HERE))
    configured.set_main_option("path_separator", "os")
    return configured


def _queue(connection: Connection) -> None:
    """Wait until no other process upgrades this database. SQLite has waited already: its transactions begin IMMEDIATE.

    The lock is the session's and ends with the connection, because migrations commit in between.
    """
    match connection.dialect.name:
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        case "mysql" | "mariadb":
            lock = "SELECT GET_LOCK(CONCAT('redesignate.', LEFT(DATABASE(), 48)), :wait)"
            if connection.execute(text(lock), {"wait": _PATIENT.lock_wait_s}).scalar() != 1:
                raise Unavailable("Another process is upgrading this database; try again when it is done.")


def _interruptible(url: str) -> str | URL:
    """The URL for a wait without limit: Ctrl-C ends one of PyMySQL, but none in mysqlclient's library.

    Raises Misconfigured.
    """
    if normalised(url).get_backend_name() == "mysql":
        return make_url(url).update_query_dict({"driver": "pymysql"})
    return url


@contextmanager
def _connected(url: str | URL, options: EngineOptions) -> Iterator[Connection]:
    """A connection of an engine of its own, closed with the block. Raises Misconfigured, Unavailable."""
    made = engine(url, writes=True, options=options)
    try:
        with made.connect() as connection:
            yield connection
    except DBAPIError as error:
        _say(made.url, error)
    finally:
        made.dispose()


def _say(url: URL, error: DBAPIError) -> NoReturn:
    """An error of the database as one line for the operator, with its server's own words, without the password; a bug
    in this code unchanged."""
    of_file = url.get_backend_name() == "sqlite" and is_of_file(error)
    if not of_file and problem(error) is None:
        raise error
    words = " ".join(str(error.orig.args[-1] if error.orig is not None and error.orig.args else error.orig).split())
    where = url.render_as_string(hide_password=True)
    line = f"The database {where} cannot be used: {words}. Check [storage:sqlalchemy] connection."
    raise (Misconfigured(line) if of_file else Unavailable(line)) from error
